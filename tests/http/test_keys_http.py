"""Keys at the door: who is let in, to what, how often; and tenants that never see one another."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import EMBEDDER, LIMITS, VOICE_MODEL, WaitingClock, World, make_world
from starlette.routing import Route

from adapters.http.middleware.keys import FAILURES_PER_MINUTE, KNOWN_FOR_S, is_open
from domain.api_key import NO_LIMITS, KeyLimits, Scope
from domain.speakers import SpokenVoice

ALL = frozenset(Scope)
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[World]:
    made = make_world(tmp_path, replace(LIMITS, queued_jobs=100), WaitingClock(), ask_for_keys=True)
    async with made.client:
        yield made
    made.store.close()


async def key_of(
    world: World,
    tenant: str,
    scopes: frozenset[Scope] = ALL,
    expires_at: float | None = None,
    limits: KeyLimits = NO_LIMITS,
) -> dict[str, str]:
    _, text = await world.store.keys.create(tenant, scopes, "", expires_at, limits)
    return {"Authorization": f"Bearer {text}"}


def operations(world: World) -> list[tuple[str, str]]:
    """(method, path) of every route there is, read off the application itself."""
    found = []
    for route in _flat(world.app.routes):
        found += [(method, route.path) for method in sorted(route.methods or ())]
    return found


def _flat(routes: Any) -> list[Route]:
    found: list[Route] = []
    for route in routes:
        if isinstance(route, Route):
            found.append(route)
        elif hasattr(route, "original_router"):
            found += _flat(route.original_router.routes)
        elif hasattr(route, "routes"):
            found += _flat(route.routes)
    return found


async def ask(world: World, method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    return await world.client.request(method, path.replace("{", "").replace("}", ""), headers=headers)


async def test_without_a_key_only_the_open_routes_answer(guarded: World) -> None:
    asked = operations(guarded)
    assert len(asked) > 25, "the routes were not found"
    for method, path in asked:
        answer = await ask(guarded, method, path, {})
        if is_open(path):
            assert answer.status_code in (200, 307, 404), (method, path)
        else:
            assert answer.status_code in (401, 429), (method, path)
    assert (await guarded.client.get("/v1/there-is-no-such-route")).status_code in (401, 429)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic d2w6d2w=",
        "Bearer wl_000000000000_" + "a" * 43,
        "Bearer " + "x" * 5000,
        "wl_000000000000_a",
    ],
)
async def test_what_is_no_key_is_refused_with_a_challenge(guarded: World, header: str) -> None:
    answer = await guarded.client.get("/v1/jobs", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    compatible = await guarded.client.get("/v1/models", headers={"Authorization": header})
    assert compatible.status_code == 401
    assert compatible.json()["error"]["code"] == "unauthorized"


async def test_a_key_that_has_ended_opens_nothing(guarded: World) -> None:
    short = await key_of(guarded, "acme", expires_at=guarded.clock.now() + 1)
    assert (await guarded.client.get("/v1/jobs", headers=short)).status_code == 200
    await guarded.clock.sleep(1)
    assert (await guarded.client.get("/v1/jobs", headers=short)).status_code == 401


async def test_a_revoked_key_opens_for_at_most_the_time_it_is_known(guarded: World) -> None:
    key, text = await guarded.store.keys.create("acme", ALL, "", None)
    headers = {"Authorization": f"Bearer {text}"}
    assert (await guarded.client.get("/v1/jobs", headers=headers)).status_code == 200
    await guarded.store.keys.revoke(key.id)
    await guarded.clock.sleep(KNOWN_FOR_S)
    assert (await guarded.client.get("/v1/jobs", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("scope", "method", "path", "allowed"),
    [
        (Scope.READ, "GET", "/v1/jobs", True),
        (Scope.READ, "POST", "/v1/search", True),
        (Scope.READ, "POST", "/v1/recaps", False),
        (Scope.READ, "DELETE", "/v1/conversations/conversation_1", False),
        (Scope.READ, "GET", "/v1/webhooks", False),
        (Scope.WRITE, "POST", "/v1/recaps", True),
        (Scope.WRITE, "GET", "/v1/jobs", False),
        (Scope.WRITE, "POST", "/v1/webhooks", False),
        (Scope.ADMIN, "GET", "/v1/webhooks", True),
        (Scope.ADMIN, "GET", "/v1/jobs", False),
    ],
)
async def test_a_key_allows_what_its_scope_says(guarded: World, scope: Scope, method: str, path: str, allowed: bool) -> None:
    headers = await key_of(guarded, "acme", frozenset({scope}))
    answer = await guarded.client.request(method, path, headers=headers, json={"query": "x"} if method == "POST" else None)
    assert (answer.status_code != 403) is allowed, answer.text
    if not allowed:
        assert answer.json()["code"] == "forbidden"


async def test_a_refused_upload_is_not_read(guarded: World) -> None:
    read = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"x" * 1000

    answer = await guarded.client.post("/v1/conversations", content=pieces(), headers={"content-type": "multipart/form-data"})
    assert answer.status_code == 401
    assert await guarded.nothing_is_stored()


async def test_many_wrong_keys_are_told_to_wait_while_right_ones_pass(guarded: World) -> None:
    right = await key_of(guarded, "acme")
    statuses = [
        (await guarded.client.get("/v1/jobs", headers={"Authorization": f"Bearer wl_{n:012x}_{'a' * 43}"})).status_code
        for n in range(FAILURES_PER_MINUTE + 20)
    ]
    assert statuses == [401] * FAILURES_PER_MINUTE + [429] * 20
    refused = await guarded.client.get("/v1/jobs")
    assert int(refused.headers["retry-after"]) <= 60
    assert (await guarded.client.get("/v1/jobs", headers=right)).status_code == 200
    await guarded.clock.sleep(60)
    assert (await guarded.client.get("/v1/jobs")).status_code == 401


async def test_the_requests_of_a_key_are_limited_apart_from_those_of_others(tmp_path: Path) -> None:
    world = make_world(tmp_path, replace(LIMITS, requests_per_minute=6.0), WaitingClock(), ask_for_keys=True)
    busy, calm = await key_of(world, "busy"), await key_of(world, "calm")
    statuses = [(await world.client.get("/v1/jobs", headers=busy)).status_code for _ in range(8)]
    assert statuses == [200] * 6 + [429] * 2
    refused = await world.client.get("/v1/jobs", headers=busy)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("rate_limited", "10")
    assert (await world.client.get("/v1/jobs", headers=calm)).status_code == 200
    await world.clock.sleep(10)  # also past the time for which the key is known: the bucket outlives that
    assert (await world.client.get("/v1/jobs", headers=busy)).status_code == 200
    assert (await world.client.get("/v1/jobs", headers=busy)).status_code == 429
    await world.client.aclose()
    world.store.close()


@pytest.mark.parametrize("of_all", [None, 2.0, 100.0])
async def test_the_rate_of_a_key_counts_in_place_of_the_services(tmp_path: Path, of_all: float | None) -> None:
    world = make_world(tmp_path, replace(LIMITS, requests_per_minute=of_all), WaitingClock(), ask_for_keys=True)
    own = await key_of(world, "acme", limits=KeyLimits(requests_per_minute=4.0))
    statuses = [(await world.client.get("/v1/jobs", headers=own)).status_code for _ in range(6)]
    assert statuses == [200] * 4 + [429] * 2
    await world.clock.sleep(15)
    assert (await world.client.get("/v1/jobs", headers=own)).status_code == 200
    assert (await world.client.get("/v1/jobs", headers=own)).status_code == 429
    await world.client.aclose()
    world.store.close()


async def test_a_replica_lets_its_part_of_a_keys_requests_pass(tmp_path: Path) -> None:
    asked: list[str] = []

    def quarter(thing: str) -> float:
        asked.append(thing)
        return 0.25

    world = make_world(tmp_path, replace(LIMITS, requests_per_minute=40.0), WaitingClock(), ask_for_keys=True, share=quarter)
    busy = await key_of(world, "busy")
    statuses = [(await world.client.get("/v1/jobs", headers=busy)).status_code for _ in range(12)]
    assert statuses == [200] * 10 + [429] * 2
    assert len(asked) == 12
    assert len(set(asked)) == 1
    await world.client.aclose()
    world.store.close()


SMALL = 1000
LONG_SOUND = b"RIFF" + bytes(SMALL)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("route", ["/v1/conversations", "/v1/transcriptions", "/v1/audio/transcriptions", "/v1/estimate"])
async def test_a_recording_is_at_most_as_large_as_its_key_allows(guarded: World, route: str, announced: bool) -> None:
    narrow = await key_of(guarded, "acme", limits=KeyLimits(upload_bytes=SMALL))
    sent = guarded.client.build_request("POST", route, files={"file": ("a.wav", LONG_SOUND, "audio/wav")}, headers=narrow)
    body = sent.read()

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    headers = narrow | {"content-type": sent.headers["content-type"]}
    answer = await guarded.client.post(route, content=body if announced else pieces(), headers=headers)
    assert answer.status_code == 413
    assert f"larger than {SMALL} bytes" in answer.text
    assert await guarded.nothing_is_stored()


async def test_a_narrow_key_narrows_nobody_else(guarded: World) -> None:
    narrow, wide = KeyLimits(upload_bytes=SMALL), KeyLimits(upload_bytes=1024**5)
    await guarded.upload(headers=await key_of(guarded, "acme", limits=narrow))
    assert (await guarded.upload(sound=LONG_SOUND, headers=await key_of(guarded, "acme"))).status_code == 202
    # No key widens what the service takes.
    over = b"RIFF" + bytes(LIMITS.upload_bytes)
    assert (await guarded.upload(sound=over, headers=await key_of(guarded, "acme", limits=wide))).status_code == 413


async def test_an_upload_in_pieces_is_at_most_as_large_as_its_key_allows(guarded: World) -> None:
    narrow, other = await key_of(guarded, "acme", limits=KeyLimits(upload_bytes=SMALL)), await key_of(guarded, "acme")
    assert (await guarded.client.options("/v1/uploads", headers=narrow)).headers["tus-max-size"] == str(SMALL)
    begun = [
        await guarded.client.post("/v1/uploads", headers=key | TUS | {"Upload-Length": str(len(LONG_SOUND))})
        for key in (narrow, other)
    ]
    assert [answer.status_code for answer in begun] == [413, 201]
    # What another key of the tenant has brought is not taken through the narrow one.
    place, piece = begun[1].headers["location"], {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert (await guarded.client.patch(place, headers=other | TUS | piece, content=LONG_SOUND)).status_code == 204
    named = {"upload_id": place.rsplit("/", 1)[-1]}
    statuses = [(await guarded.client.post("/v1/conversations", json=named, headers=key)).status_code for key in (narrow, other)]
    assert statuses == [413, 202]


async def test_what_a_key_allows_goes_with_an_address_and_is_no_part_of_the_request(guarded: World) -> None:
    body, same = {"audio_url": "https://media.example.com/call.wav"}, {"Idempotency-Key": "k"}
    answers = []
    for limits in (KeyLimits(upload_bytes=SMALL), NO_LIMITS):
        key = await key_of(guarded, "acme", limits=limits)
        answers.append(await guarded.client.post("/v1/conversations", json=body, headers=key | same))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    job = await guarded.store.jobs.get("acme", answers[0].json()["id"])
    assert job.request.payload["max_bytes"] == SMALL


@pytest.fixture
async def acme(guarded: World) -> dict[str, str]:
    return await key_of(guarded, "acme")


async def belongings(world: World, owner: dict[str, str]) -> dict[str, str]:
    """Make one of everything that has an id, and return the ids by the names that routes give them."""
    ids: dict[str, str] = {}
    for request in (
        world.upload(headers=owner),
        world.client.post(
            "/v1/embeddings", json={"model": EMBEDDER.id, "input": "x"}, headers=owner | {"Prefer": "respond-async"}
        ),
    ):
        accepted = await request
        assert accepted.status_code == 202, accepted.text
        job = await world.complete()
        ids |= dict(job.result) | {"job_id": job.id}
    made = await world.client.post("/v1/webhooks", json={"url": "https://hooks.example.com/"}, headers=owner)
    ids["webhook_id"] = made.json()["id"]
    tested = await world.client.post(f"/v1/webhooks/{ids['webhook_id']}/test", headers=owner)
    ids["delivery_id"] = tested.json()["id"]
    upload = await world.client.post("/v1/uploads", headers=owner | TUS | {"Upload-Length": "5"})
    ids["upload_id"] = upload.headers["location"].rsplit("/", 1)[-1]
    voice = await world.store.voices.remember("acme", "Ann", SpokenVoice((1.0, 0.0), 9.0), VOICE_MODEL)
    ids["voice_id"] = voice.id
    return ids


SHARED_BY_ALL = {"/v1/models/{model_id:path}", "/problems/{code}"}
"""Not anybody's: which models are served, and what the kinds of problems mean."""


