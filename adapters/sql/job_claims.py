"""How a worker gets a job: one transaction that ends what is not to run and leases the next."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, Select, and_, bindparam, literal, not_, or_, select, union_all

from adapters.sql.job_order import turns
from adapters.sql.job_rows import QUEUED, RUNNING, Row, change, end, job_of
from adapters.sql.plain import upsert
from adapters.sql.tables import jobs, tenant_turns
from domain.job import JobStatus, Lane, Lease, Problem

MOST_ENDED_PER_CLAIM = 100
"""Rows that one claim ends besides leasing one, so that its transaction stays short."""

NOW = bindparam("now", type_=Double)
_WAITS = and_(jobs.c.status == QUEUED, jobs.c.run_after <= NOW)
_ORPHANED = and_(jobs.c.status == RUNNING, jobs.c.lease_until <= NOW)
_OVERDUE = and_(jobs.c.deadline.is_not(None), jobs.c.deadline <= NOW)
# A running row that nobody holds any more and nobody is to take: cancelled, claimed as often as it may be, or too late.
_GIVEN_UP = and_(_ORPHANED, or_(jobs.c.cancel_requested, jobs.c.attempts >= jobs.c.max_attempts, _OVERDUE))
_IN_LANES = jobs.c.lane.in_(bindparam("lanes", expanding=True))
_ANY_DUE = select(literal(1)).select_from(jobs).where(or_(and_(or_(_WAITS, _ORPHANED), _IN_LANES), _GIVEN_UP)).limit(1)
_ANY_OVERDUE = select(literal(1)).select_from(jobs).where(jobs.c.status == QUEUED, _OVERDUE).limit(1)
_SURPLUS = union_all(select(jobs.c.seq).where(jobs.c.status == QUEUED, _OVERDUE), select(jobs.c.seq).where(_GIVEN_UP)).subquery()
_TO_BE_ENDED = (
    select(jobs)
    .where(jobs.c.seq.in_(select(_SURPLUS.c.seq)))
    .order_by(jobs.c.seq)
    .limit(MOST_ENDED_PER_CLAIM)
    .with_for_update(skip_locked=True)
)


def claim(
    connection: Connection, owner: str, lease_s: float, now: float, max_running_per_tenant: int | None, lanes: Sequence[Lane]
) -> Lease | None:
    """Lease the next job of these lanes. Fence and attempts count up: a job that kills its workers is counted out."""
    for surplus in connection.execute(_TO_BE_ENDED, {"now": now}).mappings().all():
        _end_unclaimable(connection, surplus, now)
    row = _next(connection, now, max_running_per_tenant, lanes)
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
    turn = upsert(connection.dialect.name, tenant_turns).values(tenant=row["tenant"], claimed_at=now)
    connection.execute(turn.on_conflict_do_update(index_elements=["tenant"], set_={"claimed_at": now}))
    return Lease(job_of(claimed), owner, claimed["fence"], claimed["lease_until"], taken_over=row["status"] == RUNNING)


def anything_due(connection: Connection, now: float, lanes: Sequence[Lane]) -> bool:
    """Say whether a claim would do anything: idle workers ask this without taking the write lock."""
    due = connection.execute(_ANY_DUE, {"now": now, "lanes": [lane.value for lane in lanes]}).first()
    return due is not None or connection.execute(_ANY_OVERDUE, {"now": now}).first() is not None


def _end_unclaimable(connection: Connection, row: Row, now: float) -> None:
    if row["cancel_requested"]:
        end(connection, row, now, JobStatus.CANCELLED)
    elif row["deadline"] is not None and row["deadline"] <= now:
        end(connection, row, now, JobStatus.EXPIRED, Problem("deadline_exceeded", "The deadline passed before the job was done."))
    else:
        last = f" The last error: {row['error_detail']}" if row["error_detail"] else ""
        detail = f"The job was started {row['attempts']} times and its worker was lost each time.{last}"
        end(connection, row, now, JobStatus.FAILED, Problem("attempts_exhausted", detail))


def _next(connection: Connection, now: float, max_running_per_tenant: int | None, lanes: Sequence[Lane]) -> Row | None:
    """Return the first row of the first tenant, both in the order of claims. An orphan counts as waiting."""
    standing = [(tenant, turn) for tenant, turn in turns(connection, now).items() if turn.waiting]
    if max_running_per_tenant is not None:
        standing = [(tenant, turn) for tenant, turn in standing if turn.running < max_running_per_tenant]
    for tenant, _ in sorted(standing, key=lambda each: (each[1].running, each[1].claimed_at, each[1].first)):
        # Lane by lane: each is one look into the index of claims, whatever waits in the other.
        asked = [{"now": now, "tenant": tenant, "lane": lane.value} for lane in lanes]
        found = [connection.execute(first, each).mappings().one_or_none() for first in _FIRST for each in asked]
        waiting = [row for row in found if row is not None]
        if waiting:
            return min(waiting, key=lambda row: (row["rank"], row["seq"]))
    return None


def _first(due: ColumnElement[bool]) -> Select[Any]:
    mine = (jobs.c.tenant == bindparam("tenant"), jobs.c.lane == bindparam("lane"))
    chosen = select(jobs).where(due, *mine, not_(_OVERDUE), not_(_GIVEN_UP))
    return chosen.order_by(jobs.c.rank, jobs.c.seq).limit(1).with_for_update(skip_locked=True)


_FIRST = (_first(_WAITS), _first(_ORPHANED))
