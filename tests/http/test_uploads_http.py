"""Uploads: what gets in, and that everything else leaves nothing behind."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from adapters.sql.job_order import Admission
from application.payloads import AudioPayload

BOUNDARY = "frontier"
MULTIPART = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'.encode()
)
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def field(name: str, value: str) -> bytes:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


async def test_an_upload_is_stored_under_its_hash_and_answered_with_a_job(world):
    answer = await world.upload(sound=b"some sound", data={"language": "en", "prompt": "Wordloop", "template": "sales"})

    job = answer.json()
    stored = await world.store.jobs.get("default", job["id"])
    payload = AudioPayload.of(stored.request.payload)
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    assert (job["object"], job["kind"], job["status"]) == ("job", "conversation", "queued")
    assert job["progress"]["queue_position"] == 1
    assert job["links"]["events"] == f"/v1/jobs/{job['id']}/events"
    assert payload.blob_id == hashlib.sha256(b"some sound").hexdigest()
    assert (payload.size, payload.filename, payload.media_type) == (10, "call.wav", "audio/wav")
    assert (payload.language, payload.vocabulary, payload.template) == ("en", "Wordloop", "sales")
    assert b"".join([piece async for piece in world.blobs.read("default", payload.blob_id)]) == b"some sound"


async def test_a_form_may_shape_its_template_in_json_and_say_when_the_recording_was_made(world):
    shaped = {"base": "sales", "sections": ["summary"], "instructions": {"summary": "Name the customer."}, "language": "de"}
    answer = await world.upload(data={"template": json.dumps(shaped), "recorded_at": "2026-11-30T09:30:00+01:00"})

    payload = AudioPayload.of((await world.store.jobs.get("default", answer.json()["id"])).request.payload)
    assert (payload.template, payload.recorded_at) == (shaped, "2026-11-30T09:30:00+01:00")


async def test_terms_of_the_request_reach_the_job(world):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await world.upload("/v1/transcriptions", headers={"traceparent": trace, "cache-control": "no-store"})

    request = (await world.store.jobs.get("default", answer.json()["id"])).request
    assert request.traceparent == trace
    assert request.store is False
    assert request.kind == "transcription"
    assert request.deadline == world.clock.now() + 86_400


async def test_a_file_name_is_kept_as_words_without_path_and_control_characters(world):
    name = '../../etc/Réunion\u202e "x"\x07.wav'
    answer = await world.upload(files={"file": (name, b"sound", "audio/wav")})

    payload = (await world.store.jobs.get("default", answer.json()["id"])).request.payload
    assert ".." not in payload["filename"]
    assert payload["filename"].startswith("Réunion")
    assert payload["filename"].isprintable()


async def test_fields_may_follow_the_file(world):
    body = HEAD + b"sound\r\n" + field("language", "de") + TAIL.removeprefix(b"\r\n")
    answer = await world.client.post("/v1/transcriptions", content=body, headers=MULTIPART)

    assert answer.status_code == 202
    assert (await world.store.jobs.get("default", answer.json()["id"])).request.payload["language"] == "de"


async def test_sound_that_looks_like_a_boundary_arrives_whole_in_single_bytes(world):
    sound = f"\r\n--{BOUNDARY[:-1]}\r\n--\r\n\r--{BOUNDARY}".encode() * 3

    async def byte_by_byte() -> AsyncIterator[bytes]:
        for byte in HEAD + sound + TAIL:
            yield bytes([byte])

    answer = await world.client.post("/v1/transcriptions", content=byte_by_byte(), headers=MULTIPART)

    blob_id = (await world.store.jobs.get("default", answer.json()["id"])).request.payload["blob_id"]
    assert blob_id == hashlib.sha256(sound).hexdigest()


REFUSED = {
    "empty file": (HEAD + TAIL, MULTIPART, 422, "invalid_audio"),
    "empty body": (b"", MULTIPART, 400, "malformed_request"),
    "cut off in the file": (HEAD + b"half of it", MULTIPART, 400, "malformed_request"),
    "cut off before the file": (HEAD[:30], MULTIPART, 400, "malformed_request"),
    "cut off in the last boundary": (HEAD + b"sound" + TAIL[:-4], MULTIPART, 400, "malformed_request"),
    "another boundary": (HEAD + b"sound" + TAIL, {"content-type": "multipart/form-data; boundary=x"}, 400, "malformed_request"),
    "no boundary": (HEAD + b"sound" + TAIL, {"content-type": "multipart/form-data"}, 400, "malformed_request"),
    "endless boundary": (b"", {"content-type": f"multipart/form-data; boundary={'x' * 3000}"}, 400, "malformed_request"),
    "bare sound": (b"RIFF", {"content-type": "audio/wav"}, 415, "unsupported_media_type"),
    "no type": (b"RIFF", {}, 415, "unsupported_media_type"),
    "multipart/mixed": (HEAD + TAIL, {"content-type": "multipart/mixed; boundary=frontier"}, 415, "unsupported_media_type"),
    "an image": (HEAD.replace(b"audio/wav", b"image/png") + b"x" + TAIL, MULTIPART, 415, "unsupported_media_type"),
    "no file": (field("language", "en") + TAIL.removeprefix(b"\r\n"), MULTIPART, 422, "validation_failed"),
    "file under another name": (HEAD.replace(b'"file"', b'"audio"') + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "two files": (HEAD + b"one\r\n" + HEAD + b"two" + TAIL, MULTIPART, 422, "validation_failed"),
    "unknown field": (field("owner", "me") + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "field twice": (field("language", "en") * 2 + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "bad language": (field("language", "../x") + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "template that is no JSON": (field("template", "{base") + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "unknown section": (field("template", '{"sections": ["x"]}') + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "no date": (field("recorded_at", "soon") + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "unknown template": (field("template", "poem") + HEAD + b"x" + TAIL, MULTIPART, 422, "validation_failed"),
    "long field": (field("prompt", "x" * 70_000) + HEAD + b"x" + TAIL, MULTIPART, 400, "malformed_request"),
    "field not UTF-8": (field("prompt", "?").replace(b"?", b"\xff") + HEAD + b"x" + TAIL, MULTIPART, 400, "malformed_request"),
    "many parts": (
        b"".join(field(f"a{n}", "") for n in range(70)) + HEAD + b"x" + TAIL, MULTIPART, 400, "malformed_request",
    ),
    "long header": (HEAD.replace(b"a.wav", b"a" * 9000) + b"x" + TAIL, MULTIPART, 400, "malformed_request"),
    "nameless part": (HEAD.replace(b'name="file"; ', b"") + b"x" + TAIL, MULTIPART, 400, "malformed_request"),
    "bad idempotency key": (HEAD + b"x" + TAIL, MULTIPART | {"idempotency-key": "k" * 300}, 400, "malformed_request"),
    "too large, announced": (HEAD + b"x" * 2_500_000 + TAIL, MULTIPART, 413, "too_large"),
    "too large, a little": (HEAD + b"x" * 1_000_001 + TAIL, MULTIPART, 413, "too_large"),
}  # fmt: skip


@pytest.mark.parametrize("route", ["/v1/conversations", "/v1/transcriptions"])
@pytest.mark.parametrize("case", REFUSED)
async def test_a_refused_upload_is_a_problem_and_stores_nothing(world, case, route):
    body, headers, status, code = REFUSED[case]
    answer = await world.client.post(route, content=body, headers=headers)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"] == "request-1"
    assert await world.nothing_is_stored()


async def test_the_limit_itself_is_still_let_in(world):
    answer = await world.upload(sound=b"x" * 1_000_000)

    assert answer.status_code == 202


async def test_an_upload_of_unknown_length_is_cut_off_at_the_limit_and_not_read_to_its_end(world):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield HEAD
        while True:
            sent += 65_536
            yield b"x" * 65_536

    answer = await world.client.post("/v1/conversations", content=endless(), headers=MULTIPART)

    assert answer.status_code == 413
    assert sent < 1_300_000
    assert await world.nothing_is_stored()


async def test_an_announced_length_over_the_limit_is_refused_before_a_byte_is_read(world):
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield HEAD

    headers = MULTIPART | {"content-length": "900000000"}
    answer = await world.client.post("/v1/conversations", content=body(), headers=headers)

    assert (answer.status_code, read) == (413, False)


async def test_a_client_that_goes_away_half_way_leaves_nothing(world):
    messages: list[Message] = [
        {"type": "http.request", "body": HEAD + b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    files_half_way: list[int] = []

    async def receive() -> Message:
        files_half_way.append(len(world.blob_files()))
        return messages.pop(0)

    async def send(message: Message) -> None:
        assert message["type"] != "http.response.start" or message["status"] == 400

    scope = {
        "type": "http", "method": "POST", "path": "/v1/conversations", "raw_path": b"/v1/conversations", "query_string": b"",
        "headers": [(b"host", b"service"), (b"content-type", MULTIPART["content-type"].encode())],
        "http_version": "1.1", "scheme": "http",
        "server": ("service", 80), "client": ("client", 1), "root_path": "",
    }  # fmt: skip
    await world.app(scope, receive, send)

    assert not messages
    assert files_half_way[-1] == 1, "the first half was on its way to disk"
    assert await world.nothing_is_stored()


async def test_a_cancelled_request_leaves_nothing(world):
    reached = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield HEAD + b"half"
        reached.set()
        await asyncio.Event().wait()

    request = asyncio.create_task(world.client.post("/v1/conversations", content=stuck(), headers=MULTIPART))
    await reached.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)

    assert await world.nothing_is_stored()


async def test_a_tenant_at_its_share_is_refused_before_the_upload_is_read_and_told_when_to_come_back(world):
    world.store.jobs._admission = Admission(1000, 5, max_queued_per_tenant=1)
    lease = (await world.upload(sound=b"first")) and await world.store.jobs.claim("w", 60.0)
    world.clock.seconds += 20.0
    await world.store.jobs.complete(lease, {})
    assert (await world.upload(sound=b"second")).status_code == 202
    before = world.blob_files()
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield HEAD + b"x" + TAIL

    answer = await world.client.post("/v1/conversations", content=body(), headers=MULTIPART)

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (429, "rate_limited", "20")
    assert not read
    assert world.blob_files() == before


async def test_a_tenant_without_room_is_told_and_others_pass(world):
    world.store.results._max_tenant_bytes = 10
    world.store.jobs._admission = Admission(1000, 5, max_tenant_bytes=10)
    kept = await world.upload(sound=b"123456")
    assert kept.status_code == 202
    refused = await world.upload(sound=b"12345")
    assert (refused.status_code, refused.json()["code"], refused.headers["x-should-retry"]) == (507, "quota_exceeded", "false")
    assert "6 of 10 bytes" in refused.json()["detail"]
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
    assert (await world.client.post("/v1/uploads", headers=tus)).json()["code"] == "quota_exceeded"
    assert (
        await world.client.post("/v1/recaps", json={"segments": [{"start": 0, "end": 1, "text": "Hello."}]})
    ).status_code == 202
    assert (await world.client.delete(kept.json()["links"]["conversation"])).status_code == 200
    assert (await world.upload(sound=b"12345")).status_code == 202


async def test_a_disk_without_room_is_told_and_leaves_nothing(world):
    room, world.blobs._keep_free = world.blobs._keep_free, 10**18
    answer = await world.upload(sound=b"some sound")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert answer.headers["content-type"] == "application/problem+json"
    assert await world.nothing_is_stored()
    world.blobs._keep_free = room
    assert (await world.upload(sound=b"some sound")).status_code == 202


async def test_a_full_queue_refuses_before_the_upload_is_read(world):
    for number in range(3):
        assert (await world.upload(sound=b"sound %d" % number)).status_code == 202
    before = world.blob_files()
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield HEAD + b"x" + TAIL

    answer = await world.client.post("/v1/conversations", content=body(), headers=MULTIPART)

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "queue_full", "5")
    assert not read
    assert world.blob_files() == before


async def test_the_same_key_and_body_give_the_same_job(world):
    first = await world.upload(headers={"Idempotency-Key": "abc"})
    again = await world.upload(headers={"Idempotency-Key": '"abc"'})

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("other", [{"sound": b"other sound"}, {"data": {"language": "fr"}}, {"route": "/v1/transcriptions"}])
async def test_the_same_key_with_another_request_is_refused_and_keeps_the_first(world, other):
    first = await world.upload(headers={"Idempotency-Key": "abc"})
    before = world.blob_files()
    answer = await world.upload(headers={"Idempotency-Key": "abc"}, **other)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_mismatch")
    assert [job.id for job in await world.store.jobs.list("default", 10)] == [first.json()["id"]]
    assert world.blob_files() == before, "the bytes of the refused upload are gone, those of the first are kept"


async def test_a_finished_job_is_replayed_with_200(world):
    await world.upload(headers={"Idempotency-Key": "abc"})
    await world.complete()
    again = await world.upload(headers={"Idempotency-Key": "abc"})

    assert (again.status_code, again.json()["status"]) == (200, "completed")
    assert "retry-after" not in again.headers


async def test_prefer_wait_answers_with_the_ended_job(world):
    world.clock.during_sleep.append(world.complete)
    answer = await world.upload(headers={"Prefer": "wait=10"})

    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.headers["vary"] == "Prefer"


async def test_prefer_wait_is_bounded_and_then_hands_out_the_job(world):
    before = world.clock.now()
    answer = await world.upload(headers={"Prefer": "respond-async, wait=9999"})

    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["preference-applied"] == "respond-async, wait=60"
    assert world.clock.now() - before == pytest.approx(60)
