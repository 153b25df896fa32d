"""Jobs over HTTP: look, list, follow, cancel."""

import json

import pytest

from domain.job import JobStatus, Problem, Progress


def events_of(text: str) -> list[dict[str, str]]:
    """Server-Sent Events as mappings of their fields; comments are left out."""
    blocks = [block.splitlines() for block in text.replace("\r\n", "\n").strip().split("\n\n")]
    fields = [dict(line.split(": ", 1) for line in block if line and not line.startswith(":")) for block in blocks]
    return [block for block in fields if block]


async def test_a_finished_job_shows_times_results_and_links(world):
    await world.upload()
    done = await world.complete()
    job = (await world.client.get(f"/v1/jobs/{done.id}")).json()

    assert job["status"] == "completed"
    assert job["progress"]["fraction"] == 1.0
    assert job["result"] == {
        "conversation_id": done.result_id("conversation"),
        "transcript_id": done.result_id("transcript"),
        "recap_id": done.result_id("recap"),
    }
    assert job["links"]["transcript"] == f"/v1/transcripts/{done.result_id('transcript')}"
    assert "cancel" not in job["links"]
    assert job["created_at"] <= job["started_at"] <= job["finished_at"]
    assert job["error"] is None


async def test_a_job_shows_nothing_internal(world):
    job = (await world.upload(headers={"Idempotency-Key": "secret"})).json()

    assert set(job) == {
        "priority", "lane",
        "id", "object", "kind", "status", "progress", "created_at", "started_at", "finished_at", "cancel_requested",
        "result", "error", "links",
    }  # fmt: skip


async def test_a_failed_job_carries_its_problem(world):
    await world.upload()
    lease = await world.claim()
    await world.store.jobs.fail(lease, Problem("invalid_audio", "The bytes are not audio."), None)
    error = (await world.client.get(f"/v1/jobs/{lease.job.id}")).json()["error"]

    assert error == {
        "type": "/problems/invalid_audio", "title": "Not decodable audio", "status": 422,
        "detail": "The bytes are not audio.", "code": "invalid_audio",
    }  # fmt: skip
    assert (await world.client.get(error["type"])).json()["title"] == error["title"]


async def test_a_running_job_names_its_remaining_time(world):
    await world.upload()
    lease = await world.claim()
    await world.store.jobs.progress(lease, Progress(0.4, "transcribing", 12.2))
    answer = await world.client.get(f"/v1/jobs/{lease.job.id}")

    told = {"fraction": 0.4, "stage": "transcribing", "eta_s": 12.2, "queue_position": None, "overdue": False}
    assert answer.json()["progress"] == told
    assert answer.headers["retry-after"] == "13"


