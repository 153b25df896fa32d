"""Uploads in pieces over a real server, with connections that break where they like."""

import asyncio
import base64
import hashlib
import random
from dataclasses import replace

import pytest

from tests.http.conftest import LIMITS

TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def limits():
    return replace(LIMITS, upload_idle_s=2.0)


def base64_of(value: bytes) -> str:
    return base64.b64encode(value).decode()


async def begin(world, length, **headers):
    answer = await world.client.post("/v1/uploads", headers=TUS | {"Upload-Length": str(length)} | headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def add(world, where, offset, data, **headers):
    return await world.client.patch(where, content=data, headers=PIECE | {"Upload-Offset": str(offset)} | headers)


async def offset_of(world, where):
    answer = await world.client.head(where, headers=TUS)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


async def connected(world, where, offset, announced):
    """A connection of its own on which a piece has begun."""
    reader, writer = await asyncio.open_connection(world.client.base_url.host, world.client.base_url.port)
    named = PIECE | {"Host": "localhost", "Upload-Offset": offset, "Content-Length": announced}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    writer.write(f"PATCH {where} HTTP/1.1\r\n{head}\r\n".encode())
    return reader, writer


async def broken(world, where, offset, data, announced):
    """Send a piece over a connection that breaks after `data`."""
    _, writer = await connected(world, where, offset, announced)
    writer.write(data)
    await writer.drain()
    if random.random() < 0.5:
        writer.transport.abort()
    else:
        writer.close()


async def settled(world, where):
    """The offset once the server has seen that the connection is gone."""
    last, same = -1, 0
    while same < 5:
        now = await offset_of(world, where)
        same = same + 1 if now == last else 0
        last = now
        await asyncio.sleep(0.02)
    return last


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_upload_that_breaks_off_at_random_is_the_same_in_the_end(served, seed):
    dice = random.Random(seed)
    sound = dice.randbytes(400_000)
    where = await begin(
        served, len(sound), **{"Upload-Metadata": f"filename {base64_of(b'../call.wav')},filetype {base64_of(b'audio/wav')}"}
    )
    at, breaks = 0, 0
    while at < len(sound):
        if breaks < 12:
            breaks += 1
            announced = len(sound) - at
            await broken(served, where, at, sound[at : at + dice.randrange(announced)], announced)
        else:
            await add(served, where, at, sound[at : at + 100_000])
        reached = await settled(served, where)
        assert at <= reached <= len(sound)
        at = reached

    answer = await served.client.post("/v1/conversations", json={"upload_id": where.rpartition("/")[2], "language": "en"})
    assert answer.status_code == 202, answer.text
    payload = (await served.store.jobs.get("default", answer.json()["id"])).request.payload
    assert payload["blob_id"] == hashlib.sha256(sound).hexdigest()
    assert b"".join([piece async for piece in served.blobs.read("default", payload["blob_id"])]) == sound
    assert (payload["filename"], payload["media_type"], payload["language"]) == ("call.wav", "audio/wav", "en")


async def test_the_protocol_is_described(world):
    answer = await world.client.options("/v1/uploads")
    assert answer.status_code == 204
    told = {name: answer.headers[name] for name in ("tus-resumable", "tus-version", "tus-max-size", "tus-extension")}
    extensions = "creation,expiration,termination,checksum"
    assert told == {"tus-resumable": "1.0.0", "tus-version": "1.0.0", "tus-max-size": "1000000", "tus-extension": extensions}


async def test_pieces_add_up_and_the_offset_is_told(world):
    where = await begin(world, 10, **{"Upload-Metadata": f"filename {base64_of(b'a.wav')}"})
    first = await add(world, where, 0, b"01234")
    assert (first.status_code, first.headers["upload-offset"], first.headers["tus-resumable"]) == (204, "5", "1.0.0")
    head = await world.client.head(where, headers=TUS)
    assert (head.headers["upload-offset"], head.headers["upload-length"]) == ("5", "10")
    assert head.headers["cache-control"] == "no-store"
    assert head.headers["upload-metadata"] == f"filename {base64_of(b'a.wav')}"
    assert head.headers["upload-expires"].endswith("GMT")
    assert (await add(world, where, 5, b"56789")).headers["upload-offset"] == "10"


@pytest.mark.parametrize("offset", [0, 4, 6, 99])
async def test_a_piece_at_another_place_is_a_conflict_and_changes_nothing(world, offset):
    where = await begin(world, 10)
    await add(world, where, 0, b"01234")
    answer = await add(world, where, offset, b"x")
    assert (answer.status_code, answer.json()["code"], answer.headers["tus-resumable"]) == (409, "offset_conflict", "1.0.0")
    assert await offset_of(world, where) == 5


async def test_more_than_was_announced_is_too_large_and_changes_nothing(world):
    where = await begin(world, 10)
    await add(world, where, 0, b"01234")
    answer = await add(world, where, 5, b"567890")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await offset_of(world, where) == 5
    too_long = await world.client.post("/v1/uploads", headers=TUS | {"Upload-Length": "1000001"})
    assert (too_long.status_code, too_long.json()["code"]) == (413, "too_large")


async def test_a_piece_that_is_not_what_its_checksum_says_is_dropped(world):
    where = await begin(world, 10)
    right = {"Upload-Checksum": "sha1 " + base64_of(hashlib.sha1(b"01234").digest())}
    wrong = await add(world, where, 0, b"0123x", **right)
    assert (wrong.status_code, wrong.json()["code"]) == (460, "checksum_mismatch")
    assert await offset_of(world, where) == 0
    assert (await add(world, where, 0, b"01234", **right)).status_code == 204
    for nonsense in ("crc32 AAAA", "sha1", "sha1 AAAA", "sha256 !"):
        answer = await add(world, where, 5, b"5", **{"Upload-Checksum": nonsense})
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


async def test_a_checked_piece_that_breaks_off_is_dropped(served):
    where = await begin(served, 1000)
    PIECE["Upload-Checksum"] = "sha1 " + base64_of(hashlib.sha1(b"x" * 1000).digest())
    try:
        await broken(served, where, 0, b"x" * 500, 1000)
    finally:
        del PIECE["Upload-Checksum"]
    assert await settled(served, where) == 0


async def test_two_at_once_can_not_mix(served):
    where = await begin(served, 1000)
    going_on, seen = asyncio.Event(), asyncio.Event()

    async def slowly():
        yield b"a" * 100
        seen.set()
        await going_on.wait()
        yield b"a" * 100

    first = asyncio.create_task(add(served, where, 0, slowly()))
    await seen.wait()
    while await offset_of(served, where) < 100:
        await asyncio.sleep(0.01)
    second = await add(served, where, 100, b"b" * 100)
    going_on.set()
    assert (second.status_code, second.json()["code"], second.headers["retry-after"]) == (423, "upload_busy", "2")
    assert (await first).headers["upload-offset"] == "200"


async def test_an_upload_is_forgotten_on_request_and_when_it_expires(world):
    where = await begin(world, 10)
    assert (await world.client.delete(where, headers=TUS)).status_code == 204
    assert (await world.client.head(where, headers=TUS)).status_code == 404

    where = await begin(world, 10)
    await add(world, where, 0, b"0123456789")
    world.clock.seconds += 86_401
    assert (await world.client.head(where, headers=TUS)).status_code == 410
    answer = await world.client.post("/v1/conversations", json={"upload_id": where.rpartition("/")[2]})
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")
    assert world.uploads.sweep() == 1
    assert [path for path in (world.folder / "uploads").rglob("*") if path.is_file()] == []


async def test_what_one_tenant_keeps_unused_is_bounded(world):
    for _ in range(3):
        await begin(world, 1_000_000)
    refused = await world.client.post("/v1/uploads", headers=TUS | {"Upload-Length": "1"})
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) > 0


