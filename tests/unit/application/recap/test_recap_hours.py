"""Long conversations: nothing is cut off, and the calls follow the length."""

import itertools

import pytest

import prompts
from adapters.scripted import ScriptedItemFinder
from application.recap.make_recap import MakeRecap
from domain.call import CallContext
from domain.finding import NOTHING_FOUND, Line, LineReading
from domain.transcript import Segment
from tests.doubles_recap import DECISION, HashingEmbedder, RuledLanguageModel, conversation, nobody


def talk(minutes: int) -> tuple[Segment, ...]:
    """About 150 words a minute on topics that follow one another, with a decision every other minute."""
    topics = ["printer toner paper office", "party music museum garden", "budget salary invoice bank", "river trees water roses"]
    texts = (
        f"Sentence {n} says that the {topics[4 * n // (10 * minutes)]} matter is like number {n * 7 % 13} of many such things."
        for n in range(10 * minutes)
    )
    return conversation(*(("Anna" if n % 2 else "Ben", text) for n, text in enumerate(texts)), seconds=6.0)


def now_and_then(line: Line) -> LineReading:
    return DECISION if int(line.text.split()[1]) % 20 == 10 else NOTHING_FOUND


async def calls_for(minutes: int) -> tuple[int, int, int, int]:
    model, embedder, finder = RuledLanguageModel(), HashingEmbedder(), ScriptedItemFinder(now_and_then)
    make, segments = MakeRecap(model, embedder, finder, prompts), talk(minutes)
    recap = (await make("rc", "tr", segments, "en", prompts.template("general"), CallContext(), nobody)).recap
    cited = [segment for chapter in recap.chapters for segment in chapter.segment_ids]
    assert cited == list(range(10 * minutes))
    assert all(chapter.summary for chapter in recap.chapters)
    assert recap.chapters[-1].end == pytest.approx(60.0 * minutes)
    return len(finder.asked), len(embedder.asked), model.names.count("write_chapter"), model.names.count("write_items")


async def test_an_hour_is_covered_to_its_end_with_calls_in_proportion_to_its_length() -> None:
    counts = {minutes: await calls_for(minutes) for minutes in (15, 60, 240)}
    for (short, few), (long, many) in itertools.pairwise(counts.items()):
        assert all(after <= before * (long / short) * 1.2 + 1 for before, after in zip(few, many, strict=True))
    finding, embedding, chapters, _ = counts[60]
    assert finding <= 16
    assert embedding <= 12
    assert 9 <= chapters <= 14
