"""A client's timeout becomes the deadline of its job, and a job past it ends with the reason."""

import asyncio
from dataclasses import replace

import pytest
from conftest import LIMITS

from adapters.telemetry import build_telemetry
from application.job_session import JobSession
from application.maintenance import Maintenance
from application.work_on_jobs import WorkOnJobs
from domain.job import JobKind
from serve_app.composition.clock import SystemClock

SAID = {"segments": [{"start": 0, "end": 1, "text": "Hello"}]}
TEXTS = {"input": [f"text {n}" for n in range(70)]}
LATER = {"Prefer": "respond-async"}


async def ask(world, route: str, headers: dict[str, str], timeout: float | None):
    """Send the smallest request of a route, with the timeout in its body when one is given."""
    field = {} if timeout is None else {"timeout": timeout}
    if route in ("/v1/conversations", "/v1/transcriptions", "/v1/audio/transcriptions"):
        return await world.upload(route, data={name: str(value) for name, value in field.items()}, headers=headers)
    return await world.client.post(route, json={**(SAID if route == "/v1/recaps" else TEXTS), **field}, headers=headers)


COMPATIBLE = "/v1/audio/transcriptions"
"""It hands out no job for later; one that is not waited for comes with the refusal."""
ROUTES = ["/v1/conversations", "/v1/transcriptions", COMPATIBLE, "/v1/recaps", "/v1/embeddings"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(
    ("header", "field", "seconds"),
    [("30", None, 30), (None, 12.5, 12.5), ("30", 12.5, 12.5), ("2.5", 20, 2.5), ("999999", None, 86_400), (None, None, 86_400)],
)
async def test_the_nearest_timeout_is_the_deadline_of_the_job(world, route, header, field, seconds):
    headers = LATER if route != COMPATIBLE else {"Prefer": "wait=0"}
    answer = await ask(world, route, headers | ({} if header is None else {"Wordloop-Timeout": header}), field)

    assert answer.status_code == (202 if route != COMPATIBLE else 504)
    made = answer.json() if route != COMPATIBLE else answer.json()["error"]["job"]
    job = await world.store.jobs.get("default", made["id"])
    assert job.request.deadline == world.clock.now() + seconds


async def test_small_requests_that_are_answered_at_once_are_bounded_too(world):
    await world.client.post("/v1/embeddings", json={"input": "a"}, headers={"Wordloop-Timeout": "1.5"})
    await world.client.post("/v1/embeddings", json={"input": "a", "timeout": 0.5})
    messages = [{"role": "user", "content": "Hi"}]
    await world.client.post("/v1/chat/completions", json={"messages": messages}, headers={"Wordloop-Timeout": "2"})

    deadlines = [context.deadline - world.clock.now() for _, _, context in world.embedder.asked]
    assert deadlines == [1.5, 0.5]
    assert world.writer.asked[0][1].deadline == world.clock.now() + 2


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", "1e3", ""])
async def test_a_header_that_is_no_number_of_seconds_is_refused_and_stores_nothing(world, value):
    answers = [await ask(world, route, {"Wordloop-Timeout": value}, None) for route in ROUTES]

    assert {answer.status_code for answer in answers} == {400}
    assert await world.nothing_is_stored()


@pytest.mark.parametrize("value", [0, -1, 1e9])
@pytest.mark.parametrize("route", ROUTES)
async def test_a_field_that_is_no_number_of_seconds_is_refused_and_stores_nothing(world, route, value):
    answer = await ask(world, route, {}, value)

    assert answer.status_code in (400, 422)
    assert await world.nothing_is_stored()


@pytest.mark.parametrize("limits", [replace(LIMITS, job_deadline_s=None)])
async def test_a_service_without_a_limit_of_its_own_keeps_the_clients(world):
    answers = [await world.upload(data={"timeout": "5"}), await world.upload()]
    jobs = [await world.store.jobs.get("default", answer.json()["id"]) for answer in answers]

    assert [job.request.deadline for job in jobs] == [world.clock.now() + 5, None]


async def test_a_job_that_waited_past_its_deadline_has_expired_and_says_so(world):
    job_id = (await world.upload(headers={"Wordloop-Timeout": "5"})).json()["id"]
    world.clock.seconds += 6
    assert await world.store.jobs.claim("worker", 60.0) is None

    job = (await world.client.get(f"/v1/jobs/{job_id}")).json()
    assert (job["status"], job["error"]["code"], job["error"]["status"]) == ("expired", "deadline_exceeded", 504)
    assert "deadline" in job["error"]["detail"]


async def test_openais_route_tells_its_client_that_the_deadline_passed(world):
    async def expire() -> None:
        world.clock.seconds += 6
        await world.store.jobs.claim("worker", 60.0)

    world.clock.during_sleep.append(expire)
    answer = await world.upload("/v1/audio/transcriptions", headers={"Wordloop-Timeout": "5"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")


async def test_a_job_whose_deadline_passes_at_work_fails_and_says_so(world):
    stopped = []

    async def never_ends(session: JobSession) -> dict[str, str]:
        try:
            await world.store.jobs.progress(session.lease, replace(session.job.progress, stage="transcribing"))
            await asyncio.Event().wait()
        finally:
            stopped.append(session.job.id)
        return {}

    clock = SystemClock()
    await world.upload(headers={"Wordloop-Timeout": "5"})
    lease = await world.claim()
    soon = replace(lease.job.request, deadline=clock.now() + 0.05)
    lease = replace(lease, job=replace(lease.job, request=soon))
    tracer = build_telemetry(None, service_name="test").tracer
    handlers = {JobKind.CONVERSATION: never_ends}
    worker = WorkOnJobs(world.store.jobs, world.store.calls, handlers, clock, tracer, "worker", Maintenance({}, clock))
    await worker.work(lease)

    job = (await world.client.get(f"/v1/jobs/{lease.job.id}")).json()
    assert (job["status"], job["error"]["code"]) == ("failed", "deadline_exceeded")
    assert stopped == [lease.job.id]
