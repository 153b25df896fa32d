"""What those who run the service do with jobs, as transactions on the job table."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, and_, func, or_, select

from adapters.sql.job_order import rank_of
from adapters.sql.job_rows import QUEUED, RUNNING, change, job_of
from adapters.sql.tables import deleted_conversations, jobs
from domain.errors import Gone, InvalidRequest, NotFound
from domain.job import Job, JobStatus, Lane, LaneStanding, QueueStanding

_DEAD = and_(jobs.c.status == JobStatus.FAILED.value, jobs.c.attempts >= jobs.c.max_attempts)
REPLAYABLE = (JobStatus.FAILED, JobStatus.EXPIRED)
"""A cancelled job stays cancelled: somebody asked for that."""


def all_jobs(connection: Connection, limit: int, tenant: str | None, status: JobStatus | None, dead: bool) -> Sequence[Job]:
    """Return jobs of every tenant, newest first."""
    chosen = select(jobs)
    if tenant is not None:
        chosen = chosen.where(jobs.c.tenant == tenant)
    if status is not None:
        chosen = chosen.where(jobs.c.status == status.value)
    if dead:
        chosen = chosen.where(_DEAD)
    return [job_of(row) for row in connection.execute(chosen.order_by(jobs.c.seq.desc()).limit(max(0, limit))).mappings()]


def find(connection: Connection, job_id: str) -> Job:
    """Return a job of any tenant. Raises NotFound."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return job_of(row)


def retry(connection: Connection, job_id: str, now: float) -> Job:
    """Let an ended job wait again. Raises NotFound, InvalidRequest or Gone."""
    row = connection.execute(select(jobs).where(jobs.c.id == job_id).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    if row["status"] not in REPLAYABLE:
        raise InvalidRequest(f"The job is {row['status']}; only failed and expired jobs can be tried again.")
    gone = (
        deleted_conversations.c.owner == row["tenant"],
        deleted_conversations.c.conversation_id == job_of(row).result_id("conversation"),
    )
    if connection.execute(select(deleted_conversations.c.owner).where(*gone)).first() is not None:
        raise Gone("The conversation of this job was deleted.")
    waiting = {"status": QUEUED, "stage": QUEUED, "run_after": now, "rank": rank_of(row["priority"], now), "attempts": 0}
    unended = {"deadline": None, "finished_at": None, "error_code": None, "error_detail": None, "cancel_requested": False}
    return job_of(change(connection, row, now, "job.replayed", {}, **waiting, **unended))


def ended_before(
    connection: Connection, when: float | None, tenants: Mapping[str, float | None], limit: int, now: float
) -> Sequence[Job]:
    """Return ended jobs past their tenant's time or their own, oldest first."""
    bounds = [jobs.c.finished_at + jobs.c.keep_s < now]
    bounds += [and_(jobs.c.tenant == tenant, jobs.c.finished_at < own) for tenant, own in tenants.items() if own is not None]
    if when is not None:
        bounds.append(and_(jobs.c.tenant.not_in(list(tenants)), jobs.c.finished_at < when))
    ended = [status.value for status in JobStatus if status.ended]
    chosen = select(jobs).where(or_(*bounds), jobs.c.status.in_(ended)).order_by(jobs.c.finished_at).limit(limit)
    return [job_of(row) for row in connection.execute(chosen).mappings()]


def standing(connection: Connection, now: float) -> QueueStanding:
    """Count both lanes. A job whose lease ran out waits since then; one that waits for another attempt does not before it."""
    queued = select(jobs.c.lane, func.count(), func.min(jobs.c.run_after)).where(jobs.c.status == QUEUED).group_by(jobs.c.lane)
    waiting = {lane: (int(count), float(since)) for lane, count, since in connection.execute(queued)}
    held = connection.execute(select(jobs.c.lane, jobs.c.lease_until).where(jobs.c.status == RUNNING)).all()
    lanes = {}
    for lane in Lane:
        until = [float(row.lease_until) for row in held if row.lane == lane.value]
        lost = [end for end in until if end <= now]
        number, first = waiting.get(lane.value, (0, now))
        lanes[lane] = LaneStanding(number + len(lost), len(until) - len(lost), max(0.0, now - min([first, *lost])))
    return QueueStanding(lanes, int(connection.execute(select(func.count()).where(_DEAD)).scalar_one()))
