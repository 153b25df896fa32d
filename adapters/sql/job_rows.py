"""Rows of the job table as jobs, and the one way to change them."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, update

from adapters.sql.plain import from_text, to_text
from adapters.sql.schema import job_events, jobs
from domain.canonical import Json
from domain.job import Job, JobKind, JobRequest, JobStatus, Problem, Progress

QUEUED, RUNNING = JobStatus.QUEUED.value, JobStatus.IN_PROGRESS.value
Row: TypeAlias = RowMapping


def job_of(row: Row, queue_position: int | None = None) -> Job:
    """Return the job of a row of `jobs`."""
    status = JobStatus(row["status"])
    failed = status in (JobStatus.FAILED, JobStatus.EXPIRED) and row["error_code"] is not None
    return Job(
        id=row["id"],
        request=JobRequest(
            kind=JobKind(row["kind"]),
            payload=from_text(row["payload"]),
            tenant=row["tenant"],
            idempotency_key=row["idempotency_key"],
            body_sha256=row["body_sha256"],
            priority=row["priority"],
            deadline=row["deadline"],
            store=row["store"],
            traceparent=row["traceparent"],
        ),
        status=status,
        progress=Progress(row["fraction"], row["stage"], row["eta_s"], queue_position),
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempts=row["attempts"],
        cancel_requested=row["cancel_requested"],
        result=from_text(row["result"]),
        error=Problem(row["error_code"], row["error_detail"]) if failed else None,
    )


def append_event(connection: Connection, row: Row, event: str, data: Mapping[str, Json], now: float) -> None:
    """Write the event that carries the sequence the row has just been moved to."""
    connection.execute(
        insert(job_events).values(
            job_seq=row["seq"],
            sequence=row["last_sequence"],
            fence=row["fence"],
            type=event,
            data=to_text(dict(data)),
            created_at=now,
        )
    )


def change(connection: Connection, row: Row, now: float, event: str, data: Mapping[str, Json], **values: Any) -> Row:
    """Set columns and tell it as an event, in one step. The caller holds the row: it was read in this transaction."""
    statement = (
        update(jobs)
        .where(jobs.c.seq == row["seq"], jobs.c.fence == row["fence"], jobs.c.status == row["status"])
        .values(last_sequence=jobs.c.last_sequence + 1, **values)
        .returning(*jobs.c)
    )
    changed = connection.execute(statement).mappings().one()
    append_event(connection, changed, event, data, now)
    return changed


def end(connection: Connection, row: Row, now: float, status: JobStatus, problem: Problem | None = None, **values: Any) -> Row:
    """Move the job to an end state, with its event; nothing but deletion changes it afterwards."""
    data: dict[str, Json] = {"code": problem.code, "detail": problem.detail} if problem else {}
    if problem:
        values |= {"error_code": problem.code, "error_detail": problem.detail}
    ended = {"status": status.value, "stage": status.value, "finished_at": now, "owner": None, "lease_until": None, "eta_s": None}
    return change(connection, row, now, f"job.{status.value}", data, **(ended | values))


def find(connection: Connection, tenant: str, job_id: str, *, lock: bool = False) -> Row | None:
    """Return the tenant's row, or None. `lock` holds it against other writers until the transaction ends."""
    statement = select(jobs).where(jobs.c.id == job_id, jobs.c.tenant == tenant)
    return connection.execute(statement.with_for_update() if lock else statement).mappings().one_or_none()


def due(now: float) -> Any:
    """The condition of a row that may be given out as far as time goes: it waits, or its lease ran out."""
    return or_(
        and_(jobs.c.status == QUEUED, jobs.c.run_after <= now),
        and_(jobs.c.status == RUNNING, jobs.c.lease_until <= now),
    )
