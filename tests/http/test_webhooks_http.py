"""Receivers over HTTP: registered, listed, rotated, tested, forgotten; a secret is shown when it is made and never again."""

import pytest

from domain.webhook import Receipt

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


async def test_a_receiver_is_tested_and_the_answer_leads_to_how_it_went(world):
    made = (await world.client.post("/v1/webhooks", json={"url": URL})).json()
    tested = await world.client.post(f"/v1/webhooks/{made['id']}/test")
    assert (tested.status_code, tested.json()["state"], tested.json()["type"]) == (202, "pending", "webhook.test")
    delivery = await world.store.webhooks.claim(60.0)
    await world.store.webhooks.failed(delivery, Receipt(503), None)
    seen = await world.client.get(tested.headers["location"])
    body = seen.json()
    assert (seen.status_code, body["id"], body["state"], body["last_status"]) == (200, tested.json()["id"], "dead", 503)


async def test_a_test_is_waited_for_when_the_caller_says_so(world):
    made = (await world.client.post("/v1/webhooks", json={"url": URL})).json()

    async def deliver():
        await world.store.webhooks.delivered(await world.store.webhooks.claim(60.0), Receipt(204))

    world.clock.during_sleep.append(deliver)
    tested = await world.client.post(f"/v1/webhooks/{made['id']}/test", headers={"Prefer": "wait=10"})
    assert (tested.status_code, tested.json()["state"], tested.json()["last_status"]) == (200, "delivered", 204)
    assert tested.headers["preference-applied"] == "wait=10"


async def test_deliveries_are_listed_without_secrets_and_page_by_page(world):
    made = (await world.client.post("/v1/webhooks", json={"url": URL})).json()
    for _ in range(3):
        await world.upload()
        await world.complete()
    where = f"/v1/webhooks/{made['id']}/deliveries"
    first = (await world.client.get(where, params={"limit": 2})).json()
    assert ([each["type"] for each in first["data"]], first["has_more"]) == (["job.completed"] * 2, True)
    second = await world.client.get(where, params={"limit": 2, "after": first["last_id"]})
    assert (len(second.json()["data"]), second.json()["has_more"]) == (1, False)
    assert len({each["job_id"] for each in first["data"] + second.json()["data"]}) == 3
    everything = (await world.client.get(where)).text
    assert "whsec_" not in everything
    assert "secret" not in everything
    assert "token=t" not in everything
    assert (await world.client.get(where, params={"state": "delivered"})).json()["data"] == []


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://10.0.0.1/", "https://hooks.example.com:8443/"])
async def test_the_refusal_names_what_an_operator_can_allow(world, url):
    answer = await world.client.post("/v1/webhooks", json={"url": url})
    assert "outbound.trusted_hosts" in answer.json()["detail"]
