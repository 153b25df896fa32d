"""Recap jobs from the request to the answer, by the real stages over scripted models: what is reused, dated and shaped."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import LIMITS, World, make_world

import prompts
from adapters.dateparser_dates import DateparserDates
from application.expected_time import ExpectedTime
from application.job_session import JobSession
from application.recap.make_recap import RecapResult
from application.run_stages import RecapTranscript
from application.stage_steps import Recapitulate
from application.templates import chosen
from domain.call import CallKind
from serve_app.composition.clock import SystemClock
from tests.documents import FULL
from tests.estimating import TOPICS

AT_ONCE = dict.fromkeys(CallKind, 8)
TALK = [
    sentence
    for topic, other in zip(TOPICS, TOPICS[1:] + TOPICS[:1], strict=True)
    for building in ("harbour", "station", "market")
    for sentence in (
        f"The {topic} at the {building} fails for large customers since the last release.",
        f"We compared the {topic} with the {other} for two hours at the {building} yesterday.",
        f"We decided that the {topic} moves to the {building} in spring.",
        f"I will repair the {topic} at the {building} by Friday, and nobody else touches it.",
        f"Who tests the {topic} at the {building} with the customers from Norway?",
        f"The old {topic} at the {building} cost us two hundred a month, which is too much.",
    )
]
SEGMENTS = [
    {"start": 8.0 * place, "end": 8.0 * place + 7.5, "speaker": ("Ann", "Bob")[place % 2], "text": text}
    for place, text in enumerate(TALK)
]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """On a real clock: where sleeping takes no time, the deadline of a model call has passed before the call is made."""
    made = make_world(tmp_path, LIMITS, SystemClock())
    async with made.client:
        yield made
    made.store.close()


def recapping(world: World, make_recap: Recapitulate) -> Callable[..., Awaitable[Mapping[str, Any]]]:
    """Return what sends a recap request, does the job, and answers with the recap."""
    expected, results = ExpectedTime(world.models.rates, prompts, AT_ONCE), world.store.results
    recap = RecapTranscript(make_recap, results, results, world.store.search, expected, prompts, DateparserDates())

    async def done(segments: Sequence[Mapping[str, Any]], **asked: Any) -> Mapping[str, Any]:
        sent = await world.client.post("/v1/recaps", json={"segments": segments, "language": "en", **asked})
        assert sent.status_code == 202, sent.text
        lease = await world.claim()
        result = await recap(JobSession(world.store.jobs, lease, world.clock, None, world.clock.monotonic()))
        await world.store.jobs.complete(lease, result)
        answer: Mapping[str, Any] = (await world.client.get(f"/v1/recaps/{result['recap_id']}")).json()
        return answer

    return done


async def found_before(recap_id: str, *_others: object) -> RecapResult:
    """What `MakeRecap` hands over: action items with words for when they are due."""
    items = tuple(replace(item, due_date=None, due_rule=None) for item in FULL.action_items)
    return RecapResult(replace(FULL, id=recap_id, transcript_id=None, action_items=items), ())


async def test_the_same_words_again_cost_no_call_and_a_corrected_one_costs_few(world):
    recapped = recapping(world, world.models.make_recap())
    corrected = [dict(segment) for segment in SEGMENTS]
    corrected[8]["text"] = corrected[8]["text"].replace("spring", "autumn")
    assert corrected != SEGMENTS

    first = (await recapped(SEGMENTS))["calls"]
    again = (await recapped(SEGMENTS))["calls"]
    asked = world.models.asked
    after = (await recapped(corrected))["calls"]

    assert first["made"] > 4
    assert again == {"made": 0, "reused": first["made"] + first["reused"]}
    assert 0 < after["made"] <= 4
    assert after["reused"] > after["made"]
    assert sum(world.models.asked.values()) - sum(asked.values()) == after["made"]


async def test_a_day_that_was_named_becomes_a_date_when_the_request_says_when_that_was(world):
    recapped = recapping(world, found_before)
    dated = await recapped(SEGMENTS[:3], recorded_at="2026-11-30T17:00:00+01:00")
    german = await recapped(SEGMENTS[:3], recorded_at="2026-11-30", language="de")
    undated = await recapped(SEGMENTS[:3])

    assert [item["due_date"] for item in dated["action_items"]] == ["2026-12-04", None, None]
    assert dated["action_items"][0]["due_rule"] == '"Friday" as said on 2026-11-30 (dateparser, prefer future)'
    assert {item["due_date"] for item in german["action_items"]} == {None}
    assert {item["due_date"] for item in undated["action_items"]} == {None}


async def test_a_recap_has_the_sections_that_its_request_asks_for_in_their_order(world):
    asked = {"base": "general", "sections": ["open_questions", "summary"], "instructions": {"summary": "{{notes}}"}}
    recap = await recapping(world, found_before)(SEGMENTS[:3], template=asked)
    text = (await world.client.get(f"/v1/recaps/{recap['id']}", params={"format": "txt"})).text

    assert recap["sections"] == ["open_questions", "summary"]
    assert (recap["action_items"], recap["chapters"]) == ([], [])
    assert text.index("Summary") > text.index("Open questions")
    assert "Decisions" not in text


async def test_the_language_of_a_template_is_that_of_the_recap(world):
    heard: list[tuple[object, ...]] = []

    async def listening(recap_id: str, *others: object) -> RecapResult:
        heard.append(others)
        return await found_before(recap_id)

    await recapping(world, listening)(SEGMENTS[:3], template={"base": "general", "language": "fr"})
    (_, segments, language, template, *_) = heard[0]

    assert (len(segments), language) == (3, "fr")
    assert template == chosen(prompts, "general").template
