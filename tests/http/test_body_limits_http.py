"""What a request may bring is decided by its route, not by what the client calls it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from conftest import LIMITS, World

from adapters.http.common.services import HttpLimits

MULTIPART = "multipart/form-data; boundary=b"
FORM = {"content-type": MULTIPART}
PIECE = b"x" * 10_000


@pytest.fixture
def limits() -> HttpLimits:
    """Little time for bodies."""
    return replace(LIMITS, body_s=0.3, upload_idle_s=0.3, upload_bytes_per_s=100_000.0)


class Endless:
    """A body without an announced length; keeps how much of it was asked for, and stops at `most`."""

    def __init__(self, most: int) -> None:
        self.given = 0
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.given < self._most:
            self.given += len(PIECE)
            yield PIECE


async def status_while_sending(world: World, request: str, body: AsyncIterator[bytes], header: str) -> int:
    """The status that comes while the body is still being sent; 0 when the service only hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", world.client.base_url.port)
    writer.write(f"{request} HTTP/1.1\r\nHost: service\r\nTransfer-Encoding: chunked\r\n{header}\r\n\r\n".encode())

    async def send() -> None:
        with suppress(ConnectionError):
            async for piece in body:
                writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                await writer.drain()

    sending = asyncio.create_task(send())
    try:
        line = await asyncio.wait_for(reader.readline(), 5)
        return int(line.split()[1]) if line else 0
    finally:
        sending.cancel()
        writer.close()


async def dribble(first: bytes = b"", pause_s: float = 0.05) -> AsyncIterator[bytes]:
    if first:
        yield first
    while True:
        await asyncio.sleep(pause_s)
        yield b" "


@pytest.mark.parametrize("route", ["/v1/search", "/v1/embeddings", "/v1/chat/completions", "/v1/recaps", "/v1/webhooks"])
async def test_a_body_called_multipart_is_no_larger_than_any_other_on_a_route_that_takes_json(world, route):
    announced = await world.client.post(route, headers=FORM | {"content-length": "300000000"}, content=Endless(20_000))
    body = Endless(50_000_000)
    counted = await world.client.post(route, headers=FORM, content=body)

    assert announced.status_code == 413
    assert counted.status_code in (413, 415)
    assert body.given <= LIMITS.json_bytes + len(PIECE)


async def test_a_body_called_json_is_no_recording_on_a_route_that_takes_recordings(world):
    body = Endless(50_000_000)
    answer = await world.client.post("/v1/conversations", headers={"content-type": "application/json"}, content=body)

    assert answer.status_code == 413
    assert body.given <= LIMITS.json_bytes + len(PIECE)


async def test_a_recording_is_bounded_by_count_where_its_length_was_not_announced(world):
    body = Endless(50_000_000)
    answer = await world.client.post("/v1/conversations", headers=FORM, content=body)

    assert answer.status_code in (400, 413)
    assert body.given <= LIMITS.upload_bytes + 1024 * 1024 + len(PIECE)


BODYLESS = [
    ("GET", "/v1/jobs/job_1"),
    ("GET", "/v1/jobs"),
    ("GET", "/livez"),
    ("GET", "/v1/models"),
    ("GET", "/docs"),
    ("DELETE", "/v1/conversations/conversation_1"),
    ("POST", "/v1/jobs/job_1/cancel"),
    ("POST", "/v1/uploads"),
]


@pytest.mark.parametrize(("method", "route"), BODYLESS)
async def test_a_route_that_takes_no_body_refuses_one_before_it_is_read(world, method, route):
    told = {"prefer": "wait=60", "tus-resumable": "1.0.0", "upload-length": "1"}
    announced = await world.client.request(method, route, headers=told, content=b"{}")
    body = Endless(50_000_000)
    chunked = await world.client.request(method, route, headers=told, content=body)

    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.headers["connection"] == "close"
    assert body.given <= 2 * len(PIECE)


async def test_a_body_in_no_chunks_is_no_body(world):
    job = (await world.upload()).json()

    cancelled = await world.client.post(f"/v1/jobs/{job['id']}/cancel", content=Endless(0))
    seen = await world.client.get(f"/v1/jobs/{job['id']}", headers={"content-length": "0"})

    assert (cancelled.status_code, seen.status_code) == (200, 200)


DRIBBLING = {
    "search": ("POST /v1/search", b"{", 408),
    "jobs": ("GET /v1/jobs", b"", 413),
    "cancel": ("POST /v1/jobs/j/cancel", b"", 413),
}


@pytest.mark.parametrize("case", DRIBBLING)
async def test_a_body_that_dribbles_is_left_in_time(served, case):
    """Each byte comes well within any pause that a server may allow."""
    head, first, status = DRIBBLING[case]
    begun = asyncio.get_running_loop().time()
    assert await status_while_sending(served, head, dribble(first), "Content-Type: application/json") == status
    assert asyncio.get_running_loop().time() - begun < 3


async def test_an_upload_that_dribbles_is_left_in_time(served):
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    begun = asyncio.get_running_loop().time()
    assert await status_while_sending(served, "POST /v1/conversations", dribble(head), f"Content-Type: {MULTIPART}") == 408
    assert asyncio.get_running_loop().time() - begun < 3
    assert not served.blob_files()


async def test_an_upload_that_comes_fast_enough_may_take_longer_than_a_pause(served):
    async def steady() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        for _ in range(12):
            await asyncio.sleep(0.05)
            yield PIECE
        yield b"\r\n--b--\r\n"

    answer = await served.client.post("/v1/conversations", headers=FORM, content=steady())

    assert answer.status_code == 202, answer.text


async def test_who_waits_for_a_job_sends_no_body_meanwhile(served):
    """200 MB in chunks were held for as long as the job was waited for."""
    job, body = (await served.upload()).json(), Endless(200_000_000)
    status = await status_while_sending(served, f"GET /v1/jobs/{job['id']}", aiter(body), "Prefer: wait=60")

    assert status == 413
    assert body.given < 20_000_000
