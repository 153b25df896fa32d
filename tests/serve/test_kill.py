"""Everything is killed in the middle of a job; the job finishes and pays for nothing twice."""

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.running_service import RECORDING, RunningService, finished, submit

pytestmark = [pytest.mark.serve, pytest.mark.timeout(1500)]


def finished_keys(data_dir: Path) -> set[str]:
    """Content keys of the model calls whose answers are stored, read past the service."""
    with sqlite3.connect(f"file:{data_dir / 'wordloop.db'}?mode=ro", uri=True, timeout=30) as database:
        return {row[0] for row in database.execute("select key from call_answers")}


def wait_until(condition, timeout_s: float = 240.0) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "the moment to kill never came"
        time.sleep(0.1)


def test_a_killed_replica_costs_at_most_its_own_calls_and_a_killed_service_repeats_no_finished_one(
    tmp_path: Path, service: RunningService
) -> None:
    neighbour, service = service, RunningService(tmp_path, settings={"worker": {"lease_s": 10}}).start()
    try:
        # The kernel spreads connections over all that listen on a port: shared, it would hand our requests to the neighbour.
        assert neighbour.ports(), "no neighbour: the next line would show nothing"
        assert not neighbour.ports() & service.ports(), "two services listen on one port"
        with service.client() as client:
            job, twin = submit(client, RECORDING), submit(client, RECORDING)

            # Given two jobs that want the same windows, with some done and each made once ...
            wait_until(lambda: len(finished_keys(service.data_dir)) >= 2)
            kept, asked = finished_keys(service.data_dir), service.engine_calls()
            assert len(asked) == len(set(asked)), "a window was asked for twice"
            # ... when the worker dies, and with it whoever holds the flights, the next holder goes on ...
            os.kill(service.replica("JobWorker").pid, signal.SIGKILL)
            done = len(finished_keys(service.data_dir))
            wait_until(lambda: len(finished_keys(service.data_dir)) >= done + 2)
            assert not kept & set(service.engine_calls()[len(asked) :])
            # ... and when the transcriber's process is killed ...
            os.kill(service.replica("Transcriber").pid, signal.SIGKILL)
            # ... then the job goes on with a new replica.
            done = len(finished_keys(service.data_dir))
            wait_until(lambda: len(finished_keys(service.data_dir)) >= done + 2)

        # When the whole service is killed, ingress, worker, models and Ray ...
        service.kill_everything()
        kept = finished_keys(service.data_dir)
        calls_before = len(service.engine_calls())
        service.start()
        with service.client() as client:
            ended, same = finished(client, job["id"]), finished(client, twin["id"])
            transcript = client.get(f"/v1/transcripts/{ended['result']['transcript_id']}").json()

        # ... then the accepted job still completes, and no finished call was made again.
        assert ended["status"] == same["status"] == "completed", (ended, same)
        repeated = kept & set(service.engine_calls()[calls_before:])
        assert not repeated
        assert kept, "nothing was finished before the kill: the test showed nothing"
        assert transcript["coverage"]["ratio"] > 0.95
        assert not list((service.data_dir / "work").rglob("*.pcm")), "decoded sound was left behind"
    finally:
        service.stop()
    assert not service.processes(), "processes were left behind"
    assert not (service.data_dir / "service.json").exists()
