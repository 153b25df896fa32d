"""Speakers get their names afterwards: in the transcript, its recap and what is found of it, and no model is asked."""

from dataclasses import replace

import pytest
from conftest import EMBEDDER, a_recap, a_transcript, vector_of

from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from domain.recap import ActionItem, Chapter, Statement
from domain.search import Passage, PassageKind
from ports.results import Ownership

LABELS = ("Speaker 1", "Speaker 2")
FOUND = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, LABELS, LABELS, (0, 1))
OWNER = Ownership("default", "conversation_1")
TRANSCRIPT = a_transcript("transcript_1").naming(FOUND)
SHIPPED = Statement("Speaker 2 ships on Friday, not Speaker 20.", (1,), 0.9, 2.0, 65.25, "Speaker 2")
RECAP = replace(
    a_recap("recap_1", "transcript_1"),
    title="Speaker 1 greets",
    summary=(SHIPPED, Statement("They ship.", (0, 1), 0.9, 0.5, 65.25, None)),
    action_items=(
        ActionItem("Prepare the release", (1,), 0.8, "Speaker 2", "Friday", start=2.0, end=65.25, speaker="Speaker 2"),
    ),
    chapters=(Chapter("Release", 0.5, 65.25, (0, 1), (SHIPPED,)),),
    speakers=LABELS,
)


@pytest.fixture
async def spoken(world):
    """A conversation of two with its recap, indexed as the worker does."""
    await world.store.results.put_transcript(OWNER, TRANSCRIPT)
    await world.store.results.put_recap(OWNER, RECAP)
    lines = [
        Passage("transcript_1", (s.id,), s.start, s.end, s.text, vector_of(s.text), EMBEDDER, s.speaker, recap_id="recap_1",
                title=RECAP.title)
        for s in TRANSCRIPT.segments
    ]  # fmt: skip
    (chapter,) = RECAP.chapters
    about = (chapter.segment_ids, chapter.start, chapter.end, chapter.told, vector_of(chapter.told), EMBEDDER)
    told = Passage("transcript_1", *about, kind=PassageKind.CHAPTER, recap_id="recap_1", title=RECAP.title)
    await world.store.search.index(OWNER, "transcript_1", [*lines, told])
    return world


async def rename(world, **names: str):
    return await world.client.patch("/v1/transcripts/transcript_1/speakers", json=_spelt(names))


def _spelt(names: dict[str, str]) -> dict[str, str]:
    return {known.replace("_", " "): name for known, name in names.items()}


async def hits(world, query: str, **filters) -> list[dict]:
    return (await world.client.post("/v1/search", json={"query": query, "mode": "lexical", **filters})).json()["hits"]


async def test_a_name_stands_in_every_segment_word_and_format(spoken):
    answer = await rename(spoken, Speaker_2="Ana")

    assert (answer.status_code, answer.json()["speakers"]["names"], answer.json()["merged"]) == (200, ["Speaker 1", "Ana"], {})
    body = (await spoken.client.get("/v1/transcripts/transcript_1")).json()
    assert [segment["speaker"] for segment in body["segments"]] == ["Speaker 1", "Ana"]
    assert {word["speaker"] for word in body["segments"][0]["words"]} == {"Speaker 1"}
    assert body["speakers"]["labels"] == {"Speaker 1": "Speaker 1", "Speaker 2": "Ana"}
    for form, words in {"srt": "Ana: We ship", "vtt": "<v Ana>We ship", "md": "Ana: We ship", "txt": "Ana: We ship"}.items():
        assert words in (await spoken.client.get("/v1/transcripts/transcript_1", params={"format": form})).text


async def test_a_recap_tells_who_said_and_who_owns_under_the_names_of_now(spoken):
    await rename(spoken, Speaker_1="Ben", Speaker_2="Ana")
    body = (await spoken.client.get("/v1/recaps/recap_1")).json()

    assert body["title"] == "Ben greets"
    assert body["summary"][0]["text"] == "Ana ships on Friday, not Speaker 20."
    assert [(s["speaker"]) for s in body["summary"]] == ["Ana", None]
    assert (body["action_items"][0]["owner"], body["action_items"][0]["speaker"]) == ("Ana", "Ana")
    assert body["chapters"][0]["summary"][0]["text"] == "Ana ships on Friday, not Speaker 20."
    assert "**Ana**: Prepare the release" in (await spoken.client.get("/v1/recaps/recap_1", params={"format": "md"})).text


