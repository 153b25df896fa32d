"""Workers die and freeze at random moments; the oracle is what they wrote in an append-only log, held against the table.

Set WORDLOOP_KILL_JOBS, WORDLOOP_KILLS, WORDLOOP_ZOMBIES and WORDLOOP_SUBMITS for the long form; the seed is printed, and
WORDLOOP_SEED replays it. What is printed of takeovers is for leases of WORDLOOP_KILL_LEASE_S seconds.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_processes import PATIENCE_S, Processes, wait_until
from store_programs import SETTINGS, STEPS, WallClock

from adapters.sql import SqlStore
from adapters.sql.engine import connect
from domain.job import JobKind, JobRequest, JobStatus

JOBS = int(os.environ.get("WORDLOOP_KILL_JOBS", "120"))
KILLS = int(os.environ.get("WORDLOOP_KILLS", "8"))
ZOMBIES = int(os.environ.get("WORDLOOP_ZOMBIES", "3"))
SUBMITS = int(os.environ.get("WORDLOOP_SUBMITS", "150"))
WORKERS = 4
LEASE_S = os.environ.get("WORDLOOP_KILL_LEASE_S", "1.0")
TAKEOVER_S = float(LEASE_S) + 3.0
"""Seconds after which a paused worker is woken though nobody took its job: it was paused inside a transaction."""


@pytest.fixture
def processes(tmp_path: Path, database_url: str) -> Iterator[Processes]:
    processes = Processes(tmp_path, database_url)
    yield processes
    processes.stop_all()


@pytest.fixture
def store(processes: Processes) -> Iterator[SqlStore]:
    store = SqlStore.open(processes.url, WallClock(), SETTINGS)
    yield store
    store.close()


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("WORDLOOP_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"WORDLOOP_SEED={seed}")
    return random.Random(seed)


async def submitted(store: SqlStore, count: int) -> list[str]:
    """Submit jobs and return their ids."""
    return [(await store.jobs.submit(JobRequest(JobKind.RECAP, {"number": n})))[0].id for n in range(count)]


async def busy_worker(processes: Processes, store: SqlStore, chance: random.Random, jobs: list[str]) -> subprocess.Popen[bytes]:
    """Return a worker that has just begun a step of a job. Workers that have run out of jobs are given some more."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            last = {line["pid"]: line["event"] for line in processes.log()}
            if chosen := [process for process in processes.running if last.get(process.pid) == "step"]:
                return chance.choice(chosen)
            if not sum((await store.jobs.depth()).values()):
                jobs += await submitted(store, 2 * WORKERS)
            await asyncio.sleep(0.02)


def make_zombie(processes: Processes, worker: subprocess.Popen[bytes]) -> bool:
    """Pause a worker until somebody else has taken its job, then let it go on as if nothing had happened."""
    worker.send_signal(signal.SIGSTOP)
    mine = processes.log("claimed", pid=worker.pid)[-1]["job"]
    taken = wait_until(lambda: processes.log("claimed", job=mine)[-1]["pid"] != worker.pid, TAKEOVER_S)
    worker.send_signal(signal.SIGCONT)
    return taken


@pytest.mark.slow
async def test_no_job_is_lost_or_done_twice_when_workers_die_and_freeze(
    processes: Processes, store: SqlStore, chance: random.Random
) -> None:
    jobs = await submitted(store, JOBS)
    for _ in range(WORKERS):
        processes.start("work", LEASE_S)
    faults = ["kill"] * KILLS + ["zombie"] * ZOMBIES
    chance.shuffle(faults)
    zombies, killed = 0, []
    for number, fault in enumerate(faults, start=1):
        ended = JOBS * number // (len(faults) + 2)
        assert wait_until(lambda ended=ended: len(processes.log("completed")) >= ended)
        worker = await busy_worker(processes, store, chance, jobs)
        if fault == "kill":
            processes.kill(worker)
            killed.append((worker.pid, time.time()))
            processes.start("work", LEASE_S)
        else:
            zombies += make_zombie(processes, worker)

    async with asyncio.timeout(PATIENCE_S):
        while sum((await store.jobs.depth()).values()):
            await WallClock().sleep(0.05)
    await assert_log_and_table_agree(processes, store, jobs)
    print(f"{len(jobs)} jobs, {KILLS} kills, {zombies} zombies, {len(processes.log('refused'))} stale writes refused")
    print(f"taken over after {takeovers(processes.log(), killed)} s, leases of {LEASE_S} s")
    assert zombies > 0
    assert wait_until(lambda: processes.log("refused")), "no zombie tried to write"


