"""A long stream of jobs against a service whose processes die at random: the stream, the faults, the books they are held to."""

import io
import json
import random
import signal
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import av
import httpx
import numpy as np
import psutil
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tests.postgresql_server import PostgresqlServer
from tests.running_service import RECORDING, RunningService
from tests.s3_server import IllFront

RATE = 16_000
CLIP_S = 6.0
AHEAD = 12
"""Jobs accepted and not ended at any time: the queue is never empty, and every kill finds work under way."""
ACCEPT_WITHIN_S = 400.0
"""Seconds that a client goes on asking with the same key: longer than a whole start."""


def spoken() -> np.ndarray:
    """The demonstration's recording as 16-bit samples, mono, 16 kHz."""
    with av.open(str(RECORDING)) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        frames = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate(frames)


def clip(sound: np.ndarray, start: int) -> bytes:
    """A WAV file of `CLIP_S` seconds from sample `start`."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(sound[start : start + int(CLIP_S * RATE)].tobytes())
    return file.getvalue()


class Books:
    """What the database says, read past the service. None while the database is away."""

    def __init__(self, url: str) -> None:
        self._engine: Engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), pool_pre_ping=True)

    def rows(self, query: str) -> list[tuple[Any, ...]] | None:
        """Return the rows of a query."""
        try:
            with self._engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query))]
        except SQLAlchemyError:
            return None

    def ended(self) -> int:
        """Jobs that have ended."""
        rows = self.rows("select count(*) from jobs where status not in ('queued', 'in_progress')")
        return rows[0][0] if rows else 0

    def open_jobs(self) -> list[tuple[Any, ...]] | None:
        """Jobs that have not ended, with who holds them and what was told of them last."""
        last = "(select type || ' ' || data from job_events where job_seq = jobs.seq order by sequence desc limit 1)"
        columns = "idempotency_key, kind, status, stage, attempts, owner, lease_until, run_after, error_code"
        return self.rows(f"select {columns}, {last} from jobs where status in ('queued', 'in_progress')")

    def finished_calls(self) -> set[str]:
        """Content keys of the model calls whose answers are stored."""
        return {row[0] for row in self.rows("select key from call_answers") or ()}

    def close(self) -> None:
        self._engine.dispose()


class Reachable(Protocol):
    """A service, or a cluster: something with a door."""

    def client(self, timeout: float = ..., /) -> httpx.Client: ...


@dataclass
class Stream:
    """A client that submits `count` jobs, each under its own key, to `services` in turn, and insists until one keeps it.

    `name` and `shift` (samples, and numbers in texts) make its keys and its recordings others than those of another stream.
    """

    services: Sequence[Reachable]
    books: Books
    count: int
    name: str = "storm"
    shift: int = 0
    accepted: dict[str, str] = field(default_factory=dict)
    asked_again: int = 0
    failure: BaseException | None = None

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, name="stream", daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            sound = spoken()
            starts = np.linspace(self.shift, len(sound) - int(CLIP_S * RATE), self.count).astype(int)
            before = self.books.ended()
            for number in range(self.count):
                while number - (self.books.ended() - before) >= AHEAD:
                    time.sleep(0.1)
                self.accepted[f"{self.name}-{number}"] = self._submit(number, sound, int(starts[number]))
        except BaseException as error:  # told by the test's own thread
            self.failure = error

    def _submit(self, number: int, sound: np.ndarray, start: int) -> str:
        key = f"{self.name}-{number}"
        give_up = time.monotonic() + ACCEPT_WITHIN_S
        while time.monotonic() < give_up:
            with suppress(httpx.HTTPError):
                response = self._ask(number, key, sound, start)
                if response.status_code in (200, 202):
                    return str(response.json()["id"])
                if response.status_code not in (408, 429, 500, 502, 503, 504) and not _before_routes(response):
                    raise AssertionError(f"{response.status_code}: {response.text}")
            self.asked_again += 1
            time.sleep(0.5)
        raise AssertionError(f"job {number} was not accepted within {ACCEPT_WITHIN_S} s")

    def _ask(self, number: int, key: str, sound: np.ndarray, start: int) -> httpx.Response:
        headers = {"Idempotency-Key": key, "Prefer": "respond-async"}
        # The next one when one is asked again: a client behind a load balancer ends up where somebody answers.
        service = self.services[(number + self.asked_again) % len(self.services)]
        with service.client(20.0) as client:
            if number % 10 == 3:
                texts = [f"Sentence {part} of text {self.shift + number}." for part in range(20)]
                return client.post("/v1/embeddings", json={"model": "all-minilm-l6-v2", "input": texts}, headers=headers)
            if number % 10 == 7:
                return client.post("/v1/recaps", json={"segments": meeting(self.shift + number)}, headers=headers)
            route = "conversations" if number % 10 == 5 else "transcriptions"
            return client.post(f"/v1/{route}", files={"file": ("clip.wav", clip(sound, start))}, headers=headers)


def _before_routes(response: httpx.Response) -> bool:
    """Whether this is Serve's proxy, which answers 404 in plain text while it listens and the application is not there yet."""
    return response.status_code == 404 and not response.headers["content-type"].startswith("application/")


def meeting(number: int) -> list[dict[str, Any]]:
    said = [
        f"We looked at order number {number} this morning.",
        "The customers wait too long for the invoice, so we decided to send it on the same day.",
        f"Anna will write the letter number {number} until Friday.",
        "Do we know who pays for the stamps?",
    ]
    return [{"start": 5.0 * n, "end": 5.0 * n + 4, "speaker": "AB"[n % 2], "text": words} for n, words in enumerate(said)]


