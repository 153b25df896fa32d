"""Models of a recap that are down, late, over budget or wrong: what still works, and what the recap says of itself."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import prompts
from adapters.scripted import ScriptedItemFinder, by_words
from application.bounded_calls import both
from application.recap.make_recap import MakeRecap, RecapResult
from domain.call import Answer, CallContext
from domain.canonical import Json
from domain.errors import (
    BudgetExceeded,
    CircuitOpen,
    DeadlineExceeded,
    InvalidModelOutput,
    JobCancelled,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
)
from domain.finding import Line, LineReading
from domain.prompt import RenderedPrompt
from domain.template import Template
from tests.doubles_recap import (
    DECISION,
    TASK,
    TWO_CHAPTERS,
    HashingEmbedder,
    RuledLanguageModel,
    answering,
    conversation,
    nobody,
    repeat_the_lines,
    statements_of,
)

MEETING = conversation(
    *(("Anna" if n % 2 else "Ben", f"The printer number {n} of the office needs toner and paper again.") for n in range(6)),
    ("Anna", "We will buy a new printer for the second floor."),
    ("Ben", "I will order the printer for the second floor by Friday."),
    *(("Ben" if n % 2 else "Anna", f"The garden party number {n} has music, food and guests.") for n in range(6)),
)
TOLD = {"We will buy": DECISION, "I will order": TASK}
DOWN = ModelUnavailable("down")
CODES = [
    (DOWN, "{}_unavailable"),
    (ModelTimeout("slow"), "{}_unavailable"),
    (CircuitOpen("open", 3.0), "{}_unavailable"),
    (InvalidModelOutput("cut off"), "invalid_model_output"),
    (BudgetExceeded("spent", "tokens", 0), "budget_exceeded"),
    (DeadlineExceeded("late"), "deadline_exceeded"),
    (RateLimited("wait", 3.0), "rate_limited"),
]


async def make(
    model: RuledLanguageModel | None = None, embedder: HashingEmbedder | None = None, finder: Exception | None = None
) -> RecapResult:
    models = (model or RuledLanguageModel(), embedder or HashingEmbedder(), ScriptedItemFinder(by_words(TOLD), failure=finder))
    use_case = MakeRecap(*models, prompts, TWO_CHAPTERS)
    return await use_case("rc_1", "tr_1", MEETING, "en", Template("general"), CallContext(), nobody)


def quotes_only(result: RecapResult) -> bool:
    said = {segment.text for segment in MEETING}
    return all(each.text in said and each.support == 1.0 for each in statements_of(result.recap))


@pytest.mark.parametrize(("error", "code"), CODES)
async def test_without_the_language_model_everything_is_found_and_quoted(error: Exception, code: str) -> None:
    made = await make(RuledLanguageModel(lambda prompt: error))
    why = code.format("language_model")

    assert made.recap.degraded == (f"{why}: items", f"{why}: chapter 1", f"{why}: chapter 2")
    assert quotes_only(made)
    assert made.recap.decisions
    assert made.recap.action_items[0].owner == "Ben"
    assert made.recap.summary
    assert made.recap.title
    assert all(chapter.title and chapter.summary for chapter in made.recap.chapters)
    assert len(made.passages) == len(MEETING) + 2


@pytest.mark.parametrize(("error", "code"), CODES)
async def test_without_the_embedder_there_is_a_recap_by_words_to_be_found_by_words(error: Exception, code: str) -> None:
    made = await make(embedder=HashingEmbedder(error))

    assert made.recap.degraded == (f"{code.format('embedder')}: similarity is lexical",)
    assert len(made.passages) == len(MEETING) + 2
    assert {passage.vector for passage in made.passages} == {()}
    assert [chapter.segment_ids[0] for chapter in made.recap.chapters] == [0, 8]
    assert made.recap.decisions
    assert made.recap.summary


@pytest.mark.parametrize(("error", "code"), CODES)
async def test_without_the_finder_there_are_chapters_and_a_summary_but_no_items(error: Exception, code: str) -> None:
    model = RuledLanguageModel()
    made = await make(model, finder=error)

    assert made.recap.degraded == (f"{code.format('item_finder')}: decisions, action items and open questions",)
    assert (made.recap.decisions, made.recap.action_items, made.recap.open_questions) == ((), (), ())
    assert made.recap.summary
    assert model.names == ["write_chapter", "write_chapter", "write_summary"]
    assert len(made.passages) == len(MEETING) + 2


async def test_without_any_model_the_talk_is_still_cut_and_quoted() -> None:
    made = await make(RuledLanguageModel(lambda prompt: DOWN), HashingEmbedder(DOWN), DOWN)

    assert made.recap.degraded == (
        "embedder_unavailable: similarity is lexical",
        "item_finder_unavailable: decisions, action items and open questions",
        "language_model_unavailable: chapter 1",
        "language_model_unavailable: chapter 2",
    )
    assert quotes_only(made)
    assert made.recap.summary
    assert made.recap.title
    assert made.recap.provenance == ()


async def test_one_failing_chapter_does_not_spoil_the_others() -> None:
    calls = itertools.count()

    def second_fails(prompt: RenderedPrompt) -> Mapping[str, Json] | Exception:
        return DOWN if next(calls) == 1 else repeat_the_lines(prompt)

    recap = (await make(RuledLanguageModel(answering(write_chapter=second_fails)))).recap
    assert recap.degraded == ("language_model_unavailable: chapter 2",)


async def test_a_summary_that_fails_is_made_of_the_chapters_and_named() -> None:
    recap = (await make(RuledLanguageModel(answering(write_summary=DOWN)))).recap
    assert recap.degraded == ("language_model_unavailable: summary",)
    told = {place for each in recap.summary for place in each.segment_ids}
    assert all(told & set(chapter.segment_ids) for chapter in recap.chapters)


async def test_items_that_fail_are_quoted_and_named_once_a_reason() -> None:
    recap = (await make(RuledLanguageModel(answering(write_items=RateLimited("wait", 3.0))))).recap
    assert recap.degraded == ("rate_limited: items",)
    assert recap.decisions[0].text == MEETING[6].text


@pytest.mark.parametrize("answer", [{}, {"sentences": "x", "title": 3}, {"items": [None, {"number": "x"}]}, {"title": None}])
async def test_an_answer_without_sense_is_as_good_as_none(answer: dict[str, Any]) -> None:
    made = await make(RuledLanguageModel(lambda prompt: answer))
    assert quotes_only(made)
    assert made.recap.degraded == ("unsupported_by_transcript: 2 of 2 chapters are quoted",)


@pytest.mark.parametrize("error", [JobCancelled("cancelled"), ZeroDivisionError("a bug")])
async def test_cancelling_and_bugs_go_through(error: Exception) -> None:
    for broken in ({"model": RuledLanguageModel(lambda prompt: error)}, {"embedder": HashingEmbedder(error)}, {"finder": error}):
        with pytest.raises(type(error)):
            await make(**broken)  # type: ignore[arg-type]


class Waiting(RuledLanguageModel):
    """Never answers; remembers how many of its calls were ended from outside."""

    ended = 0

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Json]]:
        self.asked.append(prompt)
        if prompt.reference.name == "write_items":
            await asyncio.sleep(0.01)
            raise JobCancelled("cancelled")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.ended += 1
            raise
        raise AssertionError("it was waited for")


async def test_no_call_goes_on_behind_a_job_that_has_ended() -> None:
    model = Waiting()
    with pytest.raises(JobCancelled):
        await make(model)
    assert (len(model.asked), model.ended) == (3, 2)


async def test_no_reading_goes_on_behind_an_embedder_that_ended_the_job() -> None:
    ended: list[str] = []

    class Reader(ScriptedItemFinder):
        async def find(self, lines: Sequence[Line], context: CallContext) -> Answer[tuple[LineReading, ...]]:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                ended.append("reader")
                raise
            return await super().find(lines, context)

    class Embedder(HashingEmbedder):
        async def embed(self, *arguments: Any) -> Any:
            await asyncio.sleep(0.01)
            raise JobCancelled("cancelled")

    with pytest.raises(JobCancelled):
        await MakeRecap(RuledLanguageModel(), Embedder(), Reader(), prompts)(
            "rc_1", None, MEETING, "en", Template("general"), CallContext(), nobody
        )
    assert ended == ["reader"]


async def test_a_job_that_is_cancelled_from_outside_ends_all_its_calls() -> None:
    model = Waiting(answering())
    task = asyncio.create_task(make(model))
    while len(model.asked) < 2:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.ended == 2


async def test_two_things_at_once_give_both_results() -> None:
    async def one() -> int:
        return 1

    async def other() -> str:
        return "other"

    assert await both(one(), other()) == (1, "other")
