"""How a worker gets a job: one transaction that ends what is not to run and leases the next."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, and_, func, literal, not_, or_, select, union_all

from adapters.sql.job_rows import QUEUED, RUNNING, Row, change, due, end, job_of
from adapters.sql.schema import jobs
from domain.job import JobStatus, Lease, Problem

MOST_ENDED_PER_CLAIM = 100
"""Rows that one claim ends besides leasing one, so that its transaction stays short."""


def claim(connection: Connection, owner: str, lease_s: float, now: float, max_running_per_tenant: int | None) -> Lease | None:
    """Lease the next job. Fence and attempts count up with the claim, so a job that kills its workers is counted out."""
    for surplus in _to_be_ended(connection, now):
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
    waiting = select(literal(1)).where(due(now)).limit(1)
    overdue = select(literal(1)).where(jobs.c.status == QUEUED, jobs.c.deadline <= now).limit(1)
    return any(connection.execute(question).first() for question in (waiting, overdue))


def _overdue(now: float) -> Any:
    return and_(jobs.c.deadline.is_not(None), jobs.c.deadline <= now)


def _given_up(now: float) -> Any:
    """A running row that nobody holds any more and nobody is to take: cancelled, or claimed as often as it may be."""
    orphan = and_(jobs.c.status == RUNNING, jobs.c.lease_until <= now)
    return and_(orphan, or_(jobs.c.cancel_requested, jobs.c.attempts >= jobs.c.max_attempts, _overdue(now)))


def _to_be_ended(connection: Connection, now: float) -> Iterable[Row]:
    chosen = union_all(
        select(jobs.c.seq).where(jobs.c.status == QUEUED, _overdue(now)), select(jobs.c.seq).where(_given_up(now))
    ).subquery()
    rows = select(jobs).where(jobs.c.seq.in_(select(chosen.c.seq))).order_by(jobs.c.seq).limit(MOST_ENDED_PER_CLAIM)
    return connection.execute(rows.with_for_update(skip_locked=True)).mappings().all()


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
    waiting = and_(jobs.c.status == QUEUED, jobs.c.run_after <= now)
    orphan = and_(jobs.c.status == RUNNING, jobs.c.lease_until <= now)
    found = [_first(connection, state, now, max_running_per_tenant) for state in (waiting, orphan)]
    candidates = [row for row in found if row is not None]
    return min(candidates, key=lambda row: (-row["priority"], row["seq"]), default=None)


def _first(connection: Connection, state: Any, now: float, max_running_per_tenant: int | None) -> Row | None:
    chosen = select(jobs).where(state, not_(_overdue(now)), not_(_given_up(now)))
    if max_running_per_tenant is not None:
        running = select(jobs.c.tenant).where(jobs.c.status == RUNNING, jobs.c.lease_until > now)
        full = running.group_by(jobs.c.tenant).having(func.count() >= max_running_per_tenant)
        chosen = chosen.where(jobs.c.tenant.not_in(full))
    chosen = chosen.order_by(jobs.c.priority.desc(), jobs.c.seq).limit(1).with_for_update(skip_locked=True)
    return connection.execute(chosen).mappings().one_or_none()
