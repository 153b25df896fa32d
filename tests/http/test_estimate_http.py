"""POST /v1/estimate: real decoder, real voice activity detection, real store; no model runs."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import LIMITS

from domain.call import CallContext
from ports.embedder import InputType, LongTexts

JFK = Path(__file__).parents[1] / "data" / "speech" / "jfk.ogg"
SAID = [
    {"start": 0, "end": 6, "text": "The invoice export fails for large customers.", "speaker": "Ann"},
    {"start": 6, "end": 12, "text": "I will repair the export before Friday.", "speaker": "Bob"},
    {"start": 12, "end": 18, "text": "We decided to ship the release on Monday.", "speaker": "Ann"},
]


def nothing_is_left(world) -> bool:
    return not world.blob_files() and not list((world.folder / "work").iterdir())


async def test_a_recording_is_estimated_and_not_kept(world):
    form = {"language": "en", "stages": "transcription"}
    answer = await world.upload("/v1/estimate", sound=JFK.read_bytes(), data=form)

    body = answer.json()
    assert answer.status_code == 200
    assert (body["object"], body["exact"]) == ("estimate", True)
    assert body["audio_seconds"] == pytest.approx(11, abs=0.1)
    assert 5 < body["speech_seconds"] <= body["audio_seconds"]
    assert set(body["stages"]) == {"transcription"}
    assert (body["total"]["calls"], body["total"]["cached_calls"]) == (1, 0)
    assert body["stages"]["transcription"]["seconds"] == pytest.approx(1.1, abs=0.01)
    assert body["budget_left"] == {"tenant": {"audio_seconds": 3600.0, "tokens": None, "money_usd": None}}
    assert nothing_is_left(world)
    assert await world.nothing_is_stored()


async def test_a_recording_is_a_whole_conversation_unless_stages_say_less(world):
    body = (await world.upload("/v1/estimate", sound=JFK.read_bytes())).json()

    assert set(body["stages"]) == {"transcription", "recap", "embedding", "finding", "checking"}
    assert body["exact"] is False
    assert body["total"]["calls"] == sum(stage["calls"] for stage in body["stages"].values())
    assert body["total"]["cost_usd"] > 0
    assert body["basis"]


async def test_a_stored_transcript_segments_texts_and_a_length_are_estimated(world):
    await world.upload()
    transcript_id = (await world.complete()).result["transcript_id"]
    requests = [
        ({"transcript_id": transcript_id}, {"recap", "embedding", "finding", "checking"}),
        ({"segments": SAID, "language": "en"}, {"recap", "embedding", "finding", "checking"}),
        ({"input": ["a", "b"], "input_type": "query"}, {"embedding"}),
        ({"input": "a"}, {"embedding"}),
        ({"audio_seconds": 600}, {"transcription", "recap", "embedding", "finding", "checking"}),
    ]
    for body, stages in requests:
        answer = await world.client.post("/v1/estimate", json=body)
        assert (answer.status_code, set(answer.json()["stages"])) == (200, stages), body


async def test_what_is_cached_is_told(world):
    context = CallContext(tenant="default", conversation_id="conversation_1")
    await world.models.embedder.embed(["a", "b"], InputType.DOCUMENT, context, LongTexts.POOL)

    body = (await world.client.post("/v1/estimate", json={"input": ["a", "b"]})).json()
    unstored = {"Cache-Control": "no-store"}
    again = (await world.client.post("/v1/estimate", json={"input": ["a", "b"]}, headers=unstored)).json()

    assert (body["exact"], body["total"]) == (True, {"calls": 1, "cached_calls": 1, "tokens": 0, "cost_usd": 0, "seconds": 0.3})
    assert again["total"]["cached_calls"] == 0


REFUSED = {
    "nothing": ({}, 422),
    "two sources": ({"audio_seconds": 1, "input": ["a"]}, 422),
    "no length": ({"audio_seconds": 0}, 422),
    "a length in words": ({"audio_seconds": "ten"}, 422),
    "unknown transcript": ({"transcript_id": "transcript_nope"}, 404),
    "unknown template": ({"audio_seconds": 1, "template": "opera"}, 422),
    "unknown stage": ({"audio_seconds": 1, "stages": ["cooking"]}, 422),
    "stages of another request": ({"input": ["a"], "stages": ["recap"]}, 422),
    "unknown member": ({"audio_seconds": 1, "model": "x"}, 422),
    "segments out of order": ({"segments": SAID[::-1]}, 422),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_can_not_be_estimated_is_refused(world, case):
    body, status = REFUSED[case]
    answer = await world.client.post("/v1/estimate", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("sound", "status", "code"),
    [
        (b"", 422, "invalid_audio"),
        (b"x" * 1_000_001, 413, "too_large"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", 422, "invalid_audio"),
        (b"not a recording at all", 415, "unsupported_audio"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\nhttp://127.0.0.1/x.ts\n", 415, "unsupported_audio"),
    ],
)
async def test_a_recording_that_is_none_is_refused_and_not_kept(world, sound, status, code):
    answer = await world.upload("/v1/estimate", sound=sound)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert nothing_is_left(world)


async def test_another_type_of_body_is_refused(world):
    answer = await world.client.post("/v1/estimate", content=b"<x/>", headers={"content-type": "application/xml"})

    assert answer.status_code == 415


async def test_more_estimates_than_there_are_places_are_told_to_come_back(world):
    with world.estimating.slots.taken(), world.estimating.slots.taken():
        full = await world.client.post("/v1/estimate", json={"audio_seconds": 1})
    free = await world.client.post("/v1/estimate", json={"audio_seconds": 1})

    assert (full.status_code, full.headers["retry-after"], full.json()["code"]) == (429, "5", "rate_limited")
    assert free.status_code == 200


@pytest.mark.parametrize("limits", [replace(LIMITS, upload_bytes=4_000_000)])
async def test_the_service_answers_others_while_it_estimates(served):
    recording = Path(__file__).parents[2] / "serve_app" / "demo" / "launch-review.ogg"
    estimating = asyncio.create_task(served.upload("/v1/estimate", sound=recording.read_bytes()))
    answers = 0
    while not estimating.done():
        assert (await served.client.get("/livez")).status_code == 200
        answers += 1
    body = (await estimating).json()

    assert answers > 10
    assert body["audio_seconds"] > 60
    assert body["total"]["cached_calls"] == 0
