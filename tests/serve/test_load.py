"""More than the service can do, and all that it can do for a long time: what it refuses, and that it does not grow.

Part of `just reliability`. WORDLOOP_OVERLOAD_S and WORDLOOP_SOAK_S set how long each runs, in seconds.
"""

import json
import os
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.postgresql_server import PostgresqlServer
from tests.running_service import RECORDING, RunningService, finished, submit
from tests.s3_server import S3Server
from tests.serve.storm import CLIP_S, RATE, Books, clip, meeting, spoken, write_record
from tests.serve.test_cancel import cancelled_after

pytestmark = [pytest.mark.serve, pytest.mark.long, pytest.mark.timeout(7200)]
OVERLOAD_S = float(os.environ.get("WORDLOOP_OVERLOAD_S", "30"))
SOAK_S = float(os.environ.get("WORDLOOP_SOAK_S", "600"))
RECORD = os.environ.get("WORDLOOP_LOAD_RECORD")
QUEUED = 40
"""Jobs that the service of these tests lets wait."""
CANCELS = 20
SENDERS = 16
SAMPLE_S = 5.0
MEMORY_GROWTH, HANDLE_GROWTH = 1.05, 1.05
"""Bounds of the last quarter of a soak over its second quarter."""


class Loaded(RunningService):
    """The service with what it holds: bytes, handles, files."""

    bucket: Any
    s3: S3Server

    def holds(self) -> dict[str, float]:
        """Resident bytes that no other process shares, open handles, threads, passing files, working files, stored objects."""
        found = Counter[str]()
        for process in set(self.processes()):
            with suppress(psutil.Error):
                found["memory, MiB"] += process.memory_full_info().uss / 2**20
                found["handles"] += process.num_fds()
                found["threads"] += process.num_threads()
        temporary = Path((self.data_dir / "temporary-folder").read_text())
        found["passing files"] = sum(1 for _ in temporary.rglob("*"))
        found["working files"] = sum(path.is_file() for path in (self.data_dir / "work").rglob("*"))
        found["stored objects"] = len(self.s3.keys(self.bucket))
        return dict(found)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgresqlServer, s3: S3Server) -> Iterator[Loaded]:
    bucket = s3.bucket()
    settings = {"limits": {"max_queued_jobs": QUEUED}}
    running = Loaded(tmp_path_factory.mktemp("load"), database_url=postgresql.database(), settings=settings, s3=bucket)
    running.s3, running.bucket = s3, bucket
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_a_running_job_stops_soon_after_its_cancel(loaded: Loaded) -> None:
    chance, took = random.Random(14), []
    with loaded.client() as client:
        for number in range(CANCELS):
            job = submit(client, RECORDING, "transcriptions", vocabulary=f"Number {number}")["id"]
            while client.get(f"/v1/jobs/{job}").json()["status"] == "queued":
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 4.0))
            took.append(cancelled_after(client, job))
    took.sort()
    _record("cancel", {"cancels": CANCELS, "median, s": statistics.median(took), "p95, s": took[int(0.95 * CANCELS)]})
    assert took[int(0.95 * CANCELS)] < 12.0


def test_ten_times_too_much_is_refused_in_order_and_what_is_accepted_is_done(loaded: Loaded) -> None:
    sound, books = spoken(), Books(loaded.database_url)
    # Given what it can do: the rate at which a full queue gets empty ...
    offsets = iter(random.Random(10).sample(range(len(sound) - int(CLIP_S * RATE)), 20_000))
    with loaded.client() as client:
        begun, ended = time.monotonic(), books.ended()
        first = [_transcribe(client, clip(sound, next(offsets))).json()["id"] for _ in range(20)]
        for job in first:
            finished(client, job)
        rate = (books.ended() - ended) / (time.monotonic() - begun)
    before = loaded.holds()
    stored = before["stored objects"]

    # ... when ten times that comes ...
    answers: list[httpx.Response] = []
    health: list[float] = []
    stop = time.monotonic() + OVERLOAD_S
    pause = SENDERS / (10 * rate)

    def send(pieces: list[bytes]) -> None:
        with loaded.client() as client:
            for piece in pieces:
                if time.monotonic() > stop:
                    return
                sent = time.monotonic()
                answers.append(_transcribe(client, piece))
                time.sleep(max(0.0, pause - (time.monotonic() - sent)))

    def watch() -> None:
        with loaded.client() as client:
            while time.monotonic() < stop:
                sent = time.monotonic()
                client.get("/livez").raise_for_status()
                health.append(time.monotonic() - sent)
                time.sleep(0.05)

    each = int(OVERLOAD_S / pause) + 1
    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(SENDERS) as threads:
        list(threads.map(send, [[clip(sound, next(offsets)) for _ in range(each)] for _ in range(SENDERS)]))
    watcher.join()

    # ... then each answer takes the job or says when to come back, and nothing of a refused one was stored ...
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 429, 503}, statuses
    refused = [answer for answer in answers if answer.status_code != 202]
    assert refused, "it was not too much"
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert loaded.holds()["stored objects"] <= stored + len(accepted)
    # ... and everything that was accepted is done, by a service that is no bigger than before.
    with loaded.client() as client:
        assert {finished(client, job)["status"] for job in accepted} == {"completed"}
    after = loaded.holds()
    health.sort()
    figures = {
        "capacity, jobs/s": round(rate, 2),
        "offered, jobs/s": round(len(answers) / OVERLOAD_S, 1),
        "answers": {str(status): count for status, count in statuses.items()},
        "livez p99, ms": round(1000 * health[int(0.99 * len(health))]),
        "memory before and after, MiB": [round(before["memory, MiB"]), round(after["memory, MiB"])],
    }
    _record("overload", figures)
    assert len(answers) / OVERLOAD_S > 5 * rate, "it was not offered ten times too much"
    assert after["memory, MiB"] < 1.1 * before["memory, MiB"]
    books.close()


