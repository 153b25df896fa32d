"""What a worker writes about the job it holds. Every write checks the fence in the transaction that writes."""

import math
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, literal, select, update

from adapters.sql.job_rows import QUEUED, RUNNING, UNHELD, Row, change, end, find, job_of
from adapters.sql.plain import from_text, to_text
from adapters.sql.tables import job_events, jobs
from domain.canonical import Json
from domain.errors import InvalidRequest, JobCancelled, LeaseLost
from domain.job import JobStatus, Lane, Lease, Problem, Progress


def held(connection: Connection, lease: Lease, *, even_if_cancelled: bool = False) -> Row:
    """Return the locked row of a job that the lease still holds. Raises LeaseLost or JobCancelled."""
    row = find(connection, lease.job.request.tenant, lease.job.id, lock=True)
    if row is None or row["status"] != RUNNING:
        raise LeaseLost("The job has ended.")
    if row["fence"] != lease.fence or row["owner"] != lease.owner:
        raise LeaseLost("Another worker holds the job now.")
    if row["cancel_requested"] and not even_if_cancelled:
        raise JobCancelled("The job was cancelled.")
    return row


def renew(connection: Connection, lease: Lease, lease_s: float, now: float) -> Lease:
    """Move the end of the lease."""
    row = held(connection, lease)
    statement = update(jobs).where(jobs.c.seq == row["seq"]).values(lease_until=now + lease_s).returning(*jobs.c)
    renewed = connection.execute(statement).mappings().one()
    return replace(lease, job=job_of(renewed), until=renewed["lease_until"])


def measured(connection: Connection, lease: Lease, audio_s: float, short_audio_s: float) -> Lease:
    """Record the length of the recording and put the job into its lane. Raises InvalidRequest for what is no length."""
    row = held(connection, lease)
    if not math.isfinite(audio_s) or audio_s < 0:
        raise InvalidRequest("A recording lasts a number of seconds.")
    known = {"audio_s": audio_s, "lane": Lane.of(audio_s, short_audio_s).value}
    statement = update(jobs).where(jobs.c.seq == row["seq"]).values(**known).returning(*jobs.c)
    changed = connection.execute(statement).mappings().one()
    return replace(lease, job=job_of(changed), until=changed["lease_until"])


def progress(connection: Connection, lease: Lease, told: Progress, now: float) -> None:
    """Record progress, never less than before; it is an event when it moved."""
    row = held(connection, lease)
    if not math.isfinite(told.fraction):
        raise InvalidRequest("Progress is a number from 0 to 1.")
    fraction = max(row["fraction"], min(1.0, told.fraction))
    if (fraction, told.stage) == (row["fraction"], row["stage"]):
        connection.execute(update(jobs).where(jobs.c.seq == row["seq"]).values(eta_s=told.eta_s, overdue=told.overdue))
        return
    moved = {"fraction": fraction, "stage": told.stage, "eta_s": told.eta_s, "overdue": told.overdue}
    change(connection, row, now, "job.progress", moved, **moved)


def stage_done(
    connection: Connection, lease: Lease, result: Mapping[str, str], event: str, data: Mapping[str, Json], now: float
) -> None:
    """Merge the result and tell it, unless an earlier attempt has made it visible already."""
    row = held(connection, lease)
    before: dict[str, str] = from_text(row["result"])
    merged = before | dict(result)
    if result and merged == before:
        return
    change(connection, row, now, event, data, result=to_text(merged))


def emit(connection: Connection, lease: Lease, event: str, data: Mapping[str, Json], now: float) -> None:
    """Append an event, unless an earlier attempt told the very same."""
    row = held(connection, lease)
    told = select(literal(1)).where(
        job_events.c.job_seq == row["seq"],
        job_events.c.type == event,
        job_events.c.data == to_text(dict(data)),
        job_events.c.fence < row["fence"],
    )
    if connection.execute(told.limit(1)).first() is None:
        change(connection, row, now, event, data)


def complete(connection: Connection, lease: Lease, result: Mapping[str, str], now: float) -> None:
    """End the job with its result."""
    row = held(connection, lease)
    merged = from_text(row["result"]) | dict(result)
    end(connection, row, now, JobStatus.COMPLETED, result=to_text(merged), fraction=1.0)


def fail(connection: Connection, lease: Lease, problem: Problem, retry_after_s: float | None, now: float) -> None:
    """End the job as failed, or let it wait for another attempt, if it has one and its deadline lets it start."""
    row = held(connection, lease)
    again_at = None if retry_after_s is None else now + max(0.0, retry_after_s)
    too_late = again_at is not None and row["deadline"] is not None and again_at >= row["deadline"]
    if again_at is None or too_late or row["attempts"] >= row["max_attempts"]:
        end(connection, row, now, JobStatus.FAILED, problem)
        return
    error = {"error_code": problem.code, "error_detail": problem.detail}
    data: dict[str, Json] = {"code": problem.code, "attempt": row["attempts"], "retry_after_s": again_at - now}
    change(connection, row, now, "job.retrying", data, **_waiting(again_at), **error)


def cancelled(connection: Connection, lease: Lease, now: float) -> None:
    """End the job as cancelled."""
    row = held(connection, lease, even_if_cancelled=True)
    end(connection, row, now, JobStatus.CANCELLED)


def release(connection: Connection, lease: Lease, now: float) -> None:
    """Let the job wait again as if it had not been claimed."""
    row = held(connection, lease)
    change(connection, row, now, "job.released", {}, **_waiting(now), attempts=row["attempts"] - 1)


def _waiting(run_after: float) -> dict[str, object]:
    return {"status": QUEUED, "stage": QUEUED, "run_after": run_after, **UNHELD}
