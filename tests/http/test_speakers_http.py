"""What a request says of speakers reaches the job, and what makes no sense is refused in words."""

import json

import pytest
from conftest import LIMITS, a_transcript

from application.speakers.asked import SpeakersAsked
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from domain.speakers import SpeakerCount
from ports.results import Ownership

URL = {"audio_url": "https://example.com/meeting.ogg"}


@pytest.fixture
def limits():
    return LIMITS


async def asked(world) -> SpeakersAsked:
    return SpeakersAsked.of((await world.claim()).job.request.payload.get("speakers"))


ASKED = [
    (True, SpeakersAsked(True)),
    (False, SpeakersAsked(False)),
    ({}, SpeakersAsked(True)),
    ({"count": 1}, SpeakersAsked(True, SpeakerCount(1, 1))),
    ({"min": 2, "max": 5, "names": [" Ana ", "Ben\n Lee"]}, SpeakersAsked(True, SpeakerCount(2, 5), ("Ana", "Ben Lee"))),
    ({"told_by": "channel"}, SpeakersAsked(True, told_by=ToldBy.CHANNEL)),
]  # fmt: skip


@pytest.mark.parametrize("route", ["/v1/conversations", "/v1/transcriptions"])
@pytest.mark.parametrize(("said", "meant"), ASKED)
async def test_what_is_said_of_speakers_reaches_the_job_from_a_body_and_from_a_form(world, route, said, meant):
    assert (await world.client.post(route, json=URL | {"speakers": said})).status_code == 202
    assert await asked(world) == meant
    assert (await world.upload(route, data={"speakers": json.dumps(said)})).status_code == 202
    assert await asked(world) == meant


async def test_a_request_that_says_nothing_carries_what_it_always_did(world):
    await world.client.post("/v1/conversations", json=URL)
    await world.upload("/v1/conversations")

    for _ in range(2):
        assert "speakers" not in (await world.claim()).job.request.payload


async def test_an_upload_in_pieces_says_it_in_the_body_that_names_it(world):
    begun = await world.client.post("/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "4"})
    upload, pieces = begun.headers["location"], {"Tus-Resumable": "1.0.0", "Upload-Offset": "0"}
    await world.client.patch(upload, content=b"RIFF", headers=pieces | {"Content-Type": "application/offset+octet-stream"})
    body = {"upload_id": upload.rpartition("/")[2], "speakers": {"count": 2}}
    assert (await world.client.post("/v1/conversations", json=body)).status_code == 202

    assert await asked(world) == SpeakersAsked(True, SpeakerCount(2, 2))


REFUSED = [
    (2, "`speakers` has to be true or false or an object."),
    ("two", "`speakers` has to be true or false or an object."),
    ({"count": 0}, "`speakers.count` has to be at least 1."),
    ({"count": 33}, "`speakers.count` has to be at most 32."),
    ({"count": "2"}, "`speakers.count` has to be a whole number."),
    ({"speakers": 2}, "`speakers.speakers` is not known here."),
    ({"count": 2, "max": 3}, "`speakers`: give either count, or min and max."),
    ({"min": 3, "max": 2}, "`speakers`: min is more than max."),
    ({"max": 1, "names": ["Ana", "Ben"]}, "`speakers`: names: more names than speakers."),
    ({"names": ["Ana", "ana"]}, "`speakers`: names: each name once."),
    ({"names": ["Speaker 2"]}, "`speakers`: names: a label such as `Speaker 2` belongs to the speaker who is heard second."),
    ({"names": [""]}, "`speakers.names.0` needs at least 1 character."),
    ({"names": ["\u200b"]}, "`speakers.names.0` is no name."),
    ({"told_by": "face"}, "`speakers.told_by` has to be 'voice' or 'channel'."),
]  # fmt: skip


@pytest.mark.parametrize(("said", "words"), REFUSED)
async def test_what_makes_no_sense_is_refused_in_words(world, said, words):
    by_body = await world.client.post("/v1/conversations", json=URL | {"speakers": said})
    by_form = await world.upload("/v1/conversations", data={"speakers": json.dumps(said)})

    assert (by_body.status_code, by_body.json()["detail"]) == (422, words)
    assert (by_form.status_code, by_form.json()["detail"]) == (422, words)
    assert await world.nothing_is_stored()


async def test_a_form_that_is_no_json_is_told_what_it_may_be(world):
    refused = await world.upload("/v1/conversations", data={"speakers": "yes please"})

    assert (refused.status_code, refused.json()["detail"]) == (422, "`speakers` is no JSON: true, false or an object.")


async def test_a_failure_is_named_in_a_transcript_that_is_whole_otherwise(world):
    whole = a_transcript("transcript_1")
    failed = whole.naming(Speakers(SpeakerStatus.FAILED, "speaker_model_unavailable"))
    await world.store.results.put_transcript(Ownership("default", "conversation_1"), failed)
    body = (await world.client.get("/v1/transcripts/transcript_1")).json()

    assert body["speakers"] == {
        "status": "failed", "reason": "speaker_model_unavailable", "told_by": None, "names": [], "labels": {}, "voices": None,
    }  # fmt: skip
    assert len(body["segments"]) == 2


OPENAI = "/v1/audio/transcriptions"


@pytest.mark.parametrize(
    ("form", "meant"),
    [
        ({}, SpeakersAsked(False)),
        ({"response_format": "diarized_json"}, SpeakersAsked(True)),
        ({"response_format": "diarized_json", "speakers": '{"count": 3}'}, SpeakersAsked(True, SpeakerCount(3, 3))),
        ({"response_format": "srt", "speakers": "true"}, SpeakersAsked(True)),
    ],
)  # fmt: skip
async def test_openais_route_looks_for_speakers_where_its_answer_has_a_place_for_them(world, form, meant):
    found = []

    async def work() -> None:
        lease = await world.claim()
        found.append(SpeakersAsked.of(lease.job.request.payload.get("speakers")))
        await world.complete(lease)

    world.clock.during_sleep.append(work)
    assert (await world.upload(OPENAI, data=form)).status_code == 200
    assert found == [meant]


@pytest.mark.parametrize(
    "form",
    [
        {"response_format": "diarized_json", "speakers": "false"},
        {"response_format": "json", "speakers": "true", "stream": "true"},
        {"response_format": "diarized_json", "stream": "true"},
        {"response_format": "diarized_json", "timestamp_granularities[]": "word"},
    ],
)
async def test_openais_route_refuses_what_can_not_go_together(world, form):
    assert (await world.upload(OPENAI, data=form)).status_code == 400
    assert await world.nothing_is_stored()


async def test_diarized_json_has_openais_shape_and_says_whether_speakers_were_found(world):
    world.clock.during_sleep.append(world.complete)
    body = (await world.upload(OPENAI, data={"response_format": "diarized_json", "chunking_strategy": "auto"})).json()

    assert (body["task"], body["duration"], body["usage"]) == ("transcribe", 66.0, {"type": "duration", "seconds": 66.0})
    assert body["segments"][0] == {
        "type": "transcript.text.segment", "id": "seg_0", "start": 0.5, "end": 1.4, "speaker": "Ann", "text": "Good morning",
    }  # fmt: skip
    assert body["speakers"]["status"] == "found"
