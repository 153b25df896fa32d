"""Two lanes of jobs: a short recording never waits for a long one, and everything else that the queue promises holds on."""

from collections.abc import AsyncIterator

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, StoreSettings
from domain.errors import InvalidRequest, LeaseLost
from domain.job import Job, JobKind, JobRequest, JobStatus, Lane

LEASE_S = 30.0
LONG_S, SHORT_S = 7200.0, 20.0


class Queue:
    """The jobs of a store, named by their length."""

    def __init__(self, store: SqlStore, clock: MovableClock) -> None:
        self.jobs = store.jobs
        self.clock = clock

    async def long(self, tenant: str = "t", **changes: object) -> Job:
        return await self._submit(tenant, {"audio_s": LONG_S} | changes)

    async def short(self, tenant: str = "t", **changes: object) -> Job:
        return await self._submit(tenant, {"audio_s": SHORT_S} | changes)

    async def _submit(self, tenant: str, known: dict[str, object]) -> Job:
        await self.clock.advance(1.0)
        return (await self.jobs.submit(JobRequest(JobKind.RECAP, {}, tenant, **known)))[0]  # type: ignore[arg-type]

    async def claimed(self, short_only: bool = False) -> str | None:
        lease = await self.jobs.claim("w", LEASE_S, short_only)
        return None if lease is None else lease.job.id

    async def position(self, job: Job) -> int | None:
        return (await self.jobs.get(job.request.tenant, job.id)).progress.queue_position

    async def ended_after(self, seconds: float, job: Job) -> None:
        lease = await self.jobs.claim("w", LEASE_S)
        assert lease is not None
        assert lease.job.id == job.id
        await self.clock.advance(seconds)
        await self.jobs.complete(await self.jobs.renew(lease, LEASE_S), {})


@pytest.fixture
async def queue(database_url: str) -> AsyncIterator[Queue]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock, StoreSettings(short_audio_s=300.0))
    yield Queue(store, clock)
    store.close()


async def test_a_claim_for_short_jobs_passes_over_long_ones(queue: Queue) -> None:
    long, other, short = await queue.long(), await queue.long(), await queue.short()
    assert await queue.claimed(short_only=True) == short.id
    assert await queue.claimed(short_only=True) is None
    assert [await queue.claimed(), await queue.claimed()] == [long.id, other.id]


async def test_a_claim_for_all_jobs_keeps_the_one_order(queue: Queue) -> None:
    made = [await queue.long(), await queue.short(), await queue.long()]
    assert [await queue.claimed() for _ in made] == [job.id for job in made]


async def test_what_nobody_knows_the_length_of_counts_as_long(queue: Queue) -> None:
    job = await queue.short(audio_s=None)
    assert job.lane is Lane.LONG
    assert await queue.claimed(short_only=True) is None


async def test_priorities_count_inside_the_short_lane(queue: Queue) -> None:
    ordinary, urgent = await queue.short(), await queue.short(priority=1)
    assert [await queue.claimed(short_only=True) for _ in range(2)] == [urgent.id, ordinary.id]


async def test_tenants_take_turns_in_the_short_lane(queue: Queue) -> None:
    first, second = await queue.short("a"), await queue.short("a")
    await queue.long("b")
    other = await queue.short("b")
    assert [await queue.claimed(short_only=True) for _ in range(3)] == [first.id, other.id, second.id]


async def test_a_short_job_whose_worker_died_is_taken_over_in_its_lane(queue: Queue) -> None:
    await queue.long()
    short = await queue.short()
    assert await queue.claimed(short_only=True) == short.id
    await queue.clock.advance(LEASE_S)
    again = await queue.jobs.claim("w2", LEASE_S, True)
    assert again is not None
    assert (again.job.id, again.job.attempts) == (short.id, 2)


async def test_a_claim_for_short_jobs_ends_what_is_not_to_run_whatever_its_lane(queue: Queue) -> None:
    late = await queue.long(deadline=queue.clock.now() + 5)
    await queue.clock.advance(10.0)
    assert await queue.claimed(short_only=True) is None
    assert (await queue.jobs.get("t", late.id)).status is JobStatus.EXPIRED


async def test_a_length_that_was_measured_decides_the_lane(queue: Queue) -> None:
    job = await queue.short()
    lease = await queue.jobs.claim("w", LEASE_S, True)
    assert lease is not None
    measured = await queue.jobs.measured(lease, LONG_S)
    assert (measured.job.lane, measured.job.request.audio_s, measured.fence) == (Lane.LONG, LONG_S, lease.fence)
    await queue.jobs.release(measured)
    assert await queue.claimed(short_only=True) is None
    again = await queue.jobs.claim("w", LEASE_S)
    assert again is not None
    assert (again.job.id, again.job.attempts) == (job.id, 1)
    back = await queue.jobs.measured(again, SHORT_S)
    assert back.job.lane is Lane.SHORT


async def test_only_the_holder_may_say_how_long_a_recording_is(queue: Queue) -> None:
    job = await queue.short()
    lease = await queue.jobs.claim("w", LEASE_S)
    assert lease is not None
    for nonsense in (float("nan"), -1.0):
        with pytest.raises(InvalidRequest):
            await queue.jobs.measured(lease, nonsense)
    await queue.clock.advance(LEASE_S)
    await queue.jobs.claim("w2", LEASE_S)
    with pytest.raises(LeaseLost):
        await queue.jobs.measured(lease, LONG_S)
    assert (await queue.jobs.get("t", job.id)).lane is Lane.SHORT


async def test_a_place_in_the_queue_counts_what_may_come_before(queue: Queue) -> None:
    long = [await queue.long(), await queue.long("b")]
    short = [await queue.short(), await queue.short(), await queue.short("b")]
    last = await queue.long()
    assert [await queue.position(job) for job in short] == [1, 3, 2]
    assert [await queue.position(job) for job in (*long, last)] == [1, 2, 6]
    assert await queue.claimed(short_only=True) == short[0].id
    assert [await queue.position(job) for job in short[1:]] == [2, 1]


async def test_the_expected_wait_is_that_of_the_lane(queue: Queue) -> None:
    """Short jobs took 10 s, long ones 600: behind two long ones that run and a long one that waits, a short one takes 10 s."""
    await queue.ended_after(10.0, await queue.short())
    await queue.ended_after(600.0, await queue.long())
    running = [await queue.long(), await queue.long()]
    assert [await queue.claimed(), await queue.claimed()] == [job.id for job in running]
    waiting, short, next_short = await queue.long(), await queue.short(), await queue.short()
    etas = [(await queue.jobs.get("t", job.id)).progress.eta_s for job in (short, next_short, waiting)]
    assert etas == pytest.approx([10.0, 20.0, 600.0])
