"""Webhooks as the Standard Webhooks specification 1.0.0 wants them sent."""

from datetime import UTC, datetime

from standardwebhooks import Webhook

from adapters.outbound.client import GuardedClient
from domain.errors import AddressRefused, SourceUnavailable
from domain.webhook import Delivery, Receipt
from ports.webhooks import WebhookSender

WITHIN_S = 15.0
"""Seconds a receiver has to answer: the lower end of the specification's advice."""


class SignedWebhooks(WebhookSender):
    """POSTs the event with its id, the time and a signature per secret; follows no redirect and reads no body."""

    def __init__(self, client: GuardedClient, within_s: float = WITHIN_S) -> None:
        self._client = client
        self._within_s = within_s

    async def send(self, delivery: Delivery, now: float) -> Receipt:
        timestamp = int(now)
        headers = {
            "content-type": "application/json",
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                signature(secret, delivery.id, timestamp, delivery.body) for secret in delivery.secrets
            ),
        }
        try:
            return Receipt(*await self._client.post(delivery.url, headers, delivery.body.encode(), self._within_s))
        except AddressRefused:
            return Receipt(None, failure="address_refused")
        except SourceUnavailable:
            return Receipt(None, failure="source_unavailable")


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """Return `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body` under the decoded secret."""
    return str(Webhook(secret).sign(message_id, datetime.fromtimestamp(timestamp, UTC), body))
