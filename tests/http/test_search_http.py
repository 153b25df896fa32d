"""Search over HTTP: what a hit says, how it is filtered, and scores that tell an answer from a guess."""

from typing import Any

import pytest
from conftest import World

from domain.call import ModelIdentity
from domain.search import Passage
from ports.results import Ownership

QUERY = "we ship on friday"


async def conversation(world: World, **form: str) -> dict[str, str]:
    await world.upload(data=form)
    return dict((await world.complete()).result)


async def hits(world: World, **body: Any) -> list[dict[str, Any]]:
    answer = await world.client.post("/v1/search", json={"query": QUERY} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


async def test_a_hit_names_its_conversation_kind_and_title(world: World) -> None:
    made = await conversation(world)
    hit = (await hits(world))[0]
    assert hit["text"] == "We ship A&B <now> --> on Friday"
    assert (hit["conversation_id"], hit["transcript_id"]) == (made["conversation_id"], made["transcript_id"])
    assert (hit["kind"], hit["title"], hit["recap_id"], hit["speaker"]) == ("line", None, None, "Bob")
    assert 0 < hit["score"] <= 1


async def test_a_search_is_narrowed_to_conversations_and_speakers(world: World) -> None:
    first, second = await conversation(world), await conversation(world)
    both = {hit["conversation_id"] for hit in await hits(world, mode="lexical")}
    assert both == {first["conversation_id"], second["conversation_id"]}
    one = await hits(world, mode="lexical", conversation_ids=[second["conversation_id"]])
    assert {hit["conversation_id"] for hit in one} == {second["conversation_id"]}
    assert await hits(world, mode="lexical", speakers=["Ann"]) == []
    assert await hits(world, mode="lexical", kinds=["chapter"]) == []


async def test_a_least_score_leaves_guesses_out(world: World) -> None:
    await conversation(world)
    everything = await hits(world, mode="lexical", query="ship it to the moon")
    assert [hit["score"] < 0.2 for hit in everything] == [True]
    assert await hits(world, mode="lexical", query="ship it to the moon", min_score=0.2) == []
    assert await hits(world, mode="lexical", min_score=0.2)


@pytest.mark.parametrize(
    ("bounds", "there"),
    [
        ({}, True),
        ({"recorded_from": "2027-01-15"}, True),
        ({"recorded_from": "2027-01-16"}, False),
        ({"recorded_to": "2027-01-15"}, True),
        ({"recorded_to": "2027-01-14"}, False),
        ({"recorded_from": "2027-01-15", "recorded_to": "2027-01-15"}, True),
        ({"recorded_to": "2027-01-15T07:59:59Z"}, False),
        ({"recorded_to": "2027-01-15T10:00:00+02:00"}, True),
    ],
)
async def test_a_search_is_narrowed_to_days_both_included(world: World, bounds: dict[str, str], there: bool) -> None:
    """The conversation was held on 15 January 2027 at 8 o'clock in the morning, UTC."""
    model = ModelIdentity("m", "r", "e", "p")
    said = Passage("transcript_1", (0,), 0, 1, QUERY, (), model, recorded_at=1_800_000_000.0)
    await world.store.search.index(Ownership("default", "conversation_1"), "transcript_1", [said])
    found = await hits(world, mode="lexical", **bounds)
    assert [hit["recorded_at"] for hit in found] == ["2027-01-15T08:00:00Z"] * there


@pytest.mark.parametrize(
    "body",
    [
        {"recorded_from": "yesterday"},
        {"recorded_to": "2027-13-01"},
        {"conversation_ids": []},
        {"conversation_ids": ["a b"]},
        {"speakers": [""]},
        {"kinds": ["page"]},
        {"min_score": 1.5},
        {"min_score": -0.1},
        {"conversation_id": "conversation_1"},
    ],
)
async def test_a_filter_that_does_not_fit_is_refused(world: World, body: dict[str, Any]) -> None:
    answer = await world.client.post("/v1/search", json={"query": QUERY} | body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
