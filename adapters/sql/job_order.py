"""Which job comes next, how many come before it, and when the queue takes no more.

Tenants take turns: the one with the fewest running jobs comes first, then the one that waited longest for a turn. Within a tenant
the smallest rank comes first: the time a job came, less what its priority is worth, so that a low priority waits longer but not
for ever.

Jobs of the short lane may also take slots of workers that no other takes, so they wait for one another only. Jobs of the long
lane wait for both, in the one order.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection, func, literal, select, tuple_

from adapters.sql.job_rows import QUEUED, RUNNING, Row
from adapters.sql.tables import jobs, tenant_turns
from domain.errors import QueueFull, RateLimited
from domain.job import JobStatus, Lane, QueuePosition

PRIORITY_STEP_S = 300.0
"""Seconds of waiting that one step of priority outweighs."""
PACE_SAMPLE = 50
"""How many of the last completed jobs tell the pace of the queue."""
UNKNOWN_PACE_S = 10.0
"""Seconds a job is taken to last while none has completed."""
LONGEST_RETRY_AFTER_S = 300.0


@dataclass(frozen=True, slots=True)
class Admission:
    """What a new job meets: `max_queued` waiting jobs over all tenants and `max_queued_per_tenant` of its own (None: no bound of
    their own), `max_wait_s` seconds that the queue may be long, how often the job may be claimed, and the bytes of recordings
    that its tenant may keep (None: any number). Jobs of at most `short_audio_s` seconds of sound are of the short lane."""

    max_queued: int
    max_attempts: int
    max_queued_per_tenant: int | None = None
    max_wait_s: float | None = None
    max_tenant_bytes: int | None = None
    short_audio_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a tenant stands: jobs that wait, with those among them that were never lost by a worker (`queued`), jobs that run,
    its last claim, its oldest job. `short_waiting` and `short_running` are those of them in the short lane."""

    queued: int
    waiting: int
    running: int
    claimed_at: float
    first: int
    short_waiting: int = 0
    short_running: int = 0

    def ahead(self, lane: str) -> int:
        """How many of its waiting jobs may come before one of this lane."""
        return self.short_waiting if lane == Lane.SHORT else self.waiting


def rank_of(priority: int, now: float) -> float:
    """Return the rank of a job among its tenant's; smaller is earlier."""
    return now - PRIORITY_STEP_S * priority


def pace(connection: Connection, lane: str | None = None) -> float | None:
    """Return the mean seconds of the last completed jobs, of one lane or of both; None when there is none."""
    ended = [jobs.c.status == JobStatus.COMPLETED.value] + ([jobs.c.lane == lane] if lane is not None else [])
    seconds = (jobs.c.finished_at - jobs.c.started_at).label("seconds")
    lasted = select(seconds).where(*ended).order_by(jobs.c.seq.desc()).limit(PACE_SAMPLE).subquery()
    mean = connection.execute(select(func.avg(lasted.c.seconds))).scalar()
    return None if mean is None else float(mean)


def turns(connection: Connection, now: float) -> dict[str, Turn]:
    """Return where every tenant with waiting or running jobs stands. A job whose lease ran out counts as waiting."""
    found: dict[str, Turn] = {}
    # Answered from the index of claims alone: with 10,000 waiting jobs the rows themselves would take 20 times as long.
    queued = select(jobs.c.tenant, jobs.c.lane, func.count().label("waiting"), func.min(jobs.c.seq).label("first"))
    for row in connection.execute(queued.where(jobs.c.status == QUEUED).group_by(jobs.c.tenant, jobs.c.lane)):
        count, short = int(row.waiting), int(row.waiting) * (row.lane == Lane.SHORT)
        _add(found, row.tenant, Turn(count, count, 0, 0.0, int(row.first), short))
    leased = select(jobs.c.tenant, jobs.c.seq, jobs.c.lane, jobs.c.lease_until).where(jobs.c.status == RUNNING)
    for row in connection.execute(leased):
        orphaned, short = row.lease_until <= now, row.lane == Lane.SHORT
        runs = not orphaned
        _add(found, row.tenant, Turn(0, int(orphaned), int(runs), 0.0, row.seq, int(orphaned and short), int(runs and short)))
    claimed = select(tenant_turns.c.tenant, tenant_turns.c.claimed_at).where(tenant_turns.c.tenant.in_(list(found)))
    last = {row.tenant: float(row.claimed_at) for row in connection.execute(claimed)}
    return {tenant: replace(turn, claimed_at=last.get(tenant, 0.0)) for tenant, turn in found.items()}


