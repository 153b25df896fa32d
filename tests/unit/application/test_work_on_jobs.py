"""A worker over a real store: what becomes of a job however its work ends, and of the worker when its store is away."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.job_session import JobSession
from application.maintenance import Maintenance
from application.work_on_jobs import LONGEST_BEAT_S, RETRY_BASE_S, RETRY_CAP_S, SELF_FENCE, STORE_PAUSE_S, WorkOnJobs
from domain.errors import InvalidAudio, ModelOverloaded, StorageFailed, WordloopError
from domain.job import Job, JobKind, JobRequest, JobStatus, Lease, Progress
from ports.jobs import JobQueue
from serve_app.composition.clock import SystemClock

LEASE_S = 30.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
REQUEST = JobRequest(JobKind.RECAP, {"a": 1}, body_sha256="b", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")

Work = Callable[[JobSession], Awaitable[Mapping[str, str]]]


class FlakyQueue:
    """A queue in front of another, whose next calls of a name fail as the script says."""

    def __init__(self, inner: JobQueue) -> None:
        self.inner = inner
        self.failures: dict[str, list[WordloopError]] = {}
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        async def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if self.failures.get(name):
                raise self.failures[name].pop(0)
            return await getattr(self.inner, name)(*arguments)

        return call


@dataclass
class Shop:
    store: SqlStore
    clock: MovableClock
    queue: FlakyQueue
    work: Work | None = None
    real: SystemClock = field(default_factory=SystemClock)

    def worker(self, work: Work, clock: Any = None) -> WorkOnJobs:
        clock = clock or self.clock
        tracer = build_telemetry().tracer
        handlers = {JobKind.RECAP: work}
        return WorkOnJobs(self.queue, self.store.calls, handlers, clock, tracer, "w", Maintenance({}, clock), lease_s=LEASE_S)

    async def claimed(self, **changes: Any) -> Lease:
        await self.store.jobs.submit(replace(REQUEST, **changes))
        lease = await self.store.jobs.claim("w", LEASE_S)
        assert lease is not None
        return lease

    async def job(self, lease: Lease) -> Job:
        return await self.store.jobs.get("default", lease.job.id)


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = MovableClock()
    store = SqlStore.open("sqlite://", clock)
    yield Shop(store, clock, FlakyQueue(store.jobs))
    store.close()


async def finish(_session: JobSession) -> Mapping[str, str]:
    return {"recap_id": "recap_1"}


def failing(error: Exception) -> Work:
    async def work(_session: JobSession) -> Mapping[str, str]:
        raise error

    return work


async def test_work_that_ends_completes_its_job(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.worker(finish).work(lease)
    job = await shop.job(lease)
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"recap_id": "recap_1"})


async def test_a_passing_failure_lets_the_job_wait_for_another_try(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.worker(failing(ModelOverloaded("full", 7.0))).work(lease)
    assert (await shop.job(lease)).status is JobStatus.QUEUED
    assert await shop.store.jobs.claim("w", LEASE_S) is None
    await shop.clock.advance(7.0)
    again = await shop.store.jobs.claim("w", LEASE_S)
    assert again is not None
    assert again.job.attempts == 2


async def test_a_lasting_failure_ends_the_job_with_its_reason(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.worker(failing(InvalidAudio("There is no sound in it."))).work(lease)
    job = await shop.job(lease)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.detail) == ("invalid_audio", "There is no sound in it.")


async def test_what_nobody_expected_is_tried_again_and_logged_without_its_words(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    lease = await shop.claimed()
    with caplog.at_level(logging.INFO, logger="wordloop"):
        await shop.worker(failing(ZeroDivisionError("zugvogelklappe"))).work(lease)
    assert (await shop.job(lease)).status is JobStatus.QUEUED
    (line,) = [record for record in caplog.records if record.message == "job failed"]
    assert line.failure.startswith("builtins.ZeroDivisionError at ")  # type: ignore[attr-defined]
    assert (line.wordloop_job_id, line.trace_id) == (lease.job.id, TRACE)  # type: ignore[attr-defined]
    assert "zugvogelklappe" not in caplog.text + str([record.__dict__ for record in caplog.records])


async def test_a_job_that_was_cancelled_stops_at_the_next_heartbeat(shop: Shop) -> None:
    lease = await shop.claimed()
    stopped = asyncio.Event()

    async def endless(_session: JobSession) -> Mapping[str, str]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return {}

    working = asyncio.create_task(shop.worker(endless).work(lease))
    await asyncio.sleep(0.01)
    await shop.store.jobs.cancel("default", lease.job.id)
    await shop.clock.advance(LEASE_S / 3)
    await working
    assert stopped.is_set()
    assert (await shop.job(lease)).status is JobStatus.CANCELLED


async def test_a_worker_that_was_replaced_writes_nothing(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.clock.advance(LEASE_S)
    successor = await shop.store.jobs.claim("other", LEASE_S)
    assert successor is not None
    await shop.worker(finish).work(lease)
    assert (await shop.job(lease)).status is JobStatus.IN_PROGRESS
    await shop.store.jobs.complete(successor, {"recap_id": "theirs"})
    assert (await shop.job(lease)).result == {"recap_id": "theirs"}


async def test_a_store_that_is_away_for_a_heartbeat_does_not_stop_the_work(shop: Shop) -> None:
    lease = await shop.claimed()
    go = asyncio.Event()

    async def slow(_session: JobSession) -> Mapping[str, str]:
        await go.wait()
        return {}

    shop.queue.failures["renew"] = [StorageFailed("away")]
    working = asyncio.create_task(shop.worker(slow).work(lease))
    for seconds in (LONGEST_BEAT_S, STORE_PAUSE_S, LONGEST_BEAT_S):
        await asyncio.sleep(0.05)
        await shop.clock.advance(seconds)
    await asyncio.sleep(0.05)
    go.set()
    await working
    assert shop.queue.calls.count("renew") == 3
    assert (await shop.job(lease)).status is JobStatus.COMPLETED


async def test_a_worker_that_can_not_renew_stops_before_another_may_take_the_job(shop: Shop) -> None:
    lease = await shop.claimed()
    stopped_at: list[float] = []
    began = shop.clock.monotonic()

    async def endless(_session: JobSession) -> Mapping[str, str]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped_at.append(shop.clock.monotonic() - began)
        return {}

    shop.queue.failures["renew"] = [StorageFailed("away")] * 100
    working = asyncio.create_task(shop.worker(endless).work(lease))
    await asyncio.sleep(0.01)
    await shop.clock.advance(LEASE_S)
    await working
    assert stopped_at == [LEASE_S * SELF_FENCE]
    assert (await shop.job(lease)).status is JobStatus.IN_PROGRESS  # it writes nothing; whoever claims next takes over


async def test_a_worker_that_slept_stops_as_soon_as_it_wakes(shop: Shop) -> None:
    lease = await shop.claimed()

    async def endless(_session: JobSession) -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}

    asked = shop.clock.monotonic() - LEASE_S  # paused between the claim and its first step
    async with asyncio.timeout(5):
        await shop.worker(endless).work(lease, asked)
    assert shop.queue.calls == []


async def test_jobs_that_failed_together_do_not_come_back_together(shop: Shop) -> None:
    seeded = random.Random(7)
    waits = []
    for attempt in range(1, 9):
        job = Job("job_1", REQUEST, JobStatus.IN_PROGRESS, Progress(), 0.0, attempts=attempt)
        worker = replace(shop.worker(finish), jitter=seeded.random)
        waits += [(attempt, worker._backoff(Lease(job, "w", 1, 0.0))) for _ in range(50)]
    for attempt in range(1, 9):
        here = [wait for number, wait in waits if number == attempt]
        most = min(RETRY_CAP_S, RETRY_BASE_S * 2 ** (attempt - 1))
        assert 0 <= min(here) < most / 4
        assert most * 3 / 4 < max(here) <= most


async def test_a_job_whose_end_could_not_be_written_is_done_by_the_next_holder(shop: Shop) -> None:
    lease = await shop.claimed()
    shop.queue.failures |= {"complete": [StorageFailed("away")], "fail": [StorageFailed("away")]}
    await shop.worker(finish).work(lease)
    await shop.clock.advance(LEASE_S)
    again = await shop.store.jobs.claim("w", LEASE_S)
    assert again is not None
    await shop.worker(finish).work(again)
    assert (await shop.job(lease)).status is JobStatus.COMPLETED


async def test_a_worker_outlives_a_store_that_is_away(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.work_on_jobs.STORE_PAUSE_S", 0.01)
    shop.queue.failures["claim"] = [StorageFailed("away"), StorageFailed("away")]
    job, _ = await shop.store.jobs.submit(REQUEST)
    worker = shop.worker(finish, shop.real)
    running = asyncio.create_task(worker())
    async with asyncio.timeout(10):
        while (await shop.store.jobs.get("default", job.id)).status is not JobStatus.COMPLETED:
            await asyncio.sleep(0.01)
    await worker.stop()
    await running


async def test_a_store_that_is_broken_for_good_ends_the_worker(shop: Shop) -> None:
    broken = StorageFailed("of another version")
    broken.transient = False  # type: ignore[misc]
    shop.queue.failures["claim"] = [broken]
    with pytest.raises(StorageFailed):
        await shop.worker(finish, shop.real)()


async def test_stopping_gives_back_what_is_held_with_its_attempt(shop: Shop) -> None:
    job, _ = await shop.store.jobs.submit(REQUEST)

    async def endless(_session: JobSession) -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}

    worker = shop.worker(endless, shop.real)
    running = asyncio.create_task(worker())
    async with asyncio.timeout(10):
        while (await shop.store.jobs.get("default", job.id)).status is not JobStatus.IN_PROGRESS:
            await asyncio.sleep(0.01)
    await worker.stop()
    running.cancel()
    given_back = await shop.store.jobs.get("default", job.id)
    assert (given_back.status, given_back.attempts) == (JobStatus.QUEUED, 0)


async def test_what_a_no_store_job_had_cached_goes_with_it(shop: Shop) -> None:
    lease = await shop.claimed(store=False)
    scope = f"job:{lease.job.id}"
    claim = await shop.store.calls.begin(scope, "k", "w", 10.0, None)
    await shop.store.calls.put(scope, "k", "w", claim.fence, {"value": 1}, None)  # type: ignore[union-attr]
    await shop.worker(finish).work(lease)
    assert await shop.store.calls.peek(scope, ["k"]) == set()