def test_mixed_traffic_for_long_leaves_it_as_it_was(loaded: Loaded) -> None:
    sound, stop = spoken(), time.monotonic() + SOAK_S
    done, samples = Counter[str](), []

    def one(kind: str, chance: random.Random, client: httpx.Client) -> None:
        """One round of a client of its kind; conversations are deleted at the end, as a careful product would."""
        piece = clip(sound, chance.randrange(len(sound) - int(CLIP_S * RATE)))
        if kind == "conversation":
            job = client.post("/v1/conversations", files={"file": ("clip.wav", piece)}).json()
            assert finished(client, job["id"])["status"] == "completed"
            client.post("/v1/search", json={"query": "who repairs the crash?"}).raise_for_status()
        elif kind == "events":
            job = _transcribe(client, piece).json()
            with client.stream("GET", f"/v1/jobs/{job['id']}/events") as events:
                assert any("job.completed" in line for line in events.iter_lines())
        elif kind == "cancel":
            job = submit(client, RECORDING, "transcriptions", vocabulary=str(chance.random()))
            time.sleep(chance.uniform(0, 3))
            cancelled_after(client, job["id"])
        elif kind == "recap":
            job = client.post("/v1/recaps", json={"segments": meeting(chance.randrange(10**9))}).json()
            assert finished(client, job["id"])["status"] == "completed"
        elif kind == "bad":
            bad = client.post("/v1/transcriptions", files={"file": ("x.wav", b"RIFF" + chance.randbytes(2000))})
            assert bad.status_code == 400 or finished(client, bad.json()["id"])["status"] == "failed"
            return
        else:
            body = {"model": "all-minilm-l6-v2", "input": f"A sentence about {chance.random()}."}
            client.post("/v1/embeddings", json=body).raise_for_status()
            return
        assert client.delete(job["links"]["conversation"]).status_code == 200

    def keep_going(kind: str) -> None:
        chance = random.Random(kind)
        with loaded.client() as client:
            while time.monotonic() < stop:
                one(kind, chance, client)
                done[kind] += 1

    kinds = ("conversation", "events", "cancel", "recap", "bad", "embedding")
    with ThreadPoolExecutor(len(kinds)) as threads:
        working = [threads.submit(keep_going, kind) for kind in kinds]
        while time.monotonic() < stop:
            time.sleep(SAMPLE_S)
            samples.append(loaded.holds())
        for each in working:
            each.result()

    quarter = len(samples) // 4
    middle, last = (
        {name: statistics.median(sample[name] for sample in part) for name in samples[0]}
        for part in (samples[quarter : 2 * quarter], samples[-quarter:])
    )
    figures = {
        "minutes": round(SOAK_S / 60, 1),
        "rounds": dict(done),
        "second quarter": {name: round(value) for name, value in middle.items()},
        "last quarter": {name: round(value) for name, value in last.items()},
    }
    _record("soak", figures)
    assert min(done[kind] for kind in kinds) > 0
    assert last["memory, MiB"] < MEMORY_GROWTH * middle["memory, MiB"]
    assert last["handles"] < HANDLE_GROWTH * middle["handles"]
    assert last["passing files"] <= middle["passing files"] + 2
    # Nothing that was deleted is still there, once the chores are done.
    give_up = time.monotonic() + 120
    while (left := loaded.holds()) and (left["working files"] or left["stored objects"] > _kept(loaded)):
        assert time.monotonic() < give_up, left
        time.sleep(1.0)


def _kept(loaded: Loaded) -> int:
    """Recordings that rows of the database still name."""
    books = Books(loaded.database_url)
    named = " union ".join(f"select tenant, blob_id from {table}" for table in ("blob_uses", "blob_holds", "blob_graves"))
    rows = books.rows(f"select count(*) from ({named}) as named")
    books.close()
    assert rows is not None
    return int(rows[0][0])


def _transcribe(client: httpx.Client, piece: bytes) -> httpx.Response:
    return client.post("/v1/transcriptions", files={"file": ("clip.wav", piece)}, headers={"Prefer": "respond-async"})


def _record(name: str, figures: dict[str, Any]) -> None:
    print(json.dumps({name: figures}))
    if RECORD:
        write_record(Path(RECORD) / f"{name}.json", **figures)