async def test_an_upload_of_another_tenant_is_not_there(world):
    other = await world.uploads.create("other", 3, {})
    where = f"/v1/uploads/{other.id}"
    for answer in (
        await world.client.head(where, headers=TUS),
        await add(world, where, 0, b"abc"),
        await world.client.delete(where, headers=TUS),
        await world.client.post("/v1/conversations", json={"upload_id": other.id}),
    ):
        assert answer.status_code == 404
    assert (await world.uploads.get("other", other.id)).offset == 0


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "upload_..", "x", "upload_" + "0" * 32])
async def test_a_name_that_is_no_upload_is_not_found(world, name):
    assert (await world.client.head(f"/v1/uploads/{name}", headers=TUS)).status_code in (404, 422)


async def test_the_same_upload_makes_the_same_job_again_and_its_bytes_lie_once(world):
    where = await begin(world, 10)
    body, key = {"upload_id": where.rpartition("/")[2]}, {"Idempotency-Key": "k"}
    unfinished = await world.client.post("/v1/conversations", json=body)
    assert (unfinished.status_code, unfinished.json()["code"]) == (409, "upload_incomplete")
    assert await world.nothing_is_stored()

    await add(world, where, 0, b"0123456789")
    first, again = [await world.client.post("/v1/conversations", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert [path.suffix for path in (world.folder / "uploads").rglob("*") if path.is_file()] == [".json"]
    assert await offset_of(world, where) == 10
    assert (await add(world, where, 10, b"")).status_code == 409

    job = await world.complete()
    await world.client.delete(f"/v1/conversations/{job.result['conversation_id']}")
    gone = await world.client.post("/v1/conversations", json=body)
    assert (gone.status_code, gone.json()["code"]) == (410, "gone")


async def test_a_client_behind_a_proxy_may_name_the_method_in_a_header(world):
    where = await begin(world, 3)
    patched = await world.client.post(
        where, content=b"abc", headers=PIECE | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    )
    assert (patched.status_code, patched.headers["upload-offset"]) == (204, "3")
    assert (await world.client.post(where, headers=TUS)).status_code == 405
    assert (await world.client.post(where, headers=TUS | {"X-HTTP-Method-Override": "DELETE"})).status_code == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upload-Length": "5"}, 412),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412),
        (TUS, 400),
        (TUS | {"Upload-Length": "-1"}, 400),
        (TUS | {"Upload-Length": "five"}, 400),
        (TUS | {"Upload-Length": "9" * 40}, 400),
        (TUS | {"Upload-Defer-Length": "1"}, 400),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "filename !"}, 400),
        (TUS | {"Upload-Length": "5", "Upload-Metadata": "a " + "A" * 8000}, 400),
    ],
)
async def test_a_beginning_that_does_not_fit_is_refused(world, headers, status):
    answer = await world.client.post("/v1/uploads", headers=headers)
    assert (answer.status_code, answer.headers["tus-resumable"]) == (status, "1.0.0")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_piece_of_another_type_or_without_a_place_is_refused(world):
    where = await begin(world, 5)
    other = await world.client.patch(where, content=b"x", headers=TUS | {"Content-Type": "text/plain", "Upload-Offset": "0"})
    without = await world.client.patch(where, content=b"x", headers=PIECE)
    assert (other.status_code, without.status_code) == (415, 400)
    assert await offset_of(world, where) == 0


async def test_a_piece_is_larger_than_a_json_body_may_be(world):
    sound = bytes(LIMITS.json_bytes + 1)
    where = await begin(world, len(sound))
    assert (await add(world, where, 0, sound)).headers["upload-offset"] == str(len(sound))


async def test_a_body_names_one_recording(world):
    for body in ({}, {"upload_id": "x", "audio_url": "https://a.example.com/"}):
        answer = await world.client.post("/v1/conversations", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


async def test_a_stalled_piece_is_left_in_time_and_what_came_is_kept(served):
    where = await begin(served, 1000)
    reader, writer = await connected(served, where, 0, 1000)
    writer.write(b"a" * 100)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408")
    assert await settled(served, where) == 100
