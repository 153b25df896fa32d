"""How a worker gets a job: one transaction that ends what is not to run and leases the next."""

from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, Select, and_, bindparam, func, literal, not_, or_, select, union_all

from adapters.sql.job_rows import QUEUED, RUNNING, Row, change, end, job_of
from adapters.sql.tables import jobs
from domain.job import JobStatus, Lease, Problem

MOST_ENDED_PER_CLAIM = 100
"""Rows that one claim ends besides leasing one, so that its transaction stays short."""

NOW = bindparam("now", type_=Double)
_WAITS = and_(jobs.c.status == QUEUED, jobs.c.run_after <= NOW)
_ORPHANED = and_(jobs.c.status == RUNNING, jobs.c.lease_until <= NOW)
_OVERDUE = and_(jobs.c.deadline.is_not(None), jobs.c.deadline <= NOW)
# A running row that nobody holds any more and nobody is to take: cancelled, claimed as often as it may be, or too late.
_GIVEN_UP = and_(_ORPHANED, or_(jobs.c.cancel_requested, jobs.c.attempts >= jobs.c.max_attempts, _OVERDUE))
_ANY_DUE = select(literal(1)).select_from(jobs).where(or_(_WAITS, _ORPHANED)).limit(1)
_ANY_OVERDUE = select(literal(1)).select_from(jobs).where(jobs.c.status == QUEUED, _OVERDUE).limit(1)
_SURPLUS = union_all(select(jobs.c.seq).where(jobs.c.status == QUEUED, _OVERDUE), select(jobs.c.seq).where(_GIVEN_UP)).subquery()
_TO_BE_ENDED = (
    select(jobs)
    .where(jobs.c.seq.in_(select(_SURPLUS.c.seq)))
    .order_by(jobs.c.seq)
    .limit(MOST_ENDED_PER_CLAIM)
    .with_for_update(skip_locked=True)
)


def claim(connection: Connection, owner: str, lease_s: float, now: float, max_running_per_tenant: int | None) -> Lease | None:
    """Lease the next job. Fence and attempts count up with the claim, so a job that kills its workers is counted out."""
    for surplus in connection.execute(_TO_BE_ENDED, {"now": now}).mappings().all():
        _end_unclaimable(connection, surplus, now)
    row = _next(connection, now, max_running_per_tenant)
    if row is None:
        return None
    claimed = change(
        connection,
        row,
        now,
        "job.started",
        {"attempt": row["attempts"] + 1},
        status=RUNNING,
        owner=owner,
        lease_until=now + lease_s,
        fence=row["fence"] + 1,
        attempts=row["attempts"] + 1,
        started_at=now if row["started_at"] is None else row["started_at"],
        stage="started",
    )
    return Lease(job_of(claimed), owner, claimed["fence"], claimed["lease_until"])


def anything_due(connection: Connection, now: float) -> bool:
    """Say whether a claim would do anything: idle workers ask this without taking the write lock."""
    return any(connection.execute(question, {"now": now}).first() for question in (_ANY_DUE, _ANY_OVERDUE))


def _end_unclaimable(connection: Connection, row: Row, now: float) -> None:
    if row["cancel_requested"]:
        end(connection, row, now, JobStatus.CANCELLED)
    elif row["deadline"] is not None and row["deadline"] <= now:
        end(connection, row, now, JobStatus.EXPIRED, Problem("deadline_exceeded", "The deadline passed before the job was done."))
    else:
        last = f" The last error: {row['error_detail']}" if row["error_detail"] else ""
        detail = f"The job was started {row['attempts']} times and its worker was lost each time.{last}"
        end(connection, row, now, JobStatus.FAILED, Problem("attempts_exhausted", detail))


def _next(connection: Connection, now: float, max_running_per_tenant: int | None) -> Row | None:
    """Return the first row in the order of claims: highest priority, then oldest. An orphan counts as waiting."""
    statements = [_first(status, max_running_per_tenant) for status in (QUEUED, RUNNING)]
    found = [connection.execute(statement, {"now": now}).mappings().one_or_none() for statement in statements]
    return min((row for row in found if row is not None), key=lambda row: (-row["priority"], row["seq"]), default=None)


@cache
def _first(status: str, max_running_per_tenant: int | None) -> Select[Any]:
    chosen = select(jobs).where(_WAITS if status == QUEUED else _ORPHANED, not_(_OVERDUE), not_(_GIVEN_UP))
    if max_running_per_tenant is not None:
        running = select(jobs.c.tenant).where(jobs.c.status == RUNNING, jobs.c.lease_until > NOW)
        full = running.group_by(jobs.c.tenant).having(func.count() >= max_running_per_tenant)
        chosen = chosen.where(jobs.c.tenant.not_in(full))
    return chosen.order_by(jobs.c.priority.desc(), jobs.c.seq).limit(1).with_for_update(skip_locked=True)
