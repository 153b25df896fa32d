"""Text that no encoding or database can keep is refused where it comes in, by its place and without its words."""

import json
from typing import Any

import httpx
import pytest
from conftest import World

HALF, NUL = "\\ud83d", "\\u0000"
SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"@": {}}}}}
SEGMENT = {"start": 0.0, "end": 1.0, "text": "@"}
BODIES: list[tuple[str, Any, str]] = [
    ("/v1/embeddings", {"input": "@"}, "input"),
    ("/v1/embeddings", {"input": ["good", "@"]}, "input.1"),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "@"}]}, "messages.0.content"),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}], "response_format": SCHEMA}, "properties"),
    ("/v1/search", {"query": "@"}, "query"),
    ("/v1/recaps", {"segments": [SEGMENT]}, "segments.0.text"),
    ("/v1/estimate", {"segments": [SEGMENT]}, "segments.0.text"),
    ("/v1/conversations", {"audio_url": "https://example.com/a", "vocabulary": "@"}, "vocabulary"),
    ("/v1/webhooks", {"url": "https://example.com/@"}, "url"),
]


async def send(world: World, route: str, body: bytes, kind: str = "application/json") -> httpx.Response:
    return await world.client.post(route, content=body, headers={"Content-Type": kind})


@pytest.mark.parametrize("broken", [HALF, NUL, "\\uDE00", f"{HALF}{HALF}"])
@pytest.mark.parametrize(("route", "body", "place"), BODIES)
async def test_half_a_surrogate_pair_and_a_nul_are_refused_by_their_place(
    world: World, route: str, body: Any, place: str, broken: str
) -> None:
    answer = await send(world, route, json.dumps(body).replace("@", broken).encode())

    assert answer.status_code in (400, 422), answer.text
    assert place in answer.text
    assert world.embedder.asked == world.writer.asked == []
    assert await world.nothing_is_stored()


async def test_a_whole_pair_and_what_only_looks_like_an_escape_are_text(world: World) -> None:
    body = rb'{"input": ["\ud83d\ude00", "\\ud83d", "\\u0000"]}'

    assert (await send(world, "/v1/embeddings", body)).status_code == 200
    assert world.embedder.asked[0][0] == ("\U0001f600", "\\ud83d", "\\u0000")


@pytest.mark.parametrize(
    "body", ['{"input": "ä"}'.encode("latin-1"), '{"input": "a"}'.encode("utf-16"), b'{"input": "\xed\xa0\xbd"}']
)
async def test_a_body_that_is_not_utf_8_is_refused(world: World, body: bytes) -> None:
    answer = await send(world, "/v1/embeddings", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_request")


async def test_the_number_of_an_event_is_one_that_a_database_keeps(world: World) -> None:
    job = (await world.upload()).json()
    for value in ("1" * 19, "9" * 5000, "1_0", "\u00b2"):
        answer = await world.client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": value.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request"), value[:30]
    assert (await world.client.get(f"/v1/jobs/{job['id']}/events?after={10**18}")).status_code == 422
