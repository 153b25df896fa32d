"""A job in a worker's hands: what its handler tells about it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from application.remaining_time import RemainingTime
from domain.canonical import Json
from domain.job import Lane, Lease, Progress
from ports.clock import Clock
from ports.job_metrics import JobMetrics
from ports.jobs import JobQueue

USUAL: Final[Mapping[str, float]] = {
    "fetching": 0.0,
    "decoding": 0.03,
    "transcribing": 0.62,
    "speakers": 0.0,
    "embedding": 0.10,
    "recapping": 0.20,
    "titling": 0.03,
    "indexing": 0.02,
}
"""The stages of all jobs in order, and their shares of a conversation where no rate is known: the demo on two cores. Speakers
are found beside the transcription; what is left of it when that is done is a stage."""
TOLD: Final[Mapping[str, str]] = {"titling": "recapping"}
"""Parts of a stage that callers know under another name."""


class HandBack(Exception):
    """The job turned out to be long where only short ones may run: it waits again, unharmed, in the lane that is its own."""


class JobSession:
    """A job being worked on: what a handler may tell about it. Every write carries the lease's fence."""

    def __init__(
        self,
        queue: JobQueue,
        lease: Lease,
        clock: Clock,
        traceparent: str | None,
        held_since: float,
        on_lane: Callable[[Lane], None] | None = None,
        metrics: JobMetrics | None = None,
    ) -> None:
        self._queue = queue
        self._on_lane = on_lane
        self._clock = clock
        self._fraction = lease.job.progress.fraction
        self._stage: str | None = None
        self._metrics = metrics
        self._entered: tuple[str, float] | None = None
        self._told: Progress | None = None
        self._telling = asyncio.Lock()
        self.remaining = RemainingTime(clock, {})
        self.lease = lease
        self.job = lease.job
        self.traceparent = traceparent
        self.held_since = held_since
        """Monotonic seconds when the lease was last asked for and then granted."""

    def plan(self, *stages: str) -> None:
        """Say which stages the job has."""
        self.remaining = RemainingTime(self._clock, {name: share for name, share in USUAL.items() if name in stages})

    async def measured(self, audio_s: float) -> None:
        """Tell how many seconds the recording really has. Raises HandBack when the job has to make room for shorter ones."""
        lane = (await self._queue.measured(self.lease, audio_s)).job.lane
        if self._on_lane is not None:
            self._on_lane(lane)

    async def begin(self, stage: str, told: str | None = None, **about: Any) -> None:
        """Enter a stage, which callers know as `told`; the rest as in `RemainingTime.begin`."""
        self.leave_stage()
        self._entered = stage, self._clock.monotonic()
        self.remaining.begin(stage, **about)
        self._stage = told or TOLD.get(stage, stage)
        await self._tell()

    def leave_stage(self) -> None:
        """Tell how long the stage took that the job is in, if it is in one."""
        if self._entered is not None and self._metrics is not None:
            stage, since = self._entered
            self._metrics.stage_ended(self.job, stage, self._clock.monotonic() - since)
        self._entered = None

    async def advance(self, done: float, of: float) -> None:
        """Tell that `done` of `of` units of the stage have ended."""
        self.remaining.advance(done, of)
        await self._tell()

    async def refresh(self) -> None:
        """Bring the time left up to date though nothing has ended: it is no event."""
        if self._stage is not None:
            await self._tell()

    async def _tell(self) -> None:
        """Record how far the job is; never goes back. One at a time, so that no old word is written after a newer one."""
        async with self._telling:
            self._fraction = max(self._fraction, min(1.0, self.remaining.fraction))
            told = Progress(self._fraction, self._stage or "", self.remaining.left_s, overdue=self.remaining.overdue)
            if told != self._told:
                await self._queue.progress(self.lease, told)
                self._told = told

    async def stage_done(self, result: Mapping[str, str], event: str, data: Mapping[str, Json]) -> None:
        """Make a stage's result visible at once: it outlives the failure of what follows."""
        await self._queue.stage_done(self.lease, result, event, data)

    async def emit(self, event: str, data: Mapping[str, Json]) -> None:
        """Append an event to the job."""
        await self._queue.emit(self.lease, event, data)