def _add(found: dict[str, Turn], tenant: str, more: Turn) -> None:
    have = found.get(tenant)
    if have is None:
        found[tenant] = more
        return
    found[tenant] = Turn(
        have.queued + more.queued,
        have.waiting + more.waiting,
        have.running + more.running,
        0.0,
        min(have.first, more.first),
        have.short_waiting + more.short_waiting,
        have.short_running + more.short_running,
    )


def queue_position_of(connection: Connection, row: Row, now: float) -> QueuePosition:
    """Return the position of a waiting job among those that are claimed before it, from 1, and in how many seconds it is likely
    to be done.

    As if nobody came in any more and the jobs of a lane lasted alike: every tenant is then given one claim per round, and a
    tenant with two jobs more under way comes in two rounds later.
    """
    earlier = tuple_(jobs.c.rank, jobs.c.seq) < tuple_(literal(row["rank"]), literal(row["seq"]))
    lanes = [Lane.SHORT.value] if row["lane"] == Lane.SHORT else [lane.value for lane in Lane]
    mine = (jobs.c.status == QUEUED, jobs.c.tenant == row["tenant"], jobs.c.lane.in_(lanes))
    own = int(connection.execute(select(func.count()).where(*mine, earlier)).scalar_one())
    standing = turns(connection, now)
    me = standing[row["tenant"]]
    round_ = me.running + own
    before = own
    for tenant, other in standing.items():
        if tenant != row["tenant"]:
            first_in_round = (other.claimed_at, other.first) < (me.claimed_at, me.first)
            before += max(0, min(other.ahead(row["lane"]), round_ - other.running + first_in_round))
    return QueuePosition(1 + before, _eta_s(connection, row["lane"], before, standing.values()))


def _eta_s(connection: Connection, lane: str, before: int, standing: Collection[Turn]) -> float | None:
    """Return the seconds until a job with so many before it is done; None while no job has been."""
    overall = pace(connection)
    if overall is None:
        return None
    paces = {each: pace(connection, each.value) or overall for each in Lane}
    if lane == Lane.SHORT:
        return paces[Lane.SHORT] * (1 + before / max(1, sum(turn.short_running for turn in standing)))
    waiting, short = sum(turn.waiting for turn in standing), sum(turn.short_waiting for turn in standing)
    each_before = (short * paces[Lane.SHORT] + (waiting - short) * paces[Lane.LONG]) / waiting
    return paces[Lane.LONG] + each_before * before / max(1, sum(turn.running for turn in standing))


def admit(connection: Connection, tenant: str, now: float, admission: Admission) -> None:
    """Raise QueueFull or RateLimited, with the seconds after which there is likely to be room, when the queue takes no more."""
    standing = turns(connection, now)
    waiting, own = sum(turn.queued for turn in standing.values()), standing[tenant].queued if tenant in standing else 0
    busy = max(1, sum(turn.running for turn in standing.values()))
    bounds = (admission.max_queued, admission.max_queued_per_tenant, admission.max_wait_s)
    if waiting < bounds[0] and (bounds[1] is None or own < bounds[1]) and (bounds[2] is None or waiting == 0):
        return
    mean = pace(connection)
    per_job = (mean or UNKNOWN_PACE_S) / busy
    if waiting >= admission.max_queued:
        raise QueueFull(
            f"{waiting} jobs wait already; nothing was stored.", _wait((waiting - admission.max_queued + 1) * per_job)
        )
    if admission.max_queued_per_tenant is not None and own >= admission.max_queued_per_tenant:
        told = f"{own} of your jobs wait already; nothing was stored."
        raise RateLimited(told, _wait((own - admission.max_queued_per_tenant + 1) * per_job))
    if admission.max_wait_s is not None and mean is not None and waiting * per_job > admission.max_wait_s:
        told = f"{waiting} jobs wait already, about {waiting * per_job:.0f} s of work; nothing was stored."
        raise QueueFull(told, _wait(waiting * per_job - admission.max_wait_s))


def _wait(seconds: float) -> float:
    return min(LONGEST_RETRY_AFTER_S, max(1.0, seconds))
