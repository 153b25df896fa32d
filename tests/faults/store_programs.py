"""Programs that a fault test runs as processes of their own, to kill or to pause. Each tells its doings in an append-only log."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from adapters.redis_calls import RedisCalls
from adapters.sql import SqlStore, StoreSettings
from domain.errors import LeaseLost
from domain.job import JobKind, JobRequest, Lease, Progress
from ports.call_cache import CallCache, Claimed
from ports.clock import Clock

SETTINGS = StoreSettings(max_queued=10_000, max_attempts=100)
STEPS = ("transcript", "recap", "embedding")
STEP_S = 0.03
SCOPE, KEY = "tenant:t", "k" * 64


class WallClock(Clock):
    """The time of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Log:
    """One line per event, written in one piece: it survives the writer, and lines of several writers do not mix."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __call__(self, event: str, **data: object) -> None:
        os.write(self._file, (json.dumps({"event": event, "pid": os.getpid(), "at": time.time(), **data}) + "\n").encode())


async def work(store: SqlStore, log: Log, lease_s: str) -> None:
    """Claim and work jobs until killed."""
    log("ready")
    while True:
        lease = await store.jobs.claim(f"worker-{os.getpid()}", float(lease_s))
        if lease is None:
            await asyncio.sleep(0.05)
            continue
        log("claimed", job=lease.job.id, fence=lease.fence)
        try:
            await work_on(store, log, lease, float(lease_s))
        except LeaseLost:
            log("refused", job=lease.job.id, fence=lease.fence)


async def work_on(store: SqlStore, log: Log, lease: Lease, lease_s: float) -> None:
    """Three steps with a heartbeat beside them, skipping those that an earlier attempt has saved."""

    async def heartbeat() -> None:
        while True:
            await asyncio.sleep(lease_s / 3)
            await store.jobs.renew(lease, lease_s)

    beat = asyncio.create_task(heartbeat())
    try:
        for place, step in enumerate(STEPS):
            if f"{step}_id" in lease.job.result:
                log("skipped", job=lease.job.id, step=step, fence=lease.fence)
                continue
            log("step", job=lease.job.id, step=step, fence=lease.fence)
            await asyncio.sleep(STEP_S)
            made = {f"{step}_id": f"{step}-{lease.fence}"}
            await store.jobs.stage_done(lease, made, f"{step}.completed", {})
            log("saved", job=lease.job.id, step=step, fence=lease.fence)
            await store.jobs.progress(lease, Progress((place + 1) / len(STEPS), step))
        await store.jobs.complete(lease, {"completed_by": str(lease.fence)})
        log("completed", job=lease.job.id, fence=lease.fence)
    finally:
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)


async def submit(store: SqlStore, log: Log, count: str) -> None:
    """Submit jobs under the keys 0, 1, 2 ..., telling each id that was acknowledged."""
    for number in range(int(count)):
        request = JobRequest(JobKind.RECAP, {"number": number}, idempotency_key=str(number), body_sha256=str(number))
        job, new = await store.jobs.submit(request)
        log("acknowledged", key=str(number), job=job.id, new=new)


async def claim_all(store: SqlStore, log: Log, claimers: str, url: str) -> None:
    """Claim with several stores at once until nothing waits."""
    others = [SqlStore.open(url, WallClock(), SETTINGS) for _ in range(int(claimers) - 1)]
    await started(log)

    async def claimer(one: SqlStore, owner: str) -> None:
        while lease := await one.jobs.claim(owner, 600.0):
            log("claimed", job=lease.job.id, fence=lease.fence, owner=owner)

    await asyncio.gather(*(claimer(one, f"{os.getpid()}-{number}") for number, one in enumerate([store, *others])))


async def begin_many(store: "OpenCalls", log: Log, count: str) -> None:
    """Ask for one and the same call many times at once."""
    await started(log)
    found = await asyncio.gather(*(store.calls.begin(SCOPE, KEY, f"{os.getpid()}-{n}", 60.0, None) for n in range(int(count))))
    for lookup in found:
        log("begun", found=type(lookup).__name__)


async def hold(store: "OpenCalls", log: Log, claim_s: str) -> None:
    """Claim a call and pause; then try to store its answer."""
    owner = f"holder-{os.getpid()}"
    claim = await store.calls.begin(SCOPE, KEY, owner, float(claim_s), None)
    log("held", found=type(claim).__name__)
    assert isinstance(claim, Claimed)
    await started(None)
    log("put", kept=await store.calls.put(SCOPE, KEY, owner, claim.fence, {"made_by": "the old holder"}, None))


async def started(log: Log | None) -> None:
    """Say that this process is ready, and wait for the word to go: a line on standard input."""
    if log is not None:
        log("ready")
    await asyncio.to_thread(sys.stdin.readline)


PROGRAMS = {"work": work, "submit": submit, "claim_all": claim_all, "begin_many": begin_many, "hold": hold}


class OpenCalls:
    """The call cache at an address, whichever store that is."""

    def __init__(self, url: str) -> None:
        self._sql = None if url.startswith("unix:") else SqlStore.open(url, WallClock(), SETTINGS)
        self.calls: CallCache = RedisCalls(url, WallClock()) if self._sql is None else self._sql.calls

    async def close(self) -> None:
        if self._sql is not None:
            self._sql.close()
        else:
            await self.calls.close()


async def main(program: str, url: str, log: str, *arguments: str) -> None:
    """Open the store and run one program."""
    if program in ("begin_many", "hold"):
        calls = OpenCalls(url)
        await PROGRAMS[program](calls, Log(log), *arguments)
        await calls.close()
        return
    store = SqlStore.open(url, WallClock(), SETTINGS)
    await PROGRAMS[program](store, Log(log), *arguments)
    store.close()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    asyncio.run(main(*sys.argv[1:]))
