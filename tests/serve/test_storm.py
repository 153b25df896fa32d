"""Every process of the service dies at random while jobs stream in; the books must balance afterwards.

The short form runs with the other cluster tests. `just storm` is the long form: 200 jobs, 30 faults. The seed is printed,
and WORDLOOP_SEED replays the order of the faults.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain, cycle
from pathlib import Path

import pytest

from tests.postgresql_server import PostgresqlServer, running_server
from tests.running_service import RunningService
from tests.s3_server import IllFront, S3Server, ill_front
from tests.serve.storm import LEASE_S, Books, Stream, Weather, hold_to_account, made_again, wait_for, write_record
from tests.webhook_receiver import Receiver, receiving_beside

pytestmark = [pytest.mark.serve, pytest.mark.timeout(7200)]
JOBS = int(os.environ.get("WORDLOOP_STORM_JOBS", "14"))
KILLS = int(os.environ.get("WORDLOOP_STORM_KILLS", "4"))
RECORD = os.environ.get("WORDLOOP_STORM_RECORD")
DRAIN_S = 1200.0
HEARD_S = 600.0
"""Seconds until everything was told: the third try comes 35 s after the first, a dead deliverer's after its lease."""


@pytest.fixture
def database() -> Iterator[PostgresqlServer]:
    """A server that keeps what it has acknowledged when it crashes."""
    with running_server(durable=True) as server:
        yield server


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Where the ends of jobs are told; it fails one time in seven."""
    with receiving_beside() as receiver:
        answers = cycle([200, 200, 200, 503, 200, 200, 200])
        receiver.answer = lambda: (next(answers), "")
        yield receiver


@pytest.fixture
def store(s3: S3Server) -> Iterator[IllFront]:
    """The way to the object store, which can fail."""
    with ill_front(s3) as front:
        yield front


@pytest.fixture
def service(
    tmp_path: Path, database: PostgresqlServer, s3: S3Server, store: IllFront, receiver: Receiver
) -> Iterator[RunningService]:
    # A job may be struck by more faults here than in any real life: it must not run out of attempts.
    worker = {"lease_s": LEASE_S, "max_attempts": 50}
    settings = {"worker": worker, "outbound": {"trusted_hosts": sorted(receiver.trusted)}}
    bucket = s3.access(s3.bucket().bucket, store.port)
    running = RunningService(tmp_path, database_url=database.database(), settings=settings, s3=bucket)
    try:
        yield running.start()
    finally:
        running.stop()


def test_no_job_is_lost_or_done_twice_whatever_dies(
    service: RunningService, database: PostgresqlServer, store: IllFront, receiver: Receiver
) -> None:
    seed = int(os.environ.get("WORDLOOP_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"WORDLOOP_SEED={seed}")
    chance, books = random.Random(seed), Books(service.database_url)
    began = time.monotonic()

    with service.client() as client:
        assert client.post("/v1/webhooks", json={"url": receiver.url, "events": ["job.completed"]}).status_code == 201

    # Given jobs that stream in, while one thing after another dies ...
    weather, stream = Weather(service, database, store, books, chance), Stream([service], books, JOBS)
    thread = stream.start()
    for number, fault in enumerate(weather.plan(KILLS), start=1):
        reached = JOBS * number // (KILLS + 2)
        wait_for(lambda reached=reached: books.ended() >= reached or not thread.is_alive(), DRAIN_S, stream)
        fault()
    thread.join(DRAIN_S)
    assert stream.failure is None, stream.failure
    assert len(stream.accepted) == JOBS
    # ... when what was accepted has had time to end ...
    wait_for(lambda: books.ended() >= JOBS, DRAIN_S, stream)

    # ... then each has ended well, once, with one result, under the id that its client was told ...
    jobs = hold_to_account(books, stream.accepted)
    # ... the receiver has heard of each, as often as it took, but always under the same id ...
    wait_for(lambda: set(_heard(receiver)) >= set(stream.accepted.values()), HEARD_S, stream)
    told = _heard(receiver)
    assert set(told) == set(stream.accepted.values())
    assert all(len(ids) == 1 for ids in told.values()), "a job was told under two ids"
    assert len({*chain(*told.values())}) == JOBS, "two jobs were told under one id"
    # ... and no call that was paid for was made again.
    assert any(kept for kept, _ in weather.snapshots), "nothing was finished before a kill: the test showed nothing"
    assert made_again(weather) == set()
    figures = {
        "seed": seed,
        "jobs": JOBS,
        "faults": dict(Counter(weather.done)),
        "lost": len(set(stream.accepted.values()) - {job for job, *_ in jobs}),
        "doubled": len(jobs) - len(stream.accepted),
        "finished calls made again": len(made_again(weather)),
        "webhooks lost": len(set(stream.accepted.values()) - set(told)),
        "webhooks sent": len(receiver.received),
        "most attempts of a job": max(attempts for _, _, _, attempts, _ in jobs),
        "requests asked again": stream.asked_again,
        "engine calls": len(service.engine_calls()),
        "minutes": round((time.monotonic() - began) / 60, 1),
    }
    print(figures)
    if RECORD:
        write_record(Path(RECORD), **figures)
    books.close()


def _heard(receiver: Receiver) -> dict[str, set[str]]:
    """Return the ids of the events that were taken, by job."""
    told: dict[str, set[str]] = {}
    for request in list(receiver.received):
        if request.answered == 200:
            told.setdefault(json.loads(request.body)["data"]["job_id"], set()).add(request.id)
    return told
