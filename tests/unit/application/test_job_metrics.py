"""A worker over a real store tells how its attempts end, how long their stages take, and how the queue stands."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.job_session import JobSession
from application.maintenance import Maintenance
from application.watch_queue import EVERY_S, WatchQueue
from application.work_on_jobs import WorkOnJobs
from domain.errors import InvalidAudio, ModelOverloaded, StorageFailed
from domain.job import Job, JobKind, JobRequest, Lane, Lease, QueueStanding
from domain.search import SpaceStanding
from domain.webhook import WebhookBacklog
from ports.job_metrics import JobMetrics, JobOutcome

LEASE_S = 30.0


@dataclass
class Told(JobMetrics):
    """Keeps what it was told."""

    taken: list[str] = field(default_factory=list)
    stages: list[tuple[str, float]] = field(default_factory=list)
    ends: list[tuple[JobOutcome, float]] = field(default_factory=list)
    queues: list[tuple[QueueStanding, WebhookBacklog]] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def taken_over(self, job: Job) -> None:
        self.taken.append(job.id)
        self.heard.set()

    def stage_ended(self, job: Job, stage: str, seconds: float) -> None:
        self.stages.append((stage, seconds))

    def attempt_ended(self, job: Job, outcome: JobOutcome, since_submitted_s: float) -> None:
        self.ends.append((outcome, since_submitted_s))

    def standing(self, queue: QueueStanding, webhooks: WebhookBacklog) -> None:
        self.queues.append((queue, webhooks))
        self.heard.set()

    def to_embed(self, standing: SpaceStanding) -> None:
        raise NotImplementedError

    async def hear(self) -> None:
        """Wait for what is told next."""
        await self.heard.wait()
        self.heard.clear()


@dataclass
class Shop:
    store: SqlStore
    clock: MovableClock
    told: Told = field(default_factory=Told)

    def worker(self, work: Any) -> WorkOnJobs:
        handlers, tracer, maintenance = {JobKind.RECAP: work}, build_telemetry().tracer, Maintenance({}, self.clock)
        calls = self.store.calls
        return WorkOnJobs(
            self.store.jobs, calls, handlers, self.clock, tracer, "w", maintenance, lease_s=LEASE_S, metrics=self.told
        )

    async def claimed(self) -> Lease:
        await self.store.jobs.submit(JobRequest(JobKind.RECAP, {}))
        lease = await self.store.jobs.claim("w", LEASE_S)
        assert lease is not None
        return lease


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    clock = MovableClock()
    store = SqlStore.open("sqlite://", clock)
    yield Shop(store, clock)
    store.close()


async def staged(session: JobSession) -> Mapping[str, str]:
    session.plan("embedding", "recapping")
    await session.begin("embedding")
    await session._clock.advance(2.0)
    await session.begin("recapping")
    await session._clock.advance(3.0)
    return {}


def failing(error: Exception) -> Any:
    async def work(session: JobSession) -> Mapping[str, str]:
        session.plan("recapping")
        await session.begin("recapping")
        await session._clock.advance(1.0)
        raise error

    return work


async def test_stages_and_the_completed_job_are_timed(shop: Shop) -> None:
    await shop.worker(staged).work(await shop.claimed())
    assert shop.told.stages == [("embedding", 2.0), ("recapping", 3.0)]
    assert shop.told.ends == [(JobOutcome.COMPLETED, 5.0)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InvalidAudio("no sound"), JobOutcome.FAILED),
        (ModelOverloaded("full", 7.0), JobOutcome.RETRIED),
        (ZeroDivisionError("a fault"), JobOutcome.RETRIED),
    ],
)
async def test_an_attempt_that_fails_tells_how_and_leaves_its_stage(shop: Shop, error: Exception, outcome: JobOutcome) -> None:
    await shop.worker(failing(error)).work(await shop.claimed())
    assert shop.told.ends == [(outcome, 1.0)]
    assert shop.told.stages == [("recapping", 1.0)]


async def test_a_job_that_moved_on_meanwhile_counts_as_lost(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.clock.advance(LEASE_S + 1.0)
    assert await shop.store.jobs.claim("another", LEASE_S) is not None
    await shop.worker(staged).work(lease)
    assert [outcome for outcome, _ in shop.told.ends] == [JobOutcome.LOST]


async def test_a_job_that_is_taken_over_is_counted_by_who_takes_it(shop: Shop) -> None:
    lease = await shop.claimed()
    await shop.clock.advance(LEASE_S + 1.0)
    worker = shop.worker(staged)
    loop = asyncio.create_task(worker())
    await shop.told.hear()
    await worker.stop()
    loop.cancel()
    with suppress(asyncio.CancelledError):
        await loop
    assert shop.told.taken == [lease.job.id]


class Away:
    """A store that does not answer the first time."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.asked = 0
        self.was_away = asyncio.Event()

    async def standing(self) -> QueueStanding:
        self.asked += 1
        if self.asked == 1:
            self.was_away.set()
            raise StorageFailed("away")
        return await self.store.jobs.standing()


async def test_the_queue_is_told_again_and_again_also_after_the_store_was_away(shop: Shop) -> None:
    await shop.store.jobs.submit(JobRequest(JobKind.RECAP, {}))
    away = Away(shop.store)
    watch = asyncio.create_task(WatchQueue(away, shop.store.webhooks, shop.told, shop.clock)())  # type: ignore[arg-type]
    await away.was_away.wait()
    for _ in range(2):
        await shop.clock.advance(EVERY_S)
        await shop.told.hear()
    watch.cancel()
    assert away.asked == 3
    assert [queue.lanes[Lane.LONG].waiting for queue, _ in shop.told.queues] == [1, 1]
    assert [queue.lanes[Lane.LONG].oldest_waiting_s for queue, _ in shop.told.queues] == [EVERY_S, 2 * EVERY_S]