@pytest.mark.parametrize("path", ["", "/events"])
async def test_an_unknown_job_is_not_found(world, path):
    answer = await world.client.get(f"/v1/jobs/job_{'0' * 32}{path}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_looking_can_wait_for_the_end(world):
    job_id = (await world.upload()).json()["id"]
    world.clock.during_sleep.append(world.complete)
    answer = await world.client.get(f"/v1/jobs/{job_id}", headers={"Prefer": "wait=5"})

    assert answer.json()["status"] == "completed"


async def test_pages_follow_one_another_newest_first_without_gap_or_repeat(world):
    made = []
    for number in range(3):
        world.clock.seconds += 1
        made.append((await world.upload(sound=b"%d" % number)).json()["id"])
    first = (await world.client.get("/v1/jobs", params={"limit": 2})).json()
    second = (await world.client.get("/v1/jobs", params={"limit": 2, "after": first["last_id"]})).json()

    assert first["object"] == "list"
    assert [job["id"] for job in first["data"] + second["data"]] == made[::-1]
    assert (first["first_id"], first["last_id"]) == (made[2], made[1])
    assert (first["has_more"], second["has_more"]) == (True, False)


async def test_the_list_can_be_of_one_status(world):
    await world.upload(sound=b"one")
    done = await world.complete()
    await world.upload(sound=b"two")
    listed = (await world.client.get("/v1/jobs", params={"status": "completed"})).json()

    assert [job["id"] for job in listed["data"]] == [done.id]


async def test_no_jobs_are_an_empty_list(world):
    assert (await world.client.get("/v1/jobs")).json() == {
        "object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 422), ("limit=101", 422), ("limit=x", 422), ("status=lost", 422), ("after=job_nope", 404), ("after=%27", 422)],
)
async def test_a_bad_list_request_is_refused(world, query, status):
    answer = await world.client.get(f"/v1/jobs?{query}")

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_waiting_job_is_cancelled_at_once_and_stays_so(world):
    job_id = (await world.upload()).json()["id"]
    first = await world.client.post(f"/v1/jobs/{job_id}/cancel")
    second = await world.client.post(f"/v1/jobs/{job_id}/cancel")

    assert [(a.status_code, a.json()["status"]) for a in (first, second)] == [(200, "cancelled")] * 2


async def test_a_running_job_is_asked_to_stop(world):
    await world.upload()
    lease = await world.claim()
    answer = await world.client.post(f"/v1/jobs/{lease.job.id}/cancel")

    assert (answer.status_code, answer.json()["status"], answer.json()["cancel_requested"]) == (202, "in_progress", True)


async def test_events_come_in_order_with_their_numbers_and_end_with_the_job(world):
    await world.upload()
    job = await world.complete()
    answer = await world.client.get(f"/v1/jobs/{job.id}/events")
    events = events_of(answer.text)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert [int(event["id"]) for event in events] == list(range(1, len(events) + 1))
    assert events[0]["event"] == "job.queued"
    assert events[-1]["event"] == "job.completed"
    assert "transcript.completed" in [event["event"] for event in events]
    assert json.loads(events[-1]["data"])["sequence"] == len(events)


async def test_a_broken_stream_is_taken_up_after_the_last_event_seen(world):
    await world.upload()
    job = await world.complete()
    everything = events_of((await world.client.get(f"/v1/jobs/{job.id}/events")).text)
    rest = await world.client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": "2"})
    by_query = await world.client.get(f"/v1/jobs/{job.id}/events", params={"after": 2})

    assert [event["data"] for event in events_of(rest.text)] == [event["data"] for event in everything[2:]]
    assert events_of(rest.text) == events_of(by_query.text)


async def test_a_stream_that_was_seen_to_its_end_says_not_to_reconnect(world):
    await world.upload()
    job = await world.complete()
    last = events_of((await world.client.get(f"/v1/jobs/{job.id}/events")).text)[-1]["id"]
    answer = await world.client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": last})

    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_number_that_is_none_is_refused(world):
    await world.upload()
    job = await world.complete()
    answer = await world.client.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": "-1"})

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_running_job_is_followed_over_a_socket_with_progress_heartbeats_and_its_end(served):
    job_id = (await served.upload()).json()["id"]
    lines: list[str] = []
    async with served.client.stream("GET", f"/v1/jobs/{job_id}/events") as stream:
        async for line in stream.aiter_lines():
            lines.append(line)
            if line == "event: job.queued":
                lease = await served.claim()
                await served.store.jobs.progress(lease, Progress(0.5, "transcribing", 1.0))
            if line.startswith(": ping"):
                await served.store.jobs.complete(lease, {"transcript_id": "transcript_x"})

    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    ids = [line.removeprefix("id: ") for line in lines if line.startswith("id: ")]
    numbers = [int(name) for name in ids if name.isdecimal()]
    assert len(ids) == len(events), "every event has an id"
    assert events[0] == "job.queued"
    assert numbers == list(range(1, len(numbers) + 1)), "each event once"
    assert "job.progress" in events
    assert events[-1] == "job.completed"
    assert any('"fraction": 0.5' in line for line in lines)
    assert (await served.store.jobs.get("default", job_id)).status is JobStatus.COMPLETED
