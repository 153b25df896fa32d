"""Requests at once: bounded in all and per caller; probes and other callers are never behind them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from conftest import LIMITS, World

from adapters.http.common.services import HttpLimits

HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
FORM = {"content-type": "multipart/form-data; boundary=b"}


@pytest.fixture
def limits() -> HttpLimits:
    """Few places, and little patience."""
    return replace(LIMITS, requests_at_once=5, requests_at_once_per_caller=3, slot_wait_s=0.2)


@asynccontextmanager
async def unfinished(world: World, count: int, route: str, address: str = "127.0.0.1") -> AsyncIterator[None]:
    """So many uploads that have begun and send no more until the context ends."""
    begun, end = asyncio.Semaphore(0), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield HEAD
        begun.release()
        await end.wait()

    client = from_address(world, address)
    sending = [asyncio.create_task(client.post(route, headers=FORM, content=body())) for _ in range(count)]
    for _ in range(count):
        await begun.acquire()
    try:
        yield
    finally:
        end.set()
        await asyncio.gather(*sending)
        await client.aclose()


def from_address(world: World, address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(world.app, client=(address, 1)), base_url="http://service")


async def test_uploads_that_dribble_do_not_keep_others_from_an_estimate(world):
    async with unfinished(world, 2, "/v1/estimate"):
        length = await world.client.post("/v1/estimate", json={"audio_seconds": 60})
        sound = (Path(__file__).parents[1] / "data" / "speech" / "jfk.ogg").read_bytes()
        recording = await world.upload("/v1/estimate", sound=sound, data={"stages": "transcription"})

    assert (length.status_code, recording.status_code) == (200, 200)


async def test_one_caller_reads_in_so_many_recordings_at_once_and_another_as_many(world):
    object.__setattr__(world.estimating.spool, "most_of_one", 2)
    async with unfinished(world, 2, "/v1/estimate"):
        third = await world.upload("/v1/estimate")
        async with from_address(world, "10.0.0.9") as other:
            others = await other.post("/v1/estimate", files={"file": ("a.wav", b"no sound", "audio/wav")})
    after = await world.upload("/v1/estimate")

    assert (third.status_code, third.headers["retry-after"]) == (429, "5")
    assert others.status_code == 422
    assert after.status_code in (415, 422)
    assert not list((world.folder / "work").iterdir())


async def test_a_caller_that_fills_its_places_is_told_so_and_others_are_served(world):
    async with unfinished(world, 3, "/v1/conversations"):
        own = await world.client.get("/v1/jobs")
        async with from_address(world, "10.0.0.9") as other:
            others = await other.get("/v1/jobs")
    after = await world.client.get("/v1/jobs")

    assert (own.status_code, own.json()["code"], own.headers["retry-after"]) == (429, "rate_limited", "1")
    assert (others.status_code, after.status_code) == (200, 200)


async def test_probes_are_answered_while_every_place_is_taken(world):
    three, two = unfinished(world, 3, "/v1/conversations"), unfinished(world, 2, "/v1/conversations", "10.0.0.9")
    async with three, two, from_address(world, "10.0.0.10") as other:
        refused = await other.get("/v1/jobs")
        alive = [(await other.get(probe)).status_code for probe in ("/livez", "/readyz")]

    assert (refused.status_code, refused.json()["code"]) == (503, "too_many_requests_at_once")
    assert refused.headers["retry-after"] == "1"
    assert alive == [200, 200]


async def test_who_finds_no_place_gets_the_next_one(world):
    async with unfinished(world, 3, "/v1/conversations"):
        waiting = asyncio.create_task(world.client.get("/v1/jobs"))
        await asyncio.sleep(0.01)
    assert (await waiting).status_code == 200


async def test_a_request_that_is_given_up_leaves_no_place_taken(world):
    async with unfinished(world, 3, "/v1/conversations"):
        given_up = [asyncio.create_task(world.client.get("/v1/jobs")) for _ in range(5)]
        await asyncio.sleep(0.01)
        for task in given_up:
            task.cancel()
        await asyncio.gather(*given_up, return_exceptions=True)
    answers = await asyncio.gather(*(world.client.get("/v1/jobs") for _ in range(3)))

    assert [answer.status_code for answer in answers] == [200, 200, 200]
