"""Tell receivers about the ends of jobs, again and again until they have heard."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from domain.errors import LeaseLost, StorageFailed
from domain.failure import stack_of
from domain.webhook import Delivery, Receipt
from ports.clock import Clock
from ports.webhooks import WebhookOutbox, WebhookSender

log = logging.getLogger("wordloop.webhooks")

SCHEDULE_S = (5.0, 30.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0)
"""Seconds from a failed try to the next one (reliability notes, rule 13); after the last the event is dead."""
JITTER = 0.2
"""Share of a pause that is added by chance, so that receivers that come back are not met by everything at once."""
LEASE_S = 60.0
"""Seconds one try may take: four times the longest that the sender waits."""
STORE_PAUSE_S = 1.0
KEPT_S = 7 * 86_400.0
"""Seconds that what was told, or given up, stays for people to look at."""
GONE = 410


@dataclass
class DeliverWebhooks:
    """Claims events and sends up to `concurrency` of them at once; asks an empty outbox again after `idle_s` seconds."""

    outbox: WebhookOutbox
    sender: WebhookSender
    clock: Clock
    random: Random
    concurrency: int = 8
    idle_s: float = 1.0
    lease_s: float = LEASE_S
    schedule_s: Sequence[float] = SCHEDULE_S
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def __call__(self) -> None:
        """Deliver until cancelled. What is on its way then is sent again when its lease has run out, under the same id."""
        try:
            while True:
                await self._next()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _next(self) -> None:
        if len(self._running) >= self.concurrency:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return
        try:
            delivery = await self.outbox.claim(self.lease_s)
        except StorageFailed as error:
            log.warning("the store does not answer", extra={"detail": error.detail})
            await self.clock.sleep(STORE_PAUSE_S)
            return
        if delivery is None:
            await self.clock.sleep(self.idle_s)
            return
        task = asyncio.create_task(self.deliver(delivery))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def deliver(self, delivery: Delivery) -> None:
        """Make one try and record how it went."""
        try:
            receipt = await self.sender.send(delivery, self.clock.now())
        except Exception as error:
            # Whatever one receiver's answer breaks, the event waits for its next try and the others are told.
            log.error("webhook could not be sent", extra={"webhook_id": delivery.id, "failure": stack_of(error)})
            receipt = Receipt(None, failure="internal_error")
        try:
            await self._record(delivery, receipt)
        except LeaseLost:
            log.info("webhook moved on", extra={"webhook_id": delivery.id})
        except StorageFailed as error:
            log.warning("webhook could not be recorded", extra={"webhook_id": delivery.id, "detail": error.detail})

    async def _record(self, delivery: Delivery, receipt: Receipt) -> None:
        if receipt.status is not None and 200 <= receipt.status < 300:
            await self.outbox.delivered(delivery, receipt)
        elif receipt.status == GONE:
            log.info("webhook receiver is gone for good", extra={"webhook_id": delivery.id})
            await self.outbox.refused_for_good(delivery, receipt)
        else:
            again = None if delivery.once else self.pause_s(delivery.tries, receipt.retry_after_s)
            about = {"webhook_id": delivery.id, "tries": delivery.tries + 1, "status": receipt.status, "again_in_s": again}
            log.info("webhook failed", extra=about)
            await self.outbox.failed(delivery, receipt, again)

    def pause_s(self, tries_before: int, retry_after_s: float | None) -> float | None:
        """Seconds from a failed try to the next, None after the last. The receiver may ask for more, never for less."""
        if tries_before >= len(self.schedule_s):
            return None
        pause = self.schedule_s[tries_before] * (1.0 + JITTER * self.random.random())
        return max(pause, min(retry_after_s or 0.0, self.schedule_s[-1]))
