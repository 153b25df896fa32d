"""Telling receivers about jobs: their registration, what is still to be told, and the telling itself.

The promise: an event is written down in the transaction that makes it true, so it is neither lost nor invented. It is told at
least once, always under the same id; never by two at the same moment.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol

from domain.webhook import Delivery, DeliveryRecord, DeliveryState, Receipt, WebhookBacklog, WebhookEndpoint, WebhookEvent


class WebhookStore(Protocol):
    """The receivers of a tenant. Raises NotFound for those of others."""

    @abstractmethod
    async def add(self, tenant: str, url: str, events: Sequence[WebhookEvent]) -> tuple[WebhookEndpoint, str]:
        """Register a receiver and return it with its secret, which is shown this once. Raises InvalidRequest for one too many."""

    @abstractmethod
    async def list(self, tenant: str) -> Sequence[WebhookEndpoint]:
        """Return the receivers, oldest first."""

    @abstractmethod
    async def get(self, tenant: str, endpoint_id: str) -> WebhookEndpoint:
        """Return the receiver."""

    @abstractmethod
    async def rotate(self, tenant: str, endpoint_id: str, overlap_s: float) -> str:
        """Give the receiver a new secret and return it; the old one signs too for `overlap_s` seconds."""

    @abstractmethod
    async def remove(self, tenant: str, endpoint_id: str) -> None:
        """Forget the receiver and all that it was still to be told."""

    @abstractmethod
    async def test(self, tenant: str, endpoint_id: str) -> DeliveryRecord:
        """Write down an event that is sent to this receiver only, once.

        Raises InvalidRequest for a disabled receiver, RateLimited while too many tests of it wait.
        """

    @abstractmethod
    async def deliveries(
        self, tenant: str, endpoint_id: str, limit: int, after: str | None = None, state: DeliveryState | None = None
    ) -> Sequence[DeliveryRecord]:
        """Return at most `limit` of what the receiver was told or is to be told, newest first, after the one with id `after`.

        Raises NotFound for a bad cursor too.
        """

    @abstractmethod
    async def delivery(self, tenant: str, endpoint_id: str, delivery_id: str) -> DeliveryRecord:
        """Return one of them. Raises NotFound."""


class WebhookOutbox(Protocol):
    """What is still to be told, over all tenants. The records raise LeaseLost when another deliverer holds the event now."""

    @abstractmethod
    async def claim(self, lease_s: float) -> Delivery | None:
        """Take the next event that is due and that nobody holds; None when there is none."""

    @abstractmethod
    async def delivered(self, delivery: Delivery, receipt: Receipt) -> None:
        """Record that the receiver has it."""

    @abstractmethod
    async def failed(self, delivery: Delivery, receipt: Receipt, again_in_s: float | None) -> None:
        """Record that this try failed; the next is in so many seconds, or never."""

    @abstractmethod
    async def refused_for_good(self, delivery: Delivery, receipt: Receipt) -> None:
        """Disable the receiver: it wants nothing any more. All that it was still to be told is dropped."""

    @abstractmethod
    async def backlog(self) -> WebhookBacklog:
        """Count the events that were due and are not told yet, those on their way included."""

    @abstractmethod
    async def trim(self, older_than_s: float) -> int:
        """Remove what was told, or given up, longer ago than that; return how many."""


class WebhookSender(Protocol):
    """Sends one event, signed."""

    @abstractmethod
    async def send(self, delivery: Delivery, now: float) -> Receipt:
        """Send it, signed for `now` (Unix seconds). Whatever goes wrong on the way is a receipt without a status."""
