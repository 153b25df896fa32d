"""The durable job table, seen by the gateway (`JobStore`) and by the workers (`JobQueue`).

The promise: a job that `submit` returned is kept until it ends; it ends exactly once, in one state, with one result. Work may be
repeated after a crash; results and events are not.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.canonical import Json
from domain.job import Job, JobEvent, JobRequest, JobStatus, Lease, Problem, Progress, QueueStanding


class JobStore(Protocol):
    """What a caller may do with jobs. Every method sees one tenant's jobs only."""

    @abstractmethod
    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        """Store the job and return it with True, durable before this returns.

        The same idempotency key with the same body returns the job that is there, with False; with another body it
        raises IdempotencyMismatch. Raises QueueFull, having stored nothing, when the queue is at its bound, RateLimited when the
        tenant's own share of it is. Both say after how many seconds there is likely to be room. Raises QuotaExceeded when the
        tenant may not keep another recording of this size.
        """

    @abstractmethod
    async def knows(self, tenant: str, idempotency_key: str) -> bool:
        """Say whether a job came under this key: then `submit` stores nothing, and answers with it or refuses another body."""

    @abstractmethod
    async def admit(self, tenant: str) -> None:
        """Raise QueueFull or RateLimited when a job of this tenant would be refused now, so that no byte is stored for it."""

    @abstractmethod
    async def get(self, tenant: str, job_id: str) -> Job:
        """Return the job, while it waits with its position in the order of claims and the seconds until it is likely done.

        Raises NotFound.
        """

    @abstractmethod
    async def list(self, tenant: str, limit: int, after: str | None = None, status: JobStatus | None = None) -> Sequence[Job]:
        """Return at most `limit` jobs, newest first, after the job with id `after`. Raises NotFound for a bad cursor."""

    @abstractmethod
    async def cancel(self, tenant: str, job_id: str) -> Job:
        """End a waiting job now; ask a running one to stop; leave an ended one alone. Raises NotFound."""

    @abstractmethod
    async def events(self, tenant: str, job_id: str, after: int, limit: int = 100) -> Sequence[JobEvent]:
        """Return events with a sequence above `after`, in order, no gaps. Raises NotFound."""

    @abstractmethod
    async def delete(self, tenant: str, job_id: str) -> None:
        """Remove an ended job and its events. Raises NotFound, or InvalidRequest while it has not ended."""

    @abstractmethod
    async def depth(self) -> Mapping[str, int]:
        """Return how many jobs wait (`queued`) and run (`in_progress`) over all tenants."""


class JobQueue(Protocol):
    """What a worker may do with the job it holds. Time is the store's clock; every write carries the lease's fence.

    Each method that takes a lease raises LeaseLost when another worker holds the job now or the job has ended, and
    JobCancelled when a cancel was asked for (`complete` and `fail` too, except that `cancelled` then ends it).
    """

    @abstractmethod
    async def claim(self, owner: str, lease_s: float, short_only: bool = False) -> Lease | None:
        """Take the next job. Tenants take turns; within one, highest priority first, then oldest, where waiting raises a
        priority. A job whose lease ran out counts as waiting. `short_only` passes over jobs of the long lane.

        Jobs past their deadline are ended as expired, jobs claimed too often (`max_attempts`) as failed, never given
        out. Returns None when nothing waits.
        """

    @abstractmethod
    async def renew(self, lease: Lease, lease_s: float) -> Lease:
        """Hold the job for another `lease_s` seconds."""

    @abstractmethod
    async def measured(self, lease: Lease, audio_s: float) -> Lease:
        """Record how many seconds the recording really has, which decides the job's lane; return the lease with the job as it
        is then."""

    @abstractmethod
    async def progress(self, lease: Lease, progress: Progress) -> None:
        """Record progress; a smaller fraction than the recorded one is raised to it."""

    @abstractmethod
    async def stage_done(self, lease: Lease, result: Mapping[str, str], event: str, data: Mapping[str, Json]) -> None:
        """Make a stage's result visible (merged into `job.result`) together with an event, in one step."""

    @abstractmethod
    async def emit(self, lease: Lease, event: str, data: Mapping[str, Json]) -> None:
        """Append an event to the job."""

    @abstractmethod
    async def complete(self, lease: Lease, result: Mapping[str, str]) -> None:
        """End the job as completed with its result, once."""

    @abstractmethod
    async def fail(self, lease: Lease, problem: Problem, retry_after_s: float | None) -> None:
        """End the job as failed; with `retry_after_s` put it back to wait that long instead, attempts permitting."""

    @abstractmethod
    async def cancelled(self, lease: Lease) -> None:
        """End the job as cancelled: the worker has stopped."""

    @abstractmethod
    async def release(self, lease: Lease) -> None:
        """Give the job back to wait, unharmed (the worker shuts down): this attempt does not count."""


class JobOperator(Protocol):
    """What those who run the service may do with jobs, whatever the tenant. Not for routes that tenants reach."""

    @abstractmethod
    async def all_jobs(
        self, limit: int, tenant: str | None = None, status: JobStatus | None = None, *, dead: bool = False
    ) -> Sequence[Job]:
        """Return at most `limit` jobs, newest first. `dead`: only those that failed with every attempt used up."""

    @abstractmethod
    async def find(self, job_id: str) -> Job:
        """Return a job of any tenant. Raises NotFound."""

    @abstractmethod
    async def retry(self, job_id: str) -> Job:
        """Let a failed or expired job wait again under its own id, with all its attempts and without a deadline.

        What earlier attempts stored and paid for is kept. Raises NotFound, InvalidRequest for a job in another state, Gone when
        its conversation was deleted.
        """

    @abstractmethod
    async def ended_before(self, when: float | None, tenants: Mapping[str, float | None], limit: int) -> Sequence[Job]:
        """Return at most `limit` jobs that ended before `when` (None: never), oldest first. `tenants` have times of their own.

        A job whose own time has passed (`JobRequest.keep_s` after its end) is among them, whatever the tenant's.
        """

    @abstractmethod
    async def standing(self) -> QueueStanding:
        """Count what waits and runs in each lane, how long the oldest could have been claimed, and what was laid aside."""
