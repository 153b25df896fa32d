"""Two whole clusters on one database and one object store: they share the work, and one finishes what the other leaves."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.postgresql_server import PostgresqlServer
from tests.running_service import RECORDING, RunningService, finished
from tests.s3_server import S3Server
from tests.serve.storm import LEASE_S, Books, Stream, hold_to_account, wait_for

pytestmark = [pytest.mark.serve, pytest.mark.long, pytest.mark.timeout(3600)]
JOBS = 40
DRAIN_S = 900.0


@pytest.fixture
def clusters(tmp_path: Path, postgresql: PostgresqlServer, s3: S3Server) -> Iterator[list[RunningService]]:
    database, bucket = postgresql.database(), s3.bucket()
    made = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        settings = {"worker": {"lease_s": LEASE_S, "max_attempts": 20}}
        made.append(RunningService(folder, database_url=database, settings=settings, s3=bucket))
    try:
        # Both at once: each brings the schema up to date, and one of them has to wait for the other.
        with ThreadPoolExecutor(2) as threads:
            yield list(threads.map(RunningService.start, made))
    finally:
        for cluster in made:
            cluster.stop()


def test_one_finishes_what_the_other_accepted_and_neither_does_it_twice(clusters: list[RunningService]) -> None:
    first, second = clusters
    books = Books(first.database_url)
    accepted: dict[str, str] = {}

    # Given the same recording, sent to both at once under one key, it is one job under one id ...
    with ThreadPoolExecutor(2) as threads:
        ids = set(threads.map(_submit, clusters))
    assert len(ids) == 1
    accepted["both"] = ids.pop()

    # ... and a stream of jobs, each sent to one or the other.
    stream = Stream(clusters, books, JOBS)
    thread = stream.start()
    wait_for(lambda: books.ended() >= JOBS // 4, DRAIN_S, stream)
    assert all(each.engine_calls() for each in clusters), "one of them did nothing"

    # When one loses its power with work under way ...
    assert books.rows("select 1 from jobs where status = 'in_progress'"), "nothing was under way: the test showed nothing"
    kept, asked = books.finished_calls(), [len(each.engine_calls()) for each in clusters]
    first.kill_everything()
    thread.join(DRAIN_S)
    assert stream.failure is None, stream.failure
    wait_for(lambda: books.ended() > JOBS, DRAIN_S, stream)

    # ... then the other has finished everything, from recordings that only the object store still has, and made no finished
    # call again ...
    hold_to_account(books, accepted | stream.accepted)
    again = {key for each, count in zip(clusters, asked, strict=True) for key in kept & set(each.engine_calls()[count:])}
    assert again == set()

    # ... and what the dead one had accepted is told by the living one, and by the dead one when it is back.
    with second.client() as client:
        there = finished(client, accepted["both"])
        text = client.get(f"/v1/transcripts/{there['result']['transcript_id']}").json()["text"]
    first.start()
    with first.client() as client:
        here = finished(client, accepted["both"])
        assert client.get(f"/v1/transcripts/{here['result']['transcript_id']}").json()["text"] == text
    books.close()


def _submit(cluster: RunningService) -> str:
    with cluster.client() as client, RECORDING.open("rb") as file:
        files = {"file": (RECORDING.name, file)}
        response = client.post("/v1/conversations", files=files, headers={"Idempotency-Key": "both"})
    assert response.status_code in (200, 202), response.text
    return str(response.json()["id"])
