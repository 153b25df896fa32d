"""Four long recordings do not fill a worker: a short one starts at once, and a job that was taken for short makes room."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.job_session import JobSession
from application.maintenance import Maintenance
from application.work_on_jobs import WorkOnJobs
from domain.job import Job, JobKind, JobRequest, JobStatus
from serve_app.composition.clock import SystemClock

LONG_S, SHORT_S = 7200.0, 20.0
SOON_S = 20.0
"""Seconds that a busy test machine may take to claim; nothing waits for it when all is well."""


@dataclass
class Works:
    """Jobs that last until `done` is set. `really`: the length that shows when one is decoded."""

    store: SqlStore
    started: list[str] = field(default_factory=list)
    really: dict[str, float] = field(default_factory=dict)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        if session.job.id in self.really:
            await session.measured(self.really[session.job.id])
        self.started.append(session.job.id)
        await self.done.wait()
        return {"recap_id": "r"}

    async def submit(self, audio_s: float, count: int = 1) -> list[str]:
        made = [await self.store.jobs.submit(JobRequest(JobKind.RECAP, {}, audio_s=audio_s)) for _ in range(count)]
        return [job.id for job, _ in made]

    async def job(self, job_id: str) -> Job:
        return await self.store.jobs.get("default", job_id)

    async def until_started(self, *jobs: str) -> None:
        async with asyncio.timeout(SOON_S):
            while not set(jobs) <= set(self.started):
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[WorkOnJobs]:
        clock = SystemClock()
        worker = WorkOnJobs(
            self.store.jobs,
            self.store.calls,
            {JobKind.RECAP: self},
            clock,
            build_telemetry().tracer,
            "w",
            Maintenance({}, clock),
            concurrency=4,
            short_concurrency=1,
            idle_s=0.01,
        )
        claiming = asyncio.create_task(worker())
        try:
            yield worker
        finally:
            claiming.cancel()
            await worker.stop()
            await asyncio.gather(claiming, return_exceptions=True)


@pytest.fixture
async def works(database_url: str) -> AsyncIterator[Works]:
    store = SqlStore.open(database_url, SystemClock())
    yield Works(store)
    store.close()


async def test_while_four_long_jobs_run_a_short_one_starts_at_once(works: Works) -> None:
    long = await works.submit(LONG_S, 6)
    async with works.working():
        await works.until_started(*long[:4])
        (short,) = await works.submit(SHORT_S)
        await works.until_started(short)
        assert sorted(works.started) == sorted([*long[:4], short])
        assert [(await works.job(job)).status for job in long[4:]] == [JobStatus.QUEUED] * 2


async def test_short_jobs_fill_the_whole_worker_where_no_long_one_waits(works: Works) -> None:
    short = await works.submit(SHORT_S, 6)
    async with works.working():
        await works.until_started(*short[:5])
        assert (await works.job(short[5])).status is JobStatus.QUEUED


async def test_a_job_that_was_taken_for_short_makes_room_and_loses_no_attempt(works: Works) -> None:
    long = await works.submit(LONG_S, 4)
    (mistaken,) = await works.submit(SHORT_S)
    works.really[mistaken] = LONG_S
    async with works.working():
        await works.until_started(*long)
        async with asyncio.timeout(SOON_S):
            while "job.released" not in [event.type for event in await works.store.jobs.events("default", mistaken, 0)]:
                await asyncio.sleep(0.01)
        (short,) = await works.submit(SHORT_S)
        await works.until_started(short)
        back = await works.job(mistaken)
        assert (back.status, back.attempts) == (JobStatus.QUEUED, 0)
        works.done.set()
        await works.until_started(mistaken)
        assert works.started.count(mistaken) == 1


async def test_a_job_that_turns_out_long_runs_on_where_there_is_room(works: Works) -> None:
    (mistaken,) = await works.submit(SHORT_S)
    works.really[mistaken] = LONG_S
    async with works.working():
        await works.until_started(mistaken)
        more = await works.submit(LONG_S, 4)
        await works.until_started(*more[:3])
        (short,) = await works.submit(SHORT_S)
        await works.until_started(short)
        assert (await works.job(more[3])).status is JobStatus.QUEUED
