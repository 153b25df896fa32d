"""Receivers over HTTP: registered, listed, rotated, forgotten; the secret is shown when it is made and never again."""

import pytest

URL = "https://hooks.example.com/wordloop?token=t"


async def test_a_receiver_is_registered_and_its_secret_shown_once(world):
    made = await world.client.post("/v1/webhooks", json={"url": URL, "events": ["job.completed", "job.failed"]})
    assert made.status_code == 201, made.text
    body = made.json()
    assert made.headers["location"] == f"/v1/webhooks/{body['id']}"
    assert body["secret"].startswith("whsec_")
    assert (body["events"], body["disabled_at"]) == (["job.completed", "job.failed"], None)

    listed = await world.client.get("/v1/webhooks")
    shown = await world.client.get(made.headers["location"])
    assert [each["id"] for each in listed.json()["data"]] == [body["id"]]
    assert shown.json() == {name: value for name, value in body.items() if name != "secret"}
    assert "whsec_" not in listed.text + shown.text


async def test_a_rotation_makes_another_secret(world):
    made = (await world.client.post("/v1/webhooks", json={"url": URL})).json()
    rotated = await world.client.post(f"/v1/webhooks/{made['id']}/rotate")
    assert rotated.status_code == 200
    assert rotated.json()["secret"] != made["secret"]
    assert len(rotated.json()["events"]) == 4


async def test_a_forgotten_receiver_is_not_found(world):
    made = (await world.client.post("/v1/webhooks", json={"url": URL})).json()
    assert (await world.client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    for answer in (
        await world.client.get(f"/v1/webhooks/{made['id']}"),
        await world.client.delete(f"/v1/webhooks/{made['id']}"),
        await world.client.post(f"/v1/webhooks/{made['id']}/rotate"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://10.0.0.1/", "https://me:canary@hooks.example.com/", "canary"]
)
async def test_an_address_that_is_never_called_is_refused(world, url):
    answer = await world.client.post("/v1/webhooks", json={"url": url})
    assert (answer.status_code, answer.json()["code"]) == (422, "address_refused")
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    "body", [{}, {"url": URL, "events": []}, {"url": URL, "events": ["job.begun"]}, {"url": URL, "secret": "x"}]
)
async def test_a_body_that_does_not_fit_is_refused(world, body):
    answer = await world.client.post("/v1/webhooks", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_there_is_a_bound_on_receivers(world):
    for _ in range(16):
        assert (await world.client.post("/v1/webhooks", json={"url": URL})).status_code == 201
    assert (await world.client.post("/v1/webhooks", json={"url": URL})).json()["code"] == "invalid_request"
