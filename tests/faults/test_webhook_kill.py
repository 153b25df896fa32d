"""A deliverer that is killed between sending and recording: the event comes again, under the same id, and is recorded once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from adapters.sql import SqlStore
from domain.job import JobKind, JobRequest
from domain.webhook import WebhookEvent
from serve_app.composition.clock import SystemClock
from tests.webhook_receiver import Receiver, receiving

ROOT = Path(__file__).parents[2]
JOBS = 6
KILLS = 3


def deliverer(url: str, receiver: Receiver, how: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(Path(__file__).parent / "webhook_program.py"), url, f"127.0.0.1:{receiver.port}", how]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT)


async def until(condition) -> None:
    async with asyncio.timeout(90):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_killed_deliverer_loses_nothing_and_changes_no_id(database_url: str) -> None:
    store = SqlStore.open(database_url, SystemClock())
    async with receiving() as receiver:
        await store.webhooks.add("default", receiver.url, tuple(WebhookEvent))
        for _ in range(JOBS):
            await store.jobs.submit(JobRequest(JobKind.RECAP, {}))
            lease = await store.jobs.claim("w", 30.0)
            assert lease is not None
            await store.jobs.complete(lease, {})

        for _ in range(KILLS):
            before = len(receiver.received)
            process = deliverer(database_url, receiver, "hang")
            await until(lambda: len(receiver.received) > before)  # noqa: B023 - awaited before the next round
            process.send_signal(signal.SIGKILL)
            process.wait()
        sent_by_the_killed = [r.id for r in receiver.received]
        process = deliverer(database_url, receiver, "deliver")
        try:
            await until(lambda: len({r.id for r in receiver.received[len(sent_by_the_killed) :]}) == JOBS)
            await asyncio.sleep(3.0)  # long enough for a lease to run out, had something not been recorded
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

        last = [r.id for r in receiver.received[len(sent_by_the_killed) :]]
        assert len(last) == len(set(last)) == JOBS
        assert set(sent_by_the_killed) <= set(last)
        assert len({json.loads(r.body)["data"]["job_id"] for r in receiver.received}) == JOBS
        assert await store.webhooks.claim(1.0) is None
    store.close()
