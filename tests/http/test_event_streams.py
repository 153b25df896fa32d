"""A job's events as clients of Server-Sent Events hear them: sseclient-py and httpx-sse, off the shelf."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from conftest import LIMITS
from httpx_sse import aconnect_sse
from sseclient import SSEClient

from adapters.http.jobs.event_views import EventType, JobEventView
from adapters.http.jobs.events import RETRY_MS
from domain.job import Problem, Progress

SEPARATORS = "One\u2028two\u2029three\x85four\x0bfive"
"""Letters that Python, but no stream of events, takes for ends of lines."""
ENOUGH = 200
"""Events in one connection, at most: a stream that never ends fails instead of hanging."""


@pytest.fixture
def limits():
    return replace(LIMITS, heartbeat_s=0.02)


async def running(served) -> tuple[str, Any]:
    """A job in the middle: begun, half done, with words that were heard."""
    job_id = (await served.upload()).json()["id"]
    lease = await served.claim()
    await served.store.jobs.progress(lease, Progress(0.5, "transcribing", 1.0))
    segment = {"id": 0, "start": 0.0, "end": 1.0, "text": SEPARATORS, "speaker": None}
    await served.store.jobs.emit(lease, "transcript.segment", segment)
    await served.store.jobs.stage_done(lease, {"transcript_id": "transcript_x"}, "transcript.completed", {"transcript_id": "x"})
    await served.store.jobs.progress(lease, Progress(0.5, "transcribing", 0.4))  # another time, which is a state and no event
    return job_id, lease


async def with_httpx_sse(served, job_id: str, last: str | None, most: int) -> list[tuple[str, str, str]]:
    headers = {} if last is None else {"Last-Event-ID": last}
    heard = []
    async with aconnect_sse(served.client, "GET", f"/v1/jobs/{job_id}/events", headers=headers) as source:
        async for event in source.aiter_sse():
            heard.append((event.id, event.event, event.data))
            if len(heard) == most:
                break
    return heard


async def with_sseclient_py(served, job_id: str, last: str | None, most: int) -> list[tuple[str, str, str]]:
    def hear() -> list[tuple[str, str, str]]:
        headers = {} if last is None else {"Last-Event-ID": last}
        with httpx.stream("GET", f"{served.client.base_url}/v1/jobs/{job_id}/events", headers=headers, timeout=30) as answer:
            heard = []
            for event in SSEClient(_bytes(answer)).events():
                heard.append((event.id, event.event, event.data))
                if len(heard) == most:
                    break
            return heard

    return await asyncio.to_thread(hear)


def _bytes(answer: httpx.Response) -> Iterator[bytes]:
    yield from answer.iter_bytes()


@pytest.mark.parametrize("hear", [with_httpx_sse, with_sseclient_py])
async def test_a_client_that_breaks_off_after_every_event_hears_all_of_them_once(served, hear):
    job_id, lease = await running(served)
    heard: list[tuple[str, str, str]] = []
    while not heard or json.loads(heard[-1][2])["type"] != "job.completed":
        got = await hear(served, job_id, heard[-1][0] if heard else None, 1)
        assert got, "the stream ended before the job did"
        heard += got
        if heard[-1][1] == "job.progress" and "." in heard[-1][0]:
            await served.store.jobs.complete(lease, {"recap_id": "recap_x"})
    stored = await served.store.jobs.events("default", job_id, 0)

    assert len({name for name, _, _ in heard}) == len(heard), "nothing is heard twice"
    assert [int(name) for name, _, _ in heard if "." not in name] == [event.sequence for event in stored]
    assert all(kind == json.loads(data)["type"] for _, kind, data in heard)
    assert SEPARATORS in [json.loads(data)["data"].get("text") for _, _, data in heard]
    assert json.loads(heard[-1][2])["data"]["result"] == {"transcript_id": "transcript_x", "recap_id": "recap_x"}
    assert await hear(served, job_id, heard[-1][0], 1) == [], "there is no more, and that is no error"


@pytest.mark.parametrize("hear", [with_httpx_sse, with_sseclient_py])
async def test_heartbeats_are_no_events(served, hear):
    job_id, lease = await running(served)
    hearing = asyncio.create_task(hear(served, job_id, None, ENOUGH))
    await asyncio.sleep(0.5)
    await served.store.jobs.complete(lease, {})
    heard = await hearing

    assert len(heard) < ENOUGH
    assert all(name and json.loads(data) for name, _, data in heard)


async def test_every_event_has_the_one_shape_and_a_name_of_the_document(served):
    job_id, lease = await running(served)
    await served.store.jobs.fail(lease, Problem("model_timeout", "Late."), None)
    heard = [json.loads(data) for _, _, data in await with_httpx_sse(served, job_id, None, ENOUGH)]
    described = (await served.client.get("/openapi.json")).json()
    about = described["paths"]["/v1/jobs/{job_id}/events"]["get"]["responses"]["200"]["description"]

    assert {frozenset(event) for event in heard} == {frozenset(JobEventView.model_fields)}
    assert [JobEventView.model_validate(event).type for event in heard]
    assert all(f"`{kind.value}`" in about for kind in EventType)
    assert "JobEventView" in described["components"]["schemas"]
    assert heard[-1]["data"] == {"result": {"transcript_id": "transcript_x"}, "code": "model_timeout", "detail": "Late."}


async def test_states_of_progress_have_the_members_of_events_of_progress(served):
    job_id, _ = await running(served)
    states = [json.loads(data) for name, kind, data in await with_httpx_sse(served, job_id, None, 6) if kind == "job.progress"]

    assert len(states) == 2
    assert len({frozenset(state["data"]) for state in states}) == 1


async def test_a_stream_says_when_to_come_back(served):
    job_id, _ = await running(served)
    async with served.client.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        first = await anext(stream.aiter_text())

    assert f"retry: {RETRY_MS}\n" in first
    assert RETRY_MS == 3000


async def test_an_id_that_is_none_is_refused(world):
    job_id = (await world.upload()).json()["id"]
    for wrong in ("x", "1.", ".1", "-1", "1.2.3", "9" * 40):
        answer = await world.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": wrong})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request"), wrong
