"""OpenAI's transcription route, with and without OpenAI's own client."""

import asyncio
import json
import math
from dataclasses import replace

import pytest
from conftest import LIMITS, a_transcript
from openai import APIError, AsyncOpenAI, BadRequestError, InternalServerError, UnprocessableEntityError

from domain.errors import NotFound
from domain.job import Problem

ROUTE = "/v1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
TEXT = "Good morning We ship A&B <now> --> on Friday"


async def fail(world, code: str = "invalid_audio") -> None:
    lease = await world.claim()
    await world.store.jobs.fail(lease, Problem(code, "The bytes are not audio."), None)


async def test_json_holds_the_text_and_the_seconds_used(world):
    world.clock.during_sleep.append(world.complete)
    answer = await world.upload(ROUTE, data={"model": "whisper-1"})

    assert answer.json() == {"text": TEXT, "usage": {"type": "duration", "seconds": 66.0}}


async def test_verbose_json_holds_segments(world):
    world.clock.during_sleep.append(world.complete)
    body = (await world.upload(ROUTE, data={"response_format": "verbose_json"})).json()

    assert (body["task"], body["language"], body["duration"]) == ("transcribe", "english", 66.0)
    assert set(body["segments"][0]) == {
        "id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob",
    }  # fmt: skip
    assert "words" not in body


@pytest.mark.parametrize("name", ["timestamp_granularities[]", "timestamp_granularities"])
async def test_words_come_when_asked_for(world, name):
    world.clock.during_sleep.append(world.complete)
    body = (await world.upload(ROUTE, data={"response_format": "verbose_json", name: "word"})).json()

    assert body["words"] == [{"word": "Good", "start": 0.5, "end": 0.9}, {"word": "morning", "start": 0.9, "end": 1.4}]
    assert "segments" not in body


@pytest.mark.parametrize(
    ("form", "media_type", "start"),
    [("text", "text/plain", TEXT), ("srt", "application/x-subrip", "1\n00:00:00,500 --> "), ("vtt", "text/vtt", "WEBVTT\n\n")],
)
async def test_plain_formats_are_plain_bodies(world, form, media_type, start):
    world.clock.during_sleep.append(world.complete)
    answer = await world.upload(ROUTE, data={"response_format": form})

    assert answer.headers["content-type"].startswith(media_type)
    assert answer.text.startswith(start)


REFUSED = [
    ({"response_format": "spoken_json"}, "response_format", 400),
    ({"temperature": "1.1"}, "temperature", 400),
    ({"include[]": "words"}, "include[]", 400),
    ({"include[]": "logprobs", "response_format": "text"}, "", 400),
    ({"stream": "true", "response_format": "srt"}, "", 400),
    ({"timestamp_granularities[]": "word"}, "", 400),
    ({"known_speaker_names[]": "Ann"}, "known_speaker_names[]", 400),
    ({"model": "gpt-9"}, "model", 404),
    ({"model": "all-MiniLM-L6-v2"}, "model", 404),
    ({"language": "klingonese"}, "language", 400),
    ({"language": "e"}, "language", 400),
]


@pytest.mark.parametrize(("data", "param", "status"), REFUSED)
async def test_what_is_not_honoured_is_refused_in_openais_envelope_and_stores_nothing(world, data, param, status):
    answer = await world.upload(ROUTE, data=data)

    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")
    assert param in (answer.json()["error"]["param"] or "")
    assert await world.nothing_is_stored()


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ({"file": ("a.wav", b"", "audio/wav")}, 422, "invalid_audio"),
        ({"file": ("a.wav", b"x" * 1_000_001, "audio/wav")}, 413, "too_large"),
        ({"file": ("a.png", b"x", "image/png")}, 415, "unsupported_media_type"),
        ({"other": ("a.wav", b"x", "audio/wav")}, 400, "validation_failed"),
    ],
)
async def test_a_bad_file_is_refused_in_openais_envelope_and_stores_nothing(world, files, status, code):
    answer = await world.upload(ROUTE, files=files)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await world.nothing_is_stored()


async def test_a_failed_job_is_its_error(world):
    world.clock.during_sleep.append(lambda: fail(world))
    answer = await world.upload(ROUTE)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_audio")
    assert answer.headers["location"].startswith("/v1/jobs/job_")


async def test_a_cancelled_job_is_an_error_that_is_not_retried(world):
    async def cancel() -> None:
        (job,) = await world.store.jobs.list("default", 1)
        await world.store.jobs.cancel("default", job.id)

    world.clock.during_sleep.append(cancel)
    answer = await world.upload(ROUTE)

    assert (answer.status_code, answer.headers["x-should-retry"]) == (409, "false")


async def test_a_job_that_is_not_done_in_time_is_handed_out_with_the_error(world):
    answer = await world.upload(ROUTE)

    assert (answer.status_code, answer.headers["x-should-retry"]) == (504, "false")
    assert answer.json()["error"]["job"]["status"] == "queued"