@dataclass
class Weather:
    """The faults. Each leaves the service able to heal by itself, except a power cut, after which somebody starts it again."""

    service: RunningService
    database: PostgresqlServer
    store: IllFront
    books: Books
    chance: random.Random
    done: list[str] = field(default_factory=list)
    snapshots: list[tuple[set[str], int]] = field(default_factory=list)

    REPLICAS = ("JobWorker", "Transcriber", "Embedder", "Reader", "Diarizer", "LanguageModel", "Ingress")

    def plan(self, kills: int) -> list[Callable[[], None]]:
        """`kills` faults in random order: every kind of process at least once where there is room, workers more often."""
        kinds: list[tuple[str, Callable[[], None]]] = [
            ("JobWorker", lambda: self._kill("JobWorker")),
            ("Transcriber", lambda: self._kill("Transcriber")),
            ("database", self._crash_database),
            ("Ingress", lambda: self._kill("Ingress")),
            ("object store", self._lose_store),
            ("frozen worker", self._freeze_worker),
            ("Embedder", lambda: self._kill("Embedder")),
            ("everything", self._cut_power),
            ("LanguageModel", lambda: self._kill("LanguageModel")),
            ("Reader", lambda: self._kill("Reader")),
            ("Diarizer", lambda: self._kill("Diarizer")),
            ("controller", self._kill_controller),
            ("JobWorker", lambda: self._kill("JobWorker")),
        ]
        chosen = [kinds[n % len(kinds)] for n in range(kills)]
        self.chance.shuffle(chosen)
        return [lambda name=name, fault=fault: self._strike(name, fault) for name, fault in chosen]

    def _strike(self, name: str, fault: Callable[[], None]) -> None:
        self.snapshots.append((self.books.finished_calls(), len(self.service.engine_calls())))
        fault()
        self.done.append(name)
        print(f"{time.strftime('%H:%M:%S')} killed: {name}; {self.books.ended()} jobs ended", flush=True)

    def _kill(self, deployment: str) -> None:
        self._when_there(lambda: self.service.replica(deployment)).send_signal(signal.SIGKILL)

    def _freeze_worker(self) -> None:
        """Stop the worker until its leases have run out and another replica may have its jobs; then let it go on."""
        worker = self._when_there(lambda: self.service.replica("JobWorker"))
        worker.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_S * 1.5)
        with suppress(psutil.NoSuchProcess):
            worker.send_signal(signal.SIGCONT)

    def _kill_controller(self) -> None:
        self._when_there(self._controller).send_signal(signal.SIGKILL)

    def _controller(self) -> psutil.Process:
        for process in self.service.processes():
            with suppress(psutil.Error):
                if "ServeController" in " ".join(process.cmdline()):
                    return process
        raise AssertionError("no controller")

    def _when_there(self, find: Callable[[], psutil.Process]) -> psutil.Process:
        give_up = time.monotonic() + 240
        while True:
            try:
                return find()
            except (AssertionError, psutil.Error):
                assert time.monotonic() < give_up, "the process to kill never came back"
                time.sleep(0.5)

    def _crash_database(self) -> None:
        self.database.stop(signal.SIGQUIT)
        time.sleep(self.chance.uniform(0.5, 3.0))
        self.database.start()

    def _lose_store(self) -> None:
        self.store.fault = ("*", "503")
        time.sleep(self.chance.uniform(2.0, 6.0))
        self.store.fault = None

    def _cut_power(self) -> None:
        self.service.kill_everything()
        self.service.start()


LEASE_S = 10.0


def hold_to_account(books: Books, accepted: dict[str, str]) -> list[tuple[Any, ...]]:
    """Assert that each accepted job ended well, once, with one result, under the id that its client was told.

    `accepted`: what clients were told, job ids by idempotency key. Returns the jobs: id, key, status, attempts, seq.
    """
    jobs = books.rows("select id, idempotency_key, status, attempts, seq from jobs")
    assert jobs is not None
    assert {key: job for job, key, *_ in jobs} == accepted, "a job was lost or came twice"
    assert Counter(status for *_, status, _, _ in jobs) == {"completed": len(accepted)}, [
        row for row in jobs if row[2] != "completed"
    ]
    for table in ("transcripts", "recaps", "embeddings"):
        twice = books.rows(f"select conversation_id from {table} group by conversation_id having count(*) > 1")
        assert twice == [], f"{table}: a result was stored twice"
    events = books.rows("select job_seq, sequence, type from job_events order by job_seq, sequence")
    assert events is not None
    for *_, seq in jobs:
        own = [(sequence, kind) for job, sequence, kind in events if job == seq]
        assert [sequence for sequence, _ in own] == list(range(1, len(own) + 1))
        assert [kind for _, kind in own].count("job.completed") == 1
    return jobs


def wait_for(condition: Callable[[], bool], timeout_s: float, stream: Stream) -> None:
    """Wait while the stream is well. Says what is open when time is up."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert stream.failure is None, stream.failure
        assert time.monotonic() < give_up, (
            f"{stream.books.ended()} jobs ended of {len(stream.accepted)}: {stream.books.open_jobs()}"
        )
        time.sleep(0.2)


def made_again(weather: Weather) -> set[str]:
    """Keys of calls that an engine began although their answer was stored before one of the faults."""
    asked = weather.service.engine_calls()
    return {key for kept, count in weather.snapshots for key in kept & set(asked[count:])}


def write_record(path: Path, **figures: object) -> None:
    """Keep the figures of a run beside its logs."""
    path.write_text(json.dumps(figures, indent=2) + "\n")
