"""The job engine: leases, fences and attempts in one table (ADR 0005)."""

import secrets
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection

from adapters.sql import job_claims, job_leases, job_operations, job_table
from adapters.sql.engine import Database
from adapters.sql.job_order import Admission, admit
from domain.canonical import Json
from domain.job import Job, JobEvent, JobRequest, JobStatus, Lane, Lease, Problem, Progress, QueueStanding
from ports.clock import Clock
from ports.jobs import JobOperator, JobQueue, JobStore


def random_job_id() -> str:
    """Return an id that nobody can guess: 128 random bits."""
    return f"job_{secrets.token_hex(16)}"


class SqlJobs(JobStore, JobQueue, JobOperator):
    """Jobs in a table. Leases are measured on the database's own clock (`Database.now`), read inside the transaction, after the
    wait for the write lock. `max_running_per_tenant` None lets one tenant's
    jobs take every worker.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        admission: Admission,
        max_running_per_tenant: int | None = None,
        new_id: Callable[[], str] = random_job_id,
    ) -> None:
        self._database = database
        self._clock = clock
        self._admission = admission
        self._max_running = max_running_per_tenant
        self._new_id = new_id

    def _now(self, connection: Connection) -> float:
        return self._database.now(connection, self._clock)

    async def submit(self, request: JobRequest) -> tuple[Job, bool]:
        job_id = self._new_id()
        return await self._database.write(lambda c: job_table.submit(c, request, job_id, self._now(c), self._admission))

    async def knows(self, tenant: str, idempotency_key: str) -> bool:
        return await self._database.read(lambda c: job_table.knows(c, tenant, idempotency_key))

    async def admit(self, tenant: str) -> None:
        await self._database.read(lambda c: admit(c, tenant, self._now(c), self._admission))

    async def get(self, tenant: str, job_id: str) -> Job:
        return await self._database.read(lambda c: job_table.get(c, tenant, job_id, self._now(c)))

    async def list(self, tenant: str, limit: int, after: str | None = None, status: JobStatus | None = None) -> Sequence[Job]:
        return await self._database.read(lambda c: job_table.list_jobs(c, tenant, limit, after, status))

    async def cancel(self, tenant: str, job_id: str) -> Job:
        return await self._database.write(lambda c: job_table.cancel(c, tenant, job_id, self._now(c)))

    async def events(self, tenant: str, job_id: str, after: int, limit: int = 100) -> Sequence[JobEvent]:
        return await self._database.read(lambda c: job_table.events(c, tenant, job_id, after, limit))

    async def delete(self, tenant: str, job_id: str) -> None:
        await self._database.write(lambda c: job_table.remove(c, tenant, job_id))
        await self._database.scrub()

    async def depth(self) -> Mapping[str, int]:
        return await self._database.read(job_table.depth)

    async def claim(self, owner: str, lease_s: float, short_only: bool = False) -> Lease | None:
        lanes = (Lane.SHORT,) if short_only else tuple(Lane)
        if not await self._database.read(lambda c: job_claims.anything_due(c, self._now(c), lanes)):
            return None
        return await self._database.write(lambda c: job_claims.claim(c, owner, lease_s, self._now(c), self._max_running, lanes))

    async def renew(self, lease: Lease, lease_s: float) -> Lease:
        return await self._database.write(lambda c: job_leases.renew(c, lease, lease_s, self._now(c)))

    async def measured(self, lease: Lease, audio_s: float) -> Lease:
        short_s = self._admission.short_audio_s
        return await self._database.write(lambda c: job_leases.measured(c, lease, audio_s, short_s))

    async def progress(self, lease: Lease, progress: Progress) -> None:
        await self._database.write(lambda c: job_leases.progress(c, lease, progress, self._now(c)))

    async def stage_done(self, lease: Lease, result: Mapping[str, str], event: str, data: Mapping[str, Json]) -> None:
        await self._database.write(lambda c: job_leases.stage_done(c, lease, result, event, data, self._now(c)))

    async def emit(self, lease: Lease, event: str, data: Mapping[str, Json]) -> None:
        await self._database.write(lambda c: job_leases.emit(c, lease, event, data, self._now(c)))

    async def complete(self, lease: Lease, result: Mapping[str, str]) -> None:
        await self._database.write(lambda c: job_leases.complete(c, lease, result, self._now(c)))

    async def fail(self, lease: Lease, problem: Problem, retry_after_s: float | None) -> None:
        await self._database.write(lambda c: job_leases.fail(c, lease, problem, retry_after_s, self._now(c)))

    async def cancelled(self, lease: Lease) -> None:
        await self._database.write(lambda c: job_leases.cancelled(c, lease, self._now(c)))

    async def release(self, lease: Lease) -> None:
        await self._database.write(lambda c: job_leases.release(c, lease, self._now(c)))

    async def all_jobs(
        self, limit: int, tenant: str | None = None, status: JobStatus | None = None, *, dead: bool = False
    ) -> Sequence[Job]:
        return await self._database.read(lambda c: job_operations.all_jobs(c, limit, tenant, status, dead))

    async def find(self, job_id: str) -> Job:
        return await self._database.read(lambda c: job_operations.find(c, job_id))

    async def retry(self, job_id: str) -> Job:
        return await self._database.write(lambda c: job_operations.retry(c, job_id, self._now(c)))

    async def ended_before(self, when: float | None, tenants: Mapping[str, float | None], limit: int) -> Sequence[Job]:
        return await self._database.read(lambda c: job_operations.ended_before(c, when, tenants, limit, self._clock.now()))

    async def standing(self) -> QueueStanding:
        return await self._database.read(lambda c: job_operations.standing(c, self._now(c)))