@pytest.mark.parametrize("route", [ROUTE, TRANSLATIONS])
async def test_who_prefers_a_job_is_told_where_jobs_are_handed_out_before_anything_is_stored(world, route):
    answer = await world.upload(route, headers={"Prefer": "respond-async"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Prefer")
    assert "/v1/transcriptions" in answer.json()["error"]["message"]
    assert await world.nothing_is_stored()


async def test_who_prefers_to_wait_less_waits_less(world):
    before = world.clock.now()
    answer = await world.upload(ROUTE, headers={"Prefer": "wait=2"})

    assert (answer.status_code, answer.headers["x-should-retry"], world.clock.now() - before) == (504, "false", 2)
    assert answer.json()["error"]["job"]["status"] == "queued"


async def test_the_compatible_route_and_our_own_make_the_same_job(world):
    headers = {"Idempotency-Key": "k"}
    first = await world.upload(ROUTE, headers=headers | {"Prefer": "wait=0"}, data={"language": "en-US"})
    again = await world.upload("/v1/transcriptions", headers=headers, data={"language": "english", "speakers": "false"})

    assert again.json()["id"] == first.json()["error"]["job"]["id"]


LANGUAGES = [("en-US", "en"), ("English", "en"), ("pt_BR", "pt"), ("castilian", "es"), ("haitian creole", "ht"), ("nb-NO", "no")]


@pytest.mark.parametrize("route", [ROUTE, "/v1/transcriptions", "/v1/conversations"])
@pytest.mark.parametrize(("said", "code"), LANGUAGES)
async def test_a_language_may_be_named_by_its_code_a_tag_or_in_english(world, route, said, code):
    await world.upload(route, headers={"Prefer": "wait=0"}, data={"language": said})

    (job,) = await world.store.jobs.list("default", 2)
    assert job.request.payload["language"] == code


async def test_a_temperature_is_part_of_the_job_and_none_is_no_part(world):
    for data in ({"temperature": "0.7"}, {"temperature": "0"}, {}):
        await world.upload(ROUTE, headers={"Prefer": "wait=0"}, data=data)

    jobs = await world.store.jobs.list("default", 5)
    assert [job.request.payload.get("temperature") for job in jobs] == [None, None, 0.7]
    assert jobs[0].request.body_sha256 == jobs[1].request.body_sha256 != jobs[2].request.body_sha256


async def test_log_probabilities_come_by_word_when_they_are_included(world):
    world.clock.during_sleep.append(world.complete)
    body = (await world.upload(ROUTE, data={"include[]": "logprobs"})).json()

    assert [(item["token"], bytes(item["bytes"])) for item in body["logprobs"]] == [("Good", b"Good"), ("morning", b"morning")]
    assert body["logprobs"][0]["logprob"] == pytest.approx(math.log(0.9))


async def test_a_translation_is_a_job_of_its_own_and_says_what_it_is(world):
    world.clock.during_sleep.append(world.complete)
    answer = await world.upload(
        TRANSLATIONS, data={"model": "whisper-1", "response_format": "verbose_json", "temperature": "0.2"}
    )

    (job,) = await world.store.jobs.list("default", 2)
    assert (answer.json()["task"], answer.json()["language"]) == ("translate", "english")
    assert (job.request.kind, job.request.payload["task"], job.request.payload["temperature"]) == (
        "transcription",
        "translate",
        0.2,
    )


async def test_what_a_route_stored_is_found_by_its_headers_and_can_be_deleted(world):
    world.clock.during_sleep.append(world.complete)
    answer = await world.upload(ROUTE)

    job = (await world.client.get(answer.headers["location"])).json()
    assert job["result"]["transcript_id"] == answer.headers["wordloop-transcript-id"]
    assert job["links"]["conversation"] == f"/v1/conversations/{answer.headers['wordloop-conversation-id']}"
    assert (await world.client.delete(job["links"]["conversation"])).status_code == 200
    assert await world.nothing_is_stored()


@pytest.mark.parametrize("request_", [{"data": {"store": "false"}}, {"headers": {"Cache-Control": "no-store"}}])
@pytest.mark.parametrize("route", [ROUTE, TRANSLATIONS])
async def test_who_wants_nothing_stored_gets_the_text_and_leaves_nothing(world, route, request_):
    ended = []

    async def work() -> None:
        ended.append(await world.complete())

    world.clock.during_sleep.append(work)
    answer = await world.upload(route, **request_)

    assert answer.json()["text"] == TEXT
    assert "location" not in answer.headers
    assert await world.nothing_is_stored()
    with pytest.raises(NotFound):
        await world.store.results.get_transcript("default", ended[0].result["transcript_id"])


async def test_what_nobody_wants_stored_and_nobody_fetched_is_deleted_soon(world):
    await world.upload(ROUTE, data={"store": "false"}, headers={"Prefer": "wait=0"})
    job = await world.complete()

    assert (job.request.store, job.request.keep_s) == (False, 600)
    assert await world.store.jobs.ended_before(None, {}, 10) == []
    world.clock.seconds += 601
    assert [old.id for old in await world.store.jobs.ended_before(None, {}, 10)] == [job.id]


@pytest.mark.parametrize("limits", [replace(LIMITS, compatible_keep_s=3600.0)])
async def test_these_routes_have_a_retention_of_their_own(world):
    await world.upload(ROUTE, headers={"Prefer": "wait=0"})
    await world.upload("/v1/transcriptions")

    own, compatible = await world.store.jobs.list("default", 2)
    assert (compatible.request.keep_s, own.request.keep_s) == (3600, None)


async def test_openais_client_reads_each_segment_while_the_rest_is_still_being_heard(served):
    """The worker goes on only when the client has read what it heard before, so nothing here waits for the end."""
    read = asyncio.Event()

    async def hear() -> None:
        while not (await served.store.jobs.depth()).get("queued"):
            await asyncio.sleep(0.005)
        lease = await served.claim()
        for segment in a_transcript("t").segments:
            await served.store.jobs.emit(lease, "transcript.segment", {"id": segment.id, "text": segment.text})
            await read.wait()
            read.clear()
        await served.complete(lease)

    worker = asyncio.create_task(hear())
    deltas = []
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0) as client:
        sound = ("call.wav", b"RIFF sound", "audio/wav")
        stream = await client.audio.transcriptions.create(model="whisper-1", file=sound, stream=True)
        async for event in stream:
            if event.type == "transcript.text.delta":
                deltas.append(event.delta)
                read.set()
            last = event
    await worker

    assert len(deltas) == 2
    assert "".join(deltas) == last.text == TEXT
    assert stream.response.headers["location"].startswith("/v1/jobs/job_")


async def test_openais_client_gets_every_format_and_the_stream(served):
    async def work() -> None:
        while True:
            if (await served.store.jobs.depth()).get("queued"):
                await served.complete()
            await asyncio.sleep(0.005)

    worker = asyncio.create_task(work())
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0) as client:
        create = client.audio.transcriptions.create
        sound = ("call.wav", b"RIFF sound", "audio/wav")
        plain = await create(model="whisper-1", file=sound, temperature=0.3, prompt="Wordloop", language="en-US")
        verbose = await create(
            model="whisper-1", file=sound, response_format="verbose_json", timestamp_granularities=["word", "segment"]
        )
        text = await create(model="whisper-1", file=sound, response_format="text")
        subtitles = await create(model="whisper-1", file=sound, response_format="srt", chunking_strategy="auto")
        stream = await create(model="whisper-1", file=sound, stream=True)
        events = [event async for event in stream]
        english = await client.audio.translations.create(model="whisper-1", file=sound)
        with pytest.raises(BadRequestError, match="/v1/transcriptions"):
            await create(model="whisper-1", file=sound, extra_headers={"Prefer": "respond-async"})
    worker.cancel()

    assert plain.text == english.text == TEXT
    assert (verbose.words[0].word, verbose.segments[1].end) == ("Good", 65.25)
    assert text == TEXT + "\n"
    assert subtitles.startswith("1\n")
    assert [event.type for event in events] == ["transcript.text.delta", "transcript.text.delta", "transcript.text.done"]
    assert "".join(event.delta for event in events[:-1]) == events[-1].text == TEXT


