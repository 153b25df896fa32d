"""A recording by its address: accepted at once, judged by its spelling, called by nobody at the gateway."""

import logging

import pytest

URL = "https://media.example.com/call.wav?X-Amz-Signature=canary"


@pytest.mark.parametrize("route", ["/v1/conversations", "/v1/transcriptions"])
async def test_an_address_becomes_a_job_at_once(world, route):
    body = {"audio_url": URL, "language": "de", "vocabulary": "Wordloop", "timeout": 60, "recorded_at": "2026-11-30"}
    body["template"] = {"base": "sales", "length": "short"}
    answer = await world.client.post(route, json=body)

    assert answer.status_code == 202, answer.text
    job = await world.store.jobs.get("default", answer.json()["id"])
    payload = job.request.payload
    assert (payload["audio_url"], payload["blob_id"], payload["language"]) == (URL, None, "de")
    assert (payload["recorded_at"], payload["template"]) == ("2026-11-30", {"base": "sales", "length": "short"})
    assert job.request.deadline == pytest.approx(world.clock.now() + 60)


async def test_a_repeated_request_is_the_same_job_and_another_address_is_not(world):
    key = {"Idempotency-Key": "k"}
    first, again = [await world.client.post("/v1/conversations", json={"audio_url": URL}, headers=key) for _ in range(2)]
    other = await world.client.post("/v1/conversations", json={"audio_url": URL + "x"}, headers=key)

    assert first.json()["id"] == again.json()["id"]
    assert other.json()["code"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    "url",
    [
        "http://media.example.com/",
        "https://127.0.0.1/x?canary",
        "https://me:canary@media.example.com/",
        "file:///canary",
        "canary",
    ],
)
async def test_an_address_that_is_never_called_is_refused_before_a_job_is_stored(world, url):
    answer = await world.client.post("/v1/conversations", json={"audio_url": url})

    assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "canary" not in answer.text
    assert await world.nothing_is_stored()


async def test_a_body_that_does_not_fit_is_named_without_its_words(world):
    answer = await world.client.post("/v1/conversations", json={"audio_url": URL, "canary": 1, "timeout": -1})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert {error["location"] for error in answer.json()["errors"]} == {"canary", "timeout"}
    assert URL not in answer.text


async def test_the_address_is_shown_and_logged_nowhere(world, caplog):
    caplog.set_level(logging.DEBUG)
    answer = await world.client.post("/v1/conversations", json={"audio_url": URL})
    where = f"/v1/jobs/{answer.json()['id']}"
    listed = await world.client.get("/v1/jobs")
    shown = await world.client.get(where)
    await world.client.post(f"{where}/cancel")
    events = await world.client.get(f"{where}/events")

    assert all("canary" not in seen.text and "example.com" not in seen.text for seen in (answer, listed, shown, events))
    assert "canary" not in "".join(record.getMessage() + str(record.__dict__) for record in caplog.records)


async def test_an_estimate_takes_no_address(world):
    answer = await world.client.post("/v1/estimate", json={"audio_url": URL})

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
