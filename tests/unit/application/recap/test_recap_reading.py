"""What the item finder is asked: every line once, in bounded stretches, each in the light of what stands around it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.scripted import ScriptedItemFinder, by_words
from application.bounded_calls import estimated_tokens
from application.recap.reading import Stretch, read_lines, stretches_of
from application.recap.settings import RecapSettings
from domain.call import CallContext
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InvalidModelOutput,
    JobCancelled,
    ModelUnavailable,
    RateLimited,
)
from domain.finding import NOTHING_FOUND, Line
from tests.doubles_recap import DECISION, TASK, spoken

SIZES = st.lists(st.integers(1, 120), max_size=80)
TALK = spoken(*((f"S{n % 3}", f"This is line number {n} of a longer talk.") for n in range(60)))


@given(SIZES, st.integers(1, 300), st.integers(0, 100))
def test_every_line_is_asked_about_exactly_once_and_no_stretch_is_too_large(sizes: list[int], most: int, margin: int) -> None:
    stretches = list(stretches_of(sizes, most, margin))
    assert [place for each in stretches for place in range(each.first, each.end)] == list(range(len(sizes)))
    for each in stretches:
        assert each.end - each.first == 1 or sum(sizes[each.first : each.end]) <= most
        assert each.begins <= each.first < each.end <= each.ends
        assert max(sum(sizes[each.begins : each.first]), sum(sizes[each.end : each.ends])) <= margin


@given(SIZES, st.integers(1, 300), st.integers(0, 100))
def test_margins_take_in_as_much_as_they_may(sizes: list[int], most: int, margin: int) -> None:
    for each in stretches_of(sizes, most, margin):
        assert each.begins == 0 or sum(sizes[each.begins - 1 : each.first]) > margin
        assert each.ends == len(sizes) or sum(sizes[each.end : each.ends + 1]) > margin


@given(SIZES, st.integers(1, 300))
def test_the_number_of_stretches_follows_the_length(sizes: list[int], most: int) -> None:
    # Two stretches that follow one another hold more than one may.
    assert len(list(stretches_of(sizes, most, 50))) <= 1 + 2 * sum(sizes) / most


def test_a_line_larger_than_a_stretch_is_one_of_its_own() -> None:
    assert list(stretches_of([5, 900, 5], 100, 10)) == [Stretch(0, 0, 1, 1), Stretch(0, 1, 2, 3), Stretch(2, 2, 3, 3)]
    assert list(stretches_of([], 100, 10)) == []


@pytest.mark.parametrize("stretch_tokens", [1, 60, 250, 100_000])
async def test_readings_come_back_line_by_line_however_the_talk_is_cut(stretch_tokens: int) -> None:
    finder = ScriptedItemFinder(by_words({"number 7 ": DECISION, "number 41 ": TASK}), stretch_tokens=stretch_tokens)
    reading = await read_lines(TALK, finder, RecapSettings(margin_tokens=30), CallContext())

    expected = {7: DECISION, 41: TASK}
    assert reading.lines == tuple(expected.get(n, NOTHING_FOUND) for n in range(60))
    assert reading.failure is None
    assert len(reading.provenance) == len(finder.asked)


async def test_each_stretch_is_read_with_the_lines_beside_it_and_with_who_spoke() -> None:
    finder, size = ScriptedItemFinder(stretch_tokens=200), estimated_tokens(TALK[20].shown)
    await read_lines(TALK, finder, RecapSettings(margin_tokens=2 * size), CallContext())

    assert len(finder.asked) > 3
    for before, after in zip(finder.asked, finder.asked[1:], strict=False):
        assert before[-4:] == after[:4]
    assert finder.asked[0][0] == Line("S0", "This is line number 0 of a longer talk.")


async def test_a_conversation_that_fits_is_read_in_one_call() -> None:
    finder = ScriptedItemFinder()
    await read_lines(TALK[:20], finder, RecapSettings(), CallContext())
    assert [len(asked) for asked in finder.asked] == [20]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelUnavailable("down"), "item_finder_unavailable"),
        (InvalidModelOutput("short"), "invalid_model_output"),
        (BudgetExceeded("spent", "tokens", 0), "budget_exceeded"),
        (DeadlineExceeded("late"), "deadline_exceeded"),
        (RateLimited("wait", 3.0), "rate_limited"),
    ],
)
async def test_a_finder_that_fails_finds_nothing_and_says_what_is_missing(error: Exception, code: str) -> None:
    finder = ScriptedItemFinder(by_words({"number 7 ": DECISION}), failure=error)
    reading = await read_lines(TALK, finder, RecapSettings(), CallContext())
    assert reading.failure == f"{code}: decisions, action items and open questions"
    assert reading.lines == (NOTHING_FOUND,) * 60
    assert reading.provenance == ()


@pytest.mark.parametrize("error", [JobCancelled("cancelled"), ZeroDivisionError("a bug")])
async def test_cancelling_and_bugs_go_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        await read_lines(TALK, ScriptedItemFinder(failure=error), RecapSettings(), CallContext())


async def test_no_more_stretches_are_asked_about_at_once_than_allowed() -> None:
    class Slow(ScriptedItemFinder):
        running = most_running = 0

        async def find(self, lines, context):  # type: ignore[no-untyped-def]
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            await asyncio.sleep(0)
            self.running -= 1
            return await super().find(lines, context)

    finder = Slow(stretch_tokens=40)
    await read_lines(TALK, finder, RecapSettings(margin_tokens=0, concurrent_calls=3), CallContext())
    assert len(finder.asked) > 10
    assert finder.most_running == 3
