"""Wait for a job without holding anything but a timer."""

from dataclasses import dataclass

from domain.job import Job
from ports.clock import Clock
from ports.jobs import JobStore

FIRST_POLL_S = 0.05
"""Seconds before the first second look: an answer from the cache is there by then."""
LONGEST_POLL_S = 1.0
"""Seconds between looks at most: what a caller waits too long in the worst case."""
GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class WaitForJob:
    """Look at the job again and again, at growing intervals."""

    jobs: JobStore
    clock: Clock

    async def __call__(self, tenant: str, job_id: str, seconds: float) -> Job:
        """Return the job as soon as it has ended, or as it is after `seconds`. Raises NotFound."""
        until = self.clock.monotonic() + seconds
        pause = FIRST_POLL_S
        job = await self.jobs.get(tenant, job_id)
        while not job.status.ended and (left := until - self.clock.monotonic()) > 0:
            await self.clock.sleep(min(pause, left))
            pause = min(pause * GROWTH, LONGEST_POLL_S)
            job = await self.jobs.get(tenant, job_id)
        return job
