"""Tell again and again how many jobs and events wait, and for how long."""

import logging
from dataclasses import dataclass

from domain.errors import StorageFailed
from ports.clock import Clock
from ports.job_metrics import JobMetrics
from ports.jobs import JobOperator
from ports.webhooks import WebhookOutbox

log = logging.getLogger("wordloop.watch")

EVERY_S = 5.0
"""Seconds between two looks. Ray drops a gauge that was not set for two of its reports, of 10 s each."""


@dataclass(frozen=True, slots=True)
class WatchQueue:
    """Every worker looks at the one queue, so that any of them can be away."""

    jobs: JobOperator
    webhooks: WebhookOutbox
    metrics: JobMetrics
    clock: Clock
    every_s: float = EVERY_S

    async def __call__(self) -> None:
        """Run until cancelled. A store that does not answer is asked again."""
        while True:
            try:
                self.metrics.standing(await self.jobs.standing(), await self.webhooks.backlog())
            except StorageFailed as error:
                log.warning("the queue could not be counted", extra={"detail": error.detail})
            await self.clock.sleep(self.every_s)
