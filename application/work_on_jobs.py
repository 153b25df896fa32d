"""Claim jobs and work on them: the loop of a worker, whatever runs it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from application.deliver_webhooks import DeliverWebhooks
from application.embed_anew import EmbedAnew
from application.job_session import HandBack, JobSession
from application.maintenance import Maintenance
from application.watch_queue import WatchQueue
from domain.errors import JobCancelled, LeaseLost, StorageFailed, WithRetryAfter, WordloopError
from domain.failure import stack_of
from domain.job import JobKind, Lane, Lease, Problem
from ports.call_cache import CallCache
from ports.clock import Clock
from ports.job_metrics import JobMetrics, JobOutcome
from ports.jobs import JobQueue
from ports.tracer import Tracer

log = logging.getLogger("wordloop.worker")

HEARTBEATS_PER_LEASE = 3
"""A lease is renewed at every third of it, so that two missed beats still keep it (reliability notes, rule 6)."""
LONGEST_BEAT_S = 2.0
"""Seconds between two heartbeats at most, however long the lease: each also tells whether the job was cancelled."""
STORE_PAUSE_S = 1.0
"""Seconds before a store that did not answer is asked again."""
SELF_FENCE = 2 / 3
"""Share of a lease after which a worker that could not renew it stops, by its own monotonic clock (rule 6)."""
RETRY_BASE_S = 2.0
RETRY_CAP_S = 60.0
"""Seconds before a job that failed for a passing reason is tried again, at most: doubling from the base, up to the cap."""


Handler = Callable[[JobSession], Awaitable[Mapping[str, str]]]
"""Works a job to its end and returns its result ids; raises WordloopError kinds."""


@dataclass
class WorkOnJobs:
    """Claims jobs and runs up to `concurrency` of them at once, and `short_concurrency` more of the short lane, until `stop`.

    So however many long recordings wait, a short one waits for other short ones only. A job that turns out to be long when its
    recording is decoded, and would be one too many, is handed back to wait among the long ones.

    `lease_s` and `idle_s` in seconds: how long a claim holds without a heartbeat, and how long to wait before asking
    an empty queue again. `jitter` gives numbers from 0 to 1 that spread what is tried again.
    """

    queue: JobQueue
    calls: CallCache
    handlers: Mapping[JobKind, Handler]
    clock: Clock
    tracer: Tracer
    owner: str
    maintenance: Maintenance
    concurrency: int = 4
    short_concurrency: int = 1
    lease_s: float = 30.0
    idle_s: float = 0.2
    webhooks: DeliverWebhooks | None = None
    watch: WatchQueue | None = None
    embed_anew: EmbedAnew | None = None
    metrics: JobMetrics | None = None
    jitter: Callable[[], float] = random.random
    _running: dict[asyncio.Task[None], Lease] = field(default_factory=dict)
    _lanes: dict[tuple[str, int], Lane] = field(default_factory=dict)
    _stopping: bool = False

    async def __call__(self) -> None:
        """Work until `stop`. Raises what the store raises when it is broken for good."""
        while not self._stopping:
            room = self._room()
            if room is None:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                continue
            asked = self.clock.monotonic()
            try:
                lease = await self.queue.claim(self.owner, self.lease_s, room is Lane.SHORT)
            except StorageFailed as error:
                if not error.transient:
                    raise
                log.warning("the store does not answer", extra={"detail": error.detail})
                await self.clock.sleep(STORE_PAUSE_S)
                continue
            if lease is None:
                await self.clock.sleep(self.idle_s)
                continue
            self._lanes[_lease_key(lease)] = lease.job.lane
            if lease.taken_over and self.metrics is not None:
                self.metrics.taken_over(lease.job)
            task = asyncio.create_task(self.work(lease, asked))
            self._running[task] = lease
            task.add_done_callback(self._leave)

    def _room(self) -> Lane | None:
        """The lane of jobs that may be claimed now: LONG stands for all of them, None for none."""
        if len(self._running) >= self.concurrency + self.short_concurrency:
            return None
        return Lane.LONG if self._long() < self.concurrency else Lane.SHORT

    def _long(self) -> int:
        return list(self._lanes.values()).count(Lane.LONG)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._lanes.pop(_lease_key(self._running.pop(task)), None)

    def _changed_lane(self, lease: Lease, lane: Lane) -> None:
        """Count the job where it belongs. Raises HandBack when there are too many long ones with it."""
        self._lanes[_lease_key(lease)] = lane
        if lane is Lane.LONG and self._long() > self.concurrency:
            del self._lanes[_lease_key(lease)]
            raise HandBack

    async def maintain(self) -> None:
        """Do the chores, tell receivers, watch the queue and embed anew until cancelled, beside the work."""
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self.maintenance())
            if self.webhooks is not None:
                beside.create_task(self.webhooks())
            if self.watch is not None:
                beside.create_task(self.watch())
            if self.embed_anew is not None:
                beside.create_task(self.embed_anew())

    async def stop(self) -> None:
        """Claim nothing more and give back what is held, unharmed."""
        self._stopping = True
        held = dict(self._running)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        for lease in held.values():
            try:
                await self.queue.release(lease)
            except (LeaseLost, JobCancelled):
                log.info("job ended while stopping", extra=_of(lease))

    async def work(self, lease: Lease, asked: float | None = None) -> None:
        """Work on one claimed job to an end state, or leave it to whoever took it over. `asked`: when it was claimed."""
        held_since = self.clock.monotonic() if asked is None else asked
        try:
            async with asyncio.timeout(self._left(lease)):
                result = await self._traced(lease, held_since)
            await self._end(lease, self.queue.complete(lease, result), JobOutcome.COMPLETED)
        except LeaseLost:
            log.warning("lease lost", extra=_of(lease))
            self._count(lease, JobOutcome.LOST)
        except HandBack:
            log.info("job is long and waits again", extra=_of(lease))
            await self._quietly(lease, self.queue.release(lease), JobOutcome.HANDED_BACK)
        except JobCancelled:
            await self._end(lease, self.queue.cancelled(lease), JobOutcome.CANCELLED)
        except TimeoutError:
            problem = Problem("deadline_exceeded", "the job's deadline passed before it was done")
            await self._end(lease, self.queue.fail(lease, problem, None), JobOutcome.FAILED)
        except WordloopError as error:
            await self._fail(lease, problem_of(error), self._retry_after(error, lease))
        except Exception as error:
            log.error("job failed", extra=_of(lease) | {"failure": stack_of(error)})
            problem = Problem("internal_error", f"the service failed with {type(error).__name__}")
            await self._fail(lease, problem, self._backoff(lease))

    async def _traced(self, lease: Lease, held_since: float) -> Mapping[str, str]:
        """Work under a span that continues the client's trace, which waited in the queue with the job."""
        job = lease.job
        about: dict[str, str | int | float | bool] = {
            "wordloop.job.id": job.id,
            "wordloop.job.attempt": job.attempts,
            "wordloop.job.waited_s": round(max(0.0, self.clock.now() - job.created_at), 3),
        }
        with self.tracer.span(f"job {job.request.kind.value}", job.request.traceparent, about) as inside:
            on_lane = partial(self._changed_lane, lease)
            session = JobSession(self.queue, lease, self.clock, inside, held_since, on_lane, self.metrics)
            try:
                return await self._with_heartbeat(session)
            finally:
                session.leave_stage()

    async def _fail(self, lease: Lease, problem: Problem, retry_after_s: float | None) -> None:
        """Fail the job for good, or send it back to wait with the calls it has paid for kept."""
        if retry_after_s is None:
            await self._end(lease, self.queue.fail(lease, problem, None), JobOutcome.FAILED)
        else:
            await self._quietly(lease, self.queue.fail(lease, problem, retry_after_s), JobOutcome.RETRIED)

    async def _end(self, lease: Lease, ending: Awaitable[None], outcome: JobOutcome) -> None:
        """End the job; what a no-store job had cached ends with it."""
        await self._quietly(lease, ending, outcome)
        job = lease.job
        took = round(self.clock.now() - job.created_at, 3)
        log.info("job worked on", extra=_of(lease) | {"kind": job.request.kind.value, "since_submitted_s": took})
        if not job.request.store:
            await self.calls.forget_scope(f"job:{job.id}")

    async def _with_heartbeat(self, session: JobSession) -> Mapping[str, str]:
        handler = asyncio.ensure_future(self.handlers[session.job.request.kind](session))
        watches = {asyncio.create_task(self._heartbeat(session)), asyncio.create_task(self._fence(session))}
        try:
            done, _ = await asyncio.wait({handler, *watches}, return_when=asyncio.FIRST_COMPLETED)
            for watch in watches & done:
                watch.result()
            return await handler
        finally:
            for task in (handler, *watches):
                task.cancel()
            await asyncio.gather(handler, *watches, return_exceptions=True)

    async def _heartbeat(self, session: JobSession) -> None:
        """Renew, and bring the time left up to date, until the lease is lost or a cancel was asked for; either raises.

        A store that is away is asked again soon; if the lease ran out meanwhile, the fence refuses what comes after.
        """
        beat = pause = min(self.lease_s / HEARTBEATS_PER_LEASE, LONGEST_BEAT_S)
        while True:
            await self.clock.sleep(pause)
            asked = self.clock.monotonic()
            try:
                session.lease = await self.queue.renew(session.lease, self.lease_s)
                session.held_since, pause = asked, beat
                await session.refresh()
            except StorageFailed:
                log.warning("lease could not be renewed", extra=_of(session.lease))
                pause = min(STORE_PAUSE_S, pause)

    async def _fence(self, session: JobSession) -> None:
        """Raise LeaseLost before another may take the job over: this process slept, or its store is away for too long."""
        while (left := session.held_since + SELF_FENCE * self.lease_s - self.clock.monotonic()) > 0:
            await self.clock.sleep(left)
        raise LeaseLost("The lease could not be renewed in time.")

    def _left(self, lease: Lease) -> float | None:
        deadline = lease.job.request.deadline
        return None if deadline is None else max(0.0, deadline - self.clock.now())

    def _backoff(self, lease: Lease) -> float:
        """Full jitter, so that jobs that failed together do not come back together (reliability notes, rule 10)."""
        return self.jitter() * min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** max(0, lease.job.attempts - 1))

    def _retry_after(self, error: WordloopError, lease: Lease) -> float | None:
        if not error.transient:
            return None
        named = error.retry_after_s if isinstance(error, WithRetryAfter) else None
        return max(named or 0.0, self._backoff(lease))

    async def _quietly(self, lease: Lease, ending: Awaitable[None], outcome: JobOutcome) -> None:
        """End the job unless it has been taken over or ended meanwhile; when the store is away, its lease runs out instead."""
        try:
            await ending
        except (LeaseLost, JobCancelled):
            log.info("job had ended or moved on", extra=_of(lease))
            outcome = JobOutcome.LOST
        except StorageFailed as error:
            log.warning("job could not be ended", extra=_of(lease) | {"detail": error.detail})
            outcome = JobOutcome.LOST
        self._count(lease, outcome)

    def _count(self, lease: Lease, outcome: JobOutcome) -> None:
        if self.metrics is not None:
            self.metrics.attempt_ended(lease.job, outcome, max(0.0, self.clock.now() - lease.job.created_at))


def _lease_key(lease: Lease) -> tuple[str, int]:
    """Names one holding of a job: a worker may get a job again while what it did before is still being undone."""
    return lease.job.id, lease.fence


def _of(lease: Lease) -> dict[str, str | int]:
    """What every log line about a job carries; the trace is the one that its client began. Ray takes `job_id` for its own."""
    trace = lease.job.request.traceparent
    about: dict[str, str | int] = {"wordloop_job_id": lease.job.id, "attempt": lease.job.attempts}
    return about | ({"trace_id": trace.split("-")[1]} if trace else {})


def problem_of(error: WordloopError) -> Problem:
    """Name an error for the job's record: its kind in snake case, and its sentence."""
    name = type(error).__name__
    code = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    return Problem(code, error.detail)