def takeovers(log: list[dict[str, Any]], killed: list[tuple[int, float]]) -> list[float]:
    """Return the seconds from each kill to the moment when somebody else had the job, shortest first.

    A worker that was killed after its last write to the job left nothing to take over.
    """
    found = []
    for pid, at in killed:
        job = [line["job"] for line in log if line["event"] == "claimed" and line["pid"] == pid][-1]
        later = [line["at"] - at for line in log if line["event"] == "claimed" and line["job"] == job and line["at"] > at]
        found += later[:1]
    return sorted(round(seconds, 2) for seconds in found)


async def assert_log_and_table_agree(processes: Processes, store: SqlStore, jobs: list[str]) -> None:
    told = Counter(line["job"] for line in processes.log("completed"))
    assert max(told.values()) == 1, "a job was completed twice"
    completed_by = {line["job"]: line["fence"] for line in processes.log("completed")}
    saved = {(line["job"], line["step"]): line["fence"] for line in reversed(processes.log("saved"))}
    for job_id in jobs:
        job = await store.jobs.get("default", job_id)
        assert job.status is JobStatus.COMPLETED
        assert job.progress.fraction == 1.0
        events = await store.jobs.events("default", job_id, 0, 10_000)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        types = Counter(event.type for event in events)
        assert types["job.completed"] == 1
        assert [types[f"{step}.completed"] for step in STEPS] == [1, 1, 1], "a stage was told twice"
        # Whoever was told "done" finds its own result, and not a successor's; a kill may have eaten the telling.
        assert job.result["completed_by"] == str(completed_by.get(job_id, job.result["completed_by"]))
        for step in STEPS:
            fence = saved.get((job_id, step))
            assert fence is None or job.result[f"{step}_id"] == f"{step}-{fence}"
    assert redone_after_saving(processes.log()) == []
    if processes.url.startswith("sqlite"):
        with connect(processes.url).connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def redone_after_saving(log: list[dict[str, object]]) -> list[tuple[object, object]]:
    """Return the steps that an attempt began although an earlier one had saved them before it was claimed."""
    saved: set[tuple[object, object]] = set()
    known_at_claim: dict[tuple[object, object], set[tuple[object, object]]] = {}
    redone = []
    for line in log:
        if line["event"] == "saved":
            saved.add((line["job"], line["step"]))
        elif line["event"] == "claimed":
            known_at_claim[line["job"], line["fence"]] = set(saved)
        elif line["event"] == "step" and (line["job"], line["step"]) in known_at_claim[line["job"], line["fence"]]:
            redone.append((line["job"], line["step"]))
    return redone


@pytest.mark.slow
async def test_what_was_acknowledged_is_kept_though_the_submitter_is_killed(
    processes: Processes, store: SqlStore, chance: random.Random
) -> None:
    count, kills = SUBMITS, 3
    for kill in range(kills + 1):
        submitter = processes.start("submit", str(count))
        if kill < kills:
            enough = len(processes.log("acknowledged")) + chance.randrange(5, 40)
            assert wait_until(lambda enough=enough: len(processes.log("acknowledged")) >= enough)
            processes.kill(submitter)
        else:
            assert submitter.wait(60) == 0
    ids: dict[str, set[str]] = {}
    for line in processes.log("acknowledged"):
        ids.setdefault(line["key"], set()).add(line["job"])
    assert len(ids) == count
    assert all(len(same) == 1 for same in ids.values()), "a key got two jobs"
    there = {job.id for job in await store.jobs.list("default", 10_000)}
    assert there == {job_id for same in ids.values() for job_id in same}


@pytest.mark.slow
async def test_sixteen_claimers_in_four_processes_share_the_jobs_without_overlap(processes: Processes, store: SqlStore) -> None:
    jobs = {(await store.jobs.submit(JobRequest(JobKind.RECAP, {"number": n})))[0].id for n in range(96)}
    claimers = [processes.start("claim_all", "4", processes.url) for _ in range(4)]
    assert wait_until(lambda: len(processes.log("ready")) == len(claimers))
    processes.go()
    assert [claimer.wait(60) for claimer in claimers] == [0] * len(claimers)
    claimed = [line["job"] for line in processes.log("claimed")]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == jobs
    assert len({line["pid"] for line in processes.log("claimed")}) > 1
