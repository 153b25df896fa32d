"""Rows of the job table as jobs, and the one way to change them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from adapters.sql.plain import from_text, to_text
from adapters.sql.tables import job_events, jobs
from adapters.sql.webhook_rows import announce
from domain.canonical import Json
from domain.job import Job, JobKind, JobRequest, JobStatus, Lane, Problem, Progress, QueuePosition

QUEUED, RUNNING = JobStatus.QUEUED.value, JobStatus.IN_PROGRESS.value
UNHELD: Final[Mapping[str, Any]] = {"owner": None, "lease_until": None, "eta_s": None, "overdue": False}
"""What the columns of a worker say while none holds the job."""
Row: TypeAlias = RowMapping

_INSERT_EVENT = insert(job_events)
_FIND = select(jobs).where(jobs.c.id == bindparam("job_id"), jobs.c.tenant == bindparam("tenant"))
_FIND_AND_LOCK = _FIND.with_for_update()


def job_of(row: Row, queued: QueuePosition | None = None) -> Job:
    """Return the job of a row of `jobs`, with its position in the queue while it waits."""
    status = JobStatus(row["status"])
    failed = status in (JobStatus.FAILED, JobStatus.EXPIRED) and row["error_code"] is not None
    progress = Progress(row["fraction"], row["stage"], row["eta_s"], overdue=row["overdue"])
    if queued is not None:
        progress = replace(progress, eta_s=queued.eta_s, queue_position=queued.position)
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
            audio_s=row["audio_s"],
            keep_s=row["keep_s"],
        ),
        status=status,
        progress=progress,
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        attempts=row["attempts"],
        cancel_requested=row["cancel_requested"],
        result=from_text(row["result"]),
        error=Problem(row["error_code"], row["error_detail"]) if failed else None,
        lane=Lane(row["lane"]),
    )


def append_event(connection: Connection, row: Row, event: str, data: Mapping[str, Json], now: float) -> None:
    """Write the event that carries the sequence the row has just been moved to."""
    columns = {"job_seq": row["seq"], "sequence": row["last_sequence"], "fence": row["fence"], "created_at": now}
    connection.execute(_INSERT_EVENT, columns | {"type": event, "data": to_text(dict(data))})


def change(connection: Connection, row: Row, now: float, event: str, data: Mapping[str, Json], **values: Any) -> Row:
    """Set columns and tell it as an event, in one step. The caller holds the row: it was read in this transaction."""
    held = {"held_seq": row["seq"], "held_fence": row["fence"], "held_status": row["status"]}
    new = {f"new_{name}": value for name, value in values.items()}
    changed = connection.execute(_change_of(tuple(sorted(values))), held | new).mappings().one()
    append_event(connection, changed, event, data, now)
    return changed


@lru_cache(maxsize=64)
def _change_of(names: tuple[str, ...]) -> ReturningUpdate[Any]:
    """Return the statement of a change of these columns, built once: building costs more than running it."""
    held = (
        jobs.c.seq == bindparam("held_seq"),
        jobs.c.fence == bindparam("held_fence"),
        jobs.c.status == bindparam("held_status"),
    )
    new: dict[str, Any] = {name: bindparam(f"new_{name}", type_=jobs.c[name].type) for name in names}
    return update(jobs).where(*held).values(last_sequence=jobs.c.last_sequence + 1, **new).returning(*jobs.c)


def end(connection: Connection, row: Row, now: float, status: JobStatus, problem: Problem | None = None, **values: Any) -> Row:
    """Move the job to an end state, with its event and its webhooks; nothing but deletion changes it afterwards."""
    data: dict[str, Json] = {"result": from_text(values.get("result", row["result"]))}
    if problem:
        data |= {"code": problem.code, "detail": problem.detail}
        values |= {"error_code": problem.code, "error_detail": problem.detail}
    ended = {"status": status.value, "stage": status.value, "finished_at": now, **UNHELD}
    changed = change(connection, row, now, f"job.{status.value}", data, **(ended | values))
    announce(connection, changed, now)
    return changed


def find(connection: Connection, tenant: str, job_id: str, *, lock: bool = False) -> Row | None:
    """Return the tenant's row, or None. `lock` holds it against other writers until the transaction ends."""
    statement = _FIND_AND_LOCK if lock else _FIND
    return connection.execute(statement, {"tenant": tenant, "job_id": job_id}).mappings().one_or_none()