async def test_no_route_shows_one_tenant_what_is_anothers(guarded: World, acme: dict[str, str]) -> None:
    other = await key_of(guarded, "other")
    ids = await belongings(guarded, acme)
    with_ids = [(method, path) for method, path in operations(guarded) if "{" in path and path not in SHARED_BY_ALL]
    assert len(with_ids) >= 12, with_ids
    piece = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream", "X-HTTP-Method-Override": "PATCH"}
    for method, path in with_ids:
        place = path.format(**ids)
        if path.endswith("/speakers"):
            theirs = await guarded.client.request(method, place, headers=other, json={"Ann": "Ana"})
        else:
            content = b"hello" if method == "PATCH" else None
            theirs = await guarded.client.request(method, place, headers=other | piece, content=content)
        assert theirs.status_code == 404, (method, path, theirs.status_code, theirs.text)
    # The ids are real: their owner is answered on every one of them, so the 404s meant something.
    for method, path in with_ids:
        if method in ("GET", "HEAD"):
            own = await guarded.client.request(method, path.format(**ids), headers=acme | TUS)
            assert own.status_code == 200, (method, path, own.status_code)


async def test_lists_search_and_keys_of_idempotency_stay_inside_their_tenant(guarded: World, acme: dict[str, str]) -> None:
    other = await key_of(guarded, "other")
    await belongings(guarded, acme)
    assert (await guarded.client.get("/v1/jobs", headers=other)).json()["data"] == []
    assert (await guarded.client.get("/v1/webhooks", headers=other)).json()["data"] == []
    assert (await guarded.client.get("/v1/voices", headers=other)).json()["data"] == []
    for mode in ("hybrid", "semantic", "lexical"):
        query = {"query": "ship on Friday", "mode": mode}
        assert (await guarded.client.post("/v1/search", json=query, headers=other)).json()["hits"] == []
        assert (await guarded.client.post("/v1/search", json=query, headers=acme)).json()["hits"], mode
    same = {"Idempotency-Key": "k"}
    ours = await guarded.upload(sound=b"RIFF ours", headers=acme | same)
    theirs = await guarded.upload(sound=b"RIFF theirs", headers=other | same)
    assert (ours.status_code, theirs.status_code) == (202, 202)
    assert ours.json()["id"] != theirs.json()["id"]


async def test_a_recording_of_one_tenant_can_not_be_named_by_another(guarded: World, acme: dict[str, str]) -> None:
    other = await key_of(guarded, "other")
    length = {"Upload-Length": "5", "Upload-Metadata": f"filename {base64.b64encode(b'a.wav').decode()}"}
    made = await guarded.client.post("/v1/uploads", headers=acme | TUS | length)
    place = made.headers["location"]
    piece = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert (await guarded.client.patch(place, headers=acme | TUS | piece, content=b"hello")).status_code == 204
    named = {"upload_id": place.rsplit("/", 1)[-1]}
    assert (await guarded.client.post("/v1/conversations", json=named, headers=other)).status_code == 404
    assert (await guarded.client.post("/v1/conversations", json=named, headers=acme)).status_code == 202


async def test_what_a_refusal_links_to_can_be_read_without_a_key(guarded: World) -> None:
    refused = await guarded.client.get("/v1/jobs")
    meaning = await guarded.client.get(refused.json()["type"])

    assert (refused.status_code, meaning.status_code) == (401, 200)
    assert meaning.json()["title"] == "A key is needed"
    for path in ("/", "/docs", "/openapi.json", "/livez"):
        assert (await guarded.client.head(path)).status_code in (200, 307), path