async def test_hits_carry_the_new_name_and_are_filtered_and_found_by_it(spoken):
    await rename(spoken, Speaker_2="Ana")

    by_name = await hits(spoken, "ship", speakers=["Ana"])
    assert [(hit["speaker"], hit["kind"]) for hit in by_name] == [("Ana", "line")]
    assert await hits(spoken, "ship", speakers=["Speaker 2"]) == []
    assert [hit["kind"] for hit in await hits(spoken, "Ana")] == ["chapter"]
    assert {hit["title"] for hit in await hits(spoken, "ship")} == {"Speaker 1 greets"}
    by_meaning = await spoken.client.post("/v1/search", json={"query": TRANSCRIPT.segments[1].text, "mode": "semantic"})
    assert by_meaning.json()["hits"][0]["speaker"] == "Ana"


async def test_names_follow_one_another_and_the_words_of_a_recap_are_those_of_now(spoken):
    await rename(spoken, Speaker_2="Will")
    await rename(spoken, Will="Anna")
    body = (await spoken.client.get("/v1/recaps/recap_1")).json()

    assert body["summary"][0]["text"] == "Anna ships on Friday, not Speaker 20."
    assert body["action_items"][0]["owner"] == "Anna"
    assert [hit["text"] for hit in await hits(spoken, "Anna")] == ["Release Anna ships on Friday, not Speaker 20."]
    assert await hits(spoken, "Will") == []


async def test_the_same_request_twice_does_what_it_does_once_and_asks_no_model(spoken):
    once = await rename(spoken, Speaker_1="Ana", Speaker_2="Ben")
    before = spoken.embedder.asked.copy(), spoken.writer.asked.copy()
    again = await rename(spoken, Speaker_1="Ana", Speaker_2="Ben")

    assert (again.status_code, again.json()) == (200, once.json())
    assert (spoken.embedder.asked, spoken.writer.asked) == before == ([], [])


async def test_two_of_one_name_are_one_speaker_and_it_is_said(spoken):
    body = (await rename(spoken, Speaker_1="Ana", Speaker_2="Ana")).json()

    assert (body["merged"], body["speakers"]["names"]) == ({"Ana": ["Speaker 1", "Speaker 2"]}, ["Ana"])
    recap = (await spoken.client.get("/v1/recaps/recap_1")).json()
    assert [said["speaker"] for said in recap["summary"]] == ["Ana", "Ana"]

    parted = (await rename(spoken, Speaker_2="Ben")).json()
    assert (parted["merged"], parted["speakers"]["names"]) == ({}, ["Ana", "Ben"])
    recap = (await spoken.client.get("/v1/recaps/recap_1")).json()
    assert ([said["speaker"] for said in recap["summary"]], recap["action_items"][0]["owner"]) == (["Ben", None], "Ben")


async def test_words_that_somebody_said_are_left_as_they_were_said(world):
    said = replace(TRANSCRIPT.segments[1], text="Speaker 2 was the best talk.")
    await world.store.results.put_transcript(OWNER, replace(TRANSCRIPT, segments=(TRANSCRIPT.segments[0], said)))
    await world.store.results.put_recap(OWNER, replace(RECAP, key_points=(Statement("Speaker 2 was the best talk.", (1,), 1.0),)))
    await rename(world, Speaker_2="Ana")
    body = (await world.client.get("/v1/recaps/recap_1")).json()

    assert body["key_points"][0]["text"] == "Speaker 2 was the best talk."
    assert body["action_items"][0]["owner"] == "Ana"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"Speaker 9": "Ana"}, "No speaker of this transcript has that name; there are: `Speaker 1`, `Speaker 2`."),
        ({"Speaker 1": "Speaker 2", "Speaker 2": "Speaker 1"}, "`Speaker 2` is the label of another speaker, who is called"),
        ({}, "The body needs at least 1 item."),
        ({"Speaker 1": " "}, "`Speaker 1` needs at least 1 character."),
        ({"Speaker 1": 5}, "`Speaker 1` has to be text."),
        ([], "The body has to be an object."),
    ],
)
async def test_what_can_not_be_is_refused_in_words_and_changes_nothing(spoken, names, words):
    refused = await spoken.client.patch("/v1/transcripts/transcript_1/speakers", json=names)

    assert (refused.status_code, refused.json()["detail"][: len(words)]) == (422, words)
    assert await spoken.store.results.get_transcript("default", "transcript_1") == TRANSCRIPT


async def test_a_transcript_that_is_not_there_or_another_tenants_is_not_found(spoken):
    await spoken.store.results.put_transcript(Ownership("other", "conversation_2"), replace(TRANSCRIPT, id="transcript_2"))
    for there in ("transcript_2", "transcript_3"):
        answer = await spoken.client.patch(f"/v1/transcripts/{there}/speakers", json={"Speaker 1": "Ana"})
        assert answer.status_code == 404