async def test_openais_client_raises_the_reason_also_in_the_middle_of_a_stream(served):
    async def work() -> None:
        failed = 0
        while failed < 2:
            if (await served.store.jobs.depth()).get("queued"):
                await fail(served)
                failed += 1
            await asyncio.sleep(0.005)

    worker = asyncio.create_task(work())
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0) as client:
        sound = ("call.wav", b"RIFF sound", "audio/wav")
        with pytest.raises(UnprocessableEntityError) as plain:
            await client.audio.transcriptions.create(model="whisper-1", file=sound)
        stream = await client.audio.transcriptions.create(model="whisper-1", file=sound, stream=True)
        with pytest.raises(APIError, match="not audio"):
            [event async for event in stream]
        with pytest.raises(UnprocessableEntityError):
            await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b""))
    await worker

    assert plain.value.code == "invalid_audio"


@pytest.mark.parametrize("limits", [replace(LIMITS, compatible_wait_s=0.2)])
async def test_openais_client_does_not_repeat_what_is_still_running(served):
    async with AsyncOpenAI(base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=2) as client:
        with pytest.raises(InternalServerError) as late:
            await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"sound"))

    assert len(await served.store.jobs.list("default", 10)) == 1
    assert json.loads(late.value.response.text)["error"]["job"]["object"] == "job"
