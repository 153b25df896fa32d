"""A cancel reaches the engine: the work stops, what waited behind it goes on, and nothing more is asked of a model."""

import time
from collections.abc import Callable

import httpx
import pytest

from tests.running_service import RECORDING, RunningService, submit

pytestmark = [pytest.mark.serve, pytest.mark.timeout(900)]
STOPPED_WITHIN_S = 12.0
"""A heartbeat is two seconds; the rest is for a slow machine. Figures come from `just reliability`."""
QUIET_S = 4.0


@pytest.mark.parametrize(("route", "stage"), [("transcriptions", "transcribing"), ("conversations", "recapping")])
def test_a_cancelled_job_asks_nothing_more_of_its_engine(service: RunningService, route: str, stage: str) -> None:
    with service.client() as client:
        # Other words to listen for make other calls: nothing of it comes from the cache.
        job = submit(client, RECORDING, route, vocabulary=f"Cancel {route}")["id"]
        _until(lambda: _job(client, job)["progress"]["stage"] == stage, 240)
        took = cancelled_after(client, job)
        assert took < STOPPED_WITHIN_S
        asked = len(service.engine_calls())
        time.sleep(QUIET_S)
        assert len(service.engine_calls()) == asked, "the engine was asked again after the cancel"
        # The replica is free for the next one.
        answer = client.post("/v1/embeddings", json={"model": "all-minilm-l6-v2", "input": f"after the cancel of {route}"})
        assert answer.status_code == 200


def cancelled_after(client: httpx.Client, job: str) -> float:
    """Cancel a job and return the seconds until it had stopped."""
    asked = time.monotonic()
    assert client.post(f"/v1/jobs/{job}/cancel").status_code in (200, 202)
    _until(lambda: _job(client, job)["status"] == "cancelled", 120)
    return time.monotonic() - asked


def _job(client: httpx.Client, job: str) -> dict:
    return client.get(f"/v1/jobs/{job}").json()


def _until(condition: Callable[[], bool], timeout_s: float) -> None:
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, "it did not come to that"
        time.sleep(0.05)
