"""The production file on a cluster of three nodes, over engines that are scripted and take their time: it scales, heals, is
upgraded under load and loses a node. `just cluster` is its long form.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.postgresql_server import PostgresqlServer
from tests.running_service import finished
from tests.scripted_cluster import ScriptedCluster
from tests.scripted_orders import DIARIZER_LOADS_S
from tests.serve.storm import Books, Stream, clip, hold_to_account, spoken, wait_for

pytestmark = [pytest.mark.serve, pytest.mark.long, pytest.mark.timeout(2400)]
NODES = 3
ROUNDS = int(os.environ.get("WORDLOOP_CLUSTER_ROUNDS", "1"))
"""How often each test does what it does; more for `just cluster`."""
JOBS = 24 * ROUNDS
PATIENCE_S = 120.0
SCALING = {
    "Transcriber": {"min_replicas": 1, "max_replicas": 3},
    "Diarizer": {"min_replicas": 0, "max_replicas": 1},
    "Embedder": {"min_replicas": 2, "max_replicas": 2},
}
HANGS = {
    "guard": {"timeouts": {"transcribe": 15}},
    "health": {"slow_factor": 2},
    "transcriber": {"max_batch_size": 4},
    "speakers": {"by_default": False},
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgresqlServer) -> Iterator[ScriptedCluster]:
    running = ScriptedCluster(tmp_path_factory.mktemp("cluster"), postgresql.database(), NODES)
    try:
        running.deploy(HANGS, SCALING)
        running.wait_ready()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def books(cluster: ScriptedCluster) -> Iterator[Books]:
    kept = Books(cluster.database_url)
    yield kept
    kept.close()


@dataclass
class Accepted:
    """What clients were told by all tests of this file: one database, one account."""

    jobs: dict[str, str] = field(default_factory=dict)
    streams: int = 0


@pytest.fixture(scope="module")
def accepted() -> Accepted:
    return Accepted()


def stream(cluster: ScriptedCluster, books: Books, accepted: Accepted, jobs: int = JOBS) -> Stream:
    """A stream of jobs of every kind, under keys and over sound that no other stream has."""
    accepted.streams += 1
    return Stream([cluster], books, jobs, name=f"stream-{accepted.streams}", shift=accepted.streams * 1000)


def to_the_end(running: Stream, books: Books, accepted: Accepted) -> None:
    """Wait until all that was accepted has ended, and hold it to account."""
    wait_for(lambda: len(running.accepted) == running.count, PATIENCE_S + running.count * 5, running)
    accepted.jobs |= running.accepted
    wait_for(lambda: books.ended() == len(accepted.jobs), PATIENCE_S + running.count * 5, running)
    hold_to_account(books, accepted.jobs)


def test_replicas_come_with_work_and_go_without_and_no_call_is_made_twice(
    cluster: ScriptedCluster, books: Books, accepted: Accepted
) -> None:
    for _ in range(ROUNDS):
        running, most = stream(cluster, books, accepted), 0
        before = len(cluster.engine_calls())
        running.start()
        give_up = time.monotonic() + PATIENCE_S
        while books.ended() < len(accepted.jobs) + running.count:
            assert running.failure is None, running.failure
            assert time.monotonic() < give_up, books.open_jobs()
            most = max(most, len(cluster.replicas("Transcriber")))
            time.sleep(0.3)
        to_the_end(running, books, accepted)
        assert most > 1, "never more than one replica: the test showed nothing"
        ScriptedCluster.wait(lambda: len(cluster.replicas("Transcriber")) == 1, PATIENCE_S)
        twice = [key for key, count in Counter(cluster.engine_calls()[before:]).items() if count > 1]
        assert twice == []


def test_a_model_that_sleeps_is_woken_by_a_job_whose_remaining_time_tells_so(
    cluster: ScriptedCluster, books: Books, accepted: Accepted
) -> None:
    with cluster.client() as client:
        for number in range(ROUNDS):
            # Given a diarizer that nobody needs: it has no replica, and the service is ready ...
            ScriptedCluster.wait(lambda: not cluster.replicas("Diarizer"), PATIENCE_S)
            ScriptedCluster.wait(lambda: how(client)["diarize"] == "asleep", 10.0)
            assert client.get("/readyz").status_code == 200
            # ... when a job asks for speakers ...
            body = {"file": ("clip.wav", clip(spoken(), 5000 + 777 * number))}
            headers = {"Prefer": "respond-async", "Idempotency-Key": f"speakers-{number}"}
            asked = client.post("/v1/transcriptions", files=body, data={"speakers": "true"}, headers=headers)
            assert asked.status_code == 202, asked.text
            accepted.jobs[f"speakers-{number}"] = job = asked.json()["id"]
            # ... its remaining time has the waking in it, and it is done.
            assert eta_of(client, job) > DIARIZER_LOADS_S
            assert finished(client, job)["status"] == "completed"


def how(client: httpx.Client) -> dict[str, str]:
    """What the service says of its models, by kind."""
    return {model["kind"]: model["detail"] for model in client.get("/readyz").json()["models"]}


def eta_of(client: httpx.Client, job: str) -> float:
    """The longest remaining time that the job told."""
    told = 0.0
    while (view := client.get(f"/v1/jobs/{job}").json())["status"] in ("queued", "in_progress"):
        told = max(told, view["progress"]["eta_s"] or 0.0)
        time.sleep(0.1)
    return told


def test_a_replica_whose_engine_hangs_is_replaced_and_its_calls_are_made_elsewhere(
    cluster: ScriptedCluster, books: Books, accepted: Accepted
) -> None:
    running = stream(cluster, books, accepted, 6)
    (cluster.data_dir / "orders" / "hang").touch()
    running.start()
    ScriptedCluster.wait(lambda: hung(cluster), PATIENCE_S)
    pid = hung(cluster)[0]
    to_the_end(running, books, accepted)
    ScriptedCluster.wait(lambda: pid not in [each.pid for each in cluster.replicas("Transcriber")], PATIENCE_S)


def hung(cluster: ScriptedCluster) -> list[int]:
    """Processes whose engine took the order to hang."""
    return [int(path.name.removeprefix("hung-")) for path in (cluster.data_dir / "orders").glob("hung-*")]


class Requests:
    """Clients that go on asking, and keep every answer that is no good one."""

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.cluster = cluster
        self.bad: list[Any] = []
        self.good = 0
        self.revisions: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._ask, self._place)]

    def __enter__(self) -> "Requests":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self) -> None:
        with self.cluster.client() as client:
            while not self._over.wait(0.1):
                for path in ("/v1/models", "/livez"):
                    self._note(client, "GET", path)

    def _place(self) -> None:
        number = 0
        with self.cluster.client() as client:
            while not self._over.wait(0.2):
                number += 1
                body = {"model": "text-embedding-3-small", "input": [f"A text of its own, number {number}, at {time.time()}."]}
                self._note(client, "POST", "/v1/embeddings", json=body)

    def _note(self, client: httpx.Client, method: str, path: str, **more: Any) -> None:
        try:
            answer = client.request(method, path, **more)
        except httpx.HTTPError as error:
            self.bad.append((path, repr(error)))
            return
        if answer.status_code != 200:
            self.bad.append((path, answer.status_code, answer.text[:300]))
            return
        self.good += 1
        if path == "/v1/models":
            served = [model for model in answer.json()["data"] if model["alias_of"] is None]
            (hears,) = [model for model in served if model["kind"] == "transcribe"]
            self.revisions.append(hears["revision"])


def test_an_upgrade_under_load_loses_no_request_and_no_job(cluster: ScriptedCluster, books: Books, accepted: Accepted) -> None:
    for number in range(2, 2 + ROUNDS):
        old, new = f"scripted-{number - 1}", f"scripted-{number}"
        running = stream(cluster, books, accepted)
        with Requests(cluster) as requests:
            running.start()
            wait_for(lambda: books.ended() > len(accepted.jobs) + 2, PATIENCE_S, running)

            # When another model is deployed, with a step of the schema, while requests and jobs are under way ...
            (cluster.data_dir / "orders" / "column").touch()
            cluster.deploy({**HANGS, "transcriber": {"model": new, "max_batch_size": 4}}, SCALING)
            to_the_end(running, books, accepted)
            ScriptedCluster.wait(lambda: set(requests.revisions[-20:]) == {new}, PATIENCE_S)  # noqa: B023

        # ... then every request was answered, by the old and the new side by side, and every job is done, by one of them.
        assert requests.bad == []
        assert requests.good > 20
        first, last = requests.revisions.index(new), len(requests.revisions) - 1 - requests.revisions[::-1].index(old)
        assert set(requests.revisions) == {old, new}
        print(f"upgrade {number}: {requests.good} requests, side by side for {max(0, last - first)} looks")


def test_a_node_that_dies_takes_no_job_with_it(cluster: ScriptedCluster, books: Books, accepted: Accepted) -> None:
    for number in range(ROUNDS):
        running = stream(cluster, books, accepted)
        running.start()
        wait_for(lambda: books.ended() > len(accepted.jobs) + 2, PATIENCE_S, running)
        assert books.rows("select 1 from jobs where status = 'in_progress'"), "nothing was under way: the test showed nothing"
        kept, asked = books.finished_calls(), len(cluster.engine_calls())
        before = {each.pid for each in cluster.replicas("")}
        cluster.order(f"kill {number}")
        ScriptedCluster.wait(lambda: len({each.pid for each in cluster.replicas("")} & before) <= len(before) - 3, 30.0)  # noqa: B023
        to_the_end(running, books, accepted)
        assert not kept & set(cluster.engine_calls()[asked:]), "a finished call was made again"
        if number + 1 < ROUNDS:
            cluster.order("add")
            cluster.wait_ready()
