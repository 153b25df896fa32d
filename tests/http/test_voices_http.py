"""Kept voices: listed without what they sound like, deleted, never another tenant's; and what a request may say of them."""

import json

import pytest
from conftest import VOICE_MODEL, a_transcript

from application.speakers.asked import SpeakersAsked
from domain.named_speakers import KnownVoices, NotRemembered, Recognised, Speakers, SpeakerStatus, ToldBy
from domain.speakers import SpokenVoice
from domain.voice_profiles import VoiceModel
from ports.results import Ownership

URL = {"audio_url": "https://example.com/meeting.ogg"}
VOICE = SpokenVoice((0.6, 0.8), 12.345)


async def test_voices_are_listed_by_name_without_their_vectors(world):
    kept = await world.store.voices.remember("default", "Bo", VOICE, VOICE_MODEL)
    await world.store.voices.remember("default", "Ann", VOICE, VoiceModel("speaker-networks", "r0"))
    await world.store.voices.remember("other", "Eve", VOICE, VOICE_MODEL)
    body = (await world.client.get("/v1/voices")).json()

    assert [(voice["name"], voice["usable"], voice["model"]["revision"]) for voice in body["data"]] == [
        ("Ann", False, "r0"),
        ("Bo", True, "r1"),
    ]
    assert body["data"][1] == {
        "id": kept.id, "object": "voice", "name": "Bo", "seconds": 12.35, "usable": True,
        "model": {"id": "speaker-networks", "revision": "r1"}, "remembered_at": world.clock.now(),
    }  # fmt: skip


async def test_a_deleted_voice_is_gone_and_those_of_others_are_not_there(world):
    kept = await world.store.voices.remember("default", "Ann", VOICE, VOICE_MODEL)
    foreign = await world.store.voices.remember("other", "Eve", VOICE, VOICE_MODEL)

    assert (await world.client.delete(f"/v1/voices/{foreign.id}")).status_code == 404
    assert (await world.client.delete(f"/v1/voices/{kept.id}")).status_code == 204
    assert (await world.client.delete(f"/v1/voices/{kept.id}")).status_code == 404
    assert (await world.client.get("/v1/voices")).json()["data"] == []
    assert len(await world.store.voices.list("other")) == 1


async def test_all_voices_go_at_once(world):
    for name in ("Ann", "Bo"):
        await world.store.voices.remember("default", name, VOICE, VOICE_MODEL)
    await world.store.voices.remember("other", "Eve", VOICE, VOICE_MODEL)

    assert (await world.client.delete("/v1/voices")).json() == {"object": "voices.deleted", "deleted": 2}
    assert (await world.client.get("/v1/voices")).json()["data"] == []
    assert len(await world.store.voices.list("other")) == 1


KEPT = {"names": ["Ana", "Ben"], "remember": ["Ben"], "recognise": True}


async def test_what_is_asked_of_voices_reaches_the_job_from_a_body_and_from_a_form(world):
    await world.client.post("/v1/conversations", json=URL | {"speakers": KEPT})
    await world.upload("/v1/conversations", data={"speakers": json.dumps(KEPT)})

    for _ in range(2):
        payload = (await world.claim()).job.request.payload
        meant = SpeakersAsked.of(payload.get("speakers"))
        assert meant == SpeakersAsked(True, names=("Ana", "Ben"), recognise=True, remember=("Ben",))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"names": ["Ana"], "remember": ["Ben"]}, "whose voice is kept stands in names"),
        ({"remember": ["Ben"]}, "whose voice is kept stands in names"),
        ({"names": ["Speaker 1"], "remember": ["Speaker 1"]}, "is nobody's name"),
        ({"told_by": "channel", "recognise": True}, "go by voice"),
        ({"recognise": "yes"}, "recognise"),
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(world, said, words):
    refused = await world.client.post("/v1/conversations", json=URL | {"speakers": said})

    assert refused.status_code == 422
    assert words in refused.text


async def test_a_transcript_says_what_came_of_voices(world):
    voices = KnownVoices(2, 1, (Recognised(1, "Ben", "voice_1", 0.91),), (), (NotRemembered("Ana", "too_little_heard"),))
    labels = ("Ana", "Speaker 2")
    speakers = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, labels, ("Ana", "Ben"), (0, 1), voices)
    await world.store.results.put_transcript(Ownership("default", "c"), a_transcript("transcript_1").naming(speakers))
    body = (await world.client.get("/v1/transcripts/transcript_1")).json()

    assert [segment["speaker"] for segment in body["segments"]] == ["Ana", "Ben"]
    assert body["speakers"]["voices"] == {
        "compared": 2, "of_another_model": 1,
        "recognised": {"Speaker 2": {"name": "Ben", "voice_id": "voice_1", "likeness": 0.91}},
        "remembered": [], "not_remembered": [{"name": "Ana", "reason": "too_little_heard"}], "failure": None,
    }  # fmt: skip
