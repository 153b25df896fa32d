"""A service that asks for no key serves programs of its machine and its own pages, and no page of another site."""

from pathlib import Path

import httpx
import pytest
from conftest import LIMITS, WaitingClock, World, make_world

from domain.api_key import Scope

PART = {"file": ("a.wav", b"RIFF sound", "audio/wav")}


async def ask(world: World, host: str = "service", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.client.get("/v1/jobs", headers={"Host": host, **named})


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "service"])
async def test_loopback_names_and_configured_ones_are_answered(world: World, host: str) -> None:
    assert (await ask(world, host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil@localhost",
        "[::1",
        "",
        "a b",
    ],
)
async def test_another_name_is_misdirected(world: World, host: str) -> None:
    answer = await ask(world, host)
    assert (answer.status_code, answer.json()["code"]) == (421, "host_refused")
    assert "evil" not in answer.text


async def test_two_names_are_one_too_many(world: World) -> None:
    answer = await world.client.get("/livez", headers=[("Host", "service"), ("Host", "localhost")])
    assert answer.status_code == 421


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://service:81", "http://service.evil"]
)
async def test_a_page_of_another_site_is_refused_before_it_changes_anything(world: World, origin: str) -> None:
    answer = await world.client.post("/v1/conversations", files=PART, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "page_refused")
    assert await world.nothing_is_stored()


async def test_a_browser_that_says_cross_site_is_refused_without_an_origin_too(world: World) -> None:
    assert (await ask(world, Sec_Fetch_Site="cross-site")).status_code == 403
    assert (await ask(world, Origin="http://service", Sec_Fetch_Site="cross-site")).status_code == 403


async def test_the_services_own_pages_may_ask(world: World) -> None:
    for headers in (
        {"Origin": "http://service"},
        {"Origin": "https://service"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ):
        assert (await ask(world, **headers)).status_code == 200, headers


async def test_a_page_that_the_operator_trusts_may_ask(tmp_path: Path) -> None:
    made = make_world(tmp_path, LIMITS, WaitingClock(), origins=frozenset({"http://localhost:3000"}))
    async with made.client:
        assert (await ask(made, Origin="http://localhost:3000", Sec_Fetch_Site="cross-site")).status_code == 200
        assert (await ask(made, Origin="http://localhost:3001")).status_code == 403
    made.store.close()


async def test_a_service_that_asks_for_keys_answers_under_every_name(tmp_path: Path) -> None:
    made = make_world(tmp_path, LIMITS, WaitingClock(), ask_for_keys=True)
    async with made.client:
        assert (
            await made.client.get("/livez", headers={"Host": "ml.example.com", "Origin": "https://a.example"})
        ).status_code == 200
    made.store.close()


async def test_a_redirect_follows_no_name_that_the_client_gave(world: World, tmp_path: Path) -> None:
    answer = await world.client.get("/v1/jobs/?limit=2")
    assert (answer.status_code, answer.headers["location"]) == (307, "/v1/jobs?limit=2")

    (tmp_path / "keys").mkdir()
    made = make_world(tmp_path / "keys", LIMITS, WaitingClock(), ask_for_keys=True)
    async with made.client:
        _, key = await made.store.keys.create("acme", frozenset(Scope), "", None)
        answer = await made.client.get("/v1/jobs/", headers={"Authorization": f"Bearer {key}", "Host": "evil.example"})
        assert (answer.status_code, answer.headers["location"]) == (307, "/v1/jobs")
    made.store.close()
