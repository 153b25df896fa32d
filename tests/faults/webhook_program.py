"""Delivers webhooks as a process of its own, to be killed. With `hang` it sends and then never records what it sent."""

import asyncio
import random
import sys

from adapters.outbound import AddressPolicy, GuardedClient, SignedWebhooks
from adapters.sql import SqlStore
from application.deliver_webhooks import DeliverWebhooks
from domain.webhook import Delivery, Receipt
from ports.webhooks import WebhookSender
from serve_app.composition.clock import SystemClock

LEASE_S = 1.5


class Hanging(WebhookSender):
    """Sends, and comes back never."""

    def __init__(self, inner: WebhookSender) -> None:
        self._inner = inner

    async def send(self, delivery: Delivery, now: float) -> Receipt:
        await self._inner.send(delivery, now)
        await asyncio.Event().wait()
        raise AssertionError


async def main(url: str, trusted: str, how: str) -> None:
    clock = SystemClock()
    store = SqlStore.open(url, clock)
    sender: WebhookSender = SignedWebhooks(GuardedClient(AddressPolicy(trusted=frozenset({trusted}))))
    if how == "hang":
        sender = Hanging(sender)
    await DeliverWebhooks(store.webhooks, sender, clock, random.Random(), idle_s=0.05, lease_s=LEASE_S)()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
