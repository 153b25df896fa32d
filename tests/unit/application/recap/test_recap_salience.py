"""Which lines of a chapter a model reads: central ones, each something else, as many as fit."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from application.recap.lines import SpokenLine
from application.recap.salience import telling_lines
from application.recap.vectors import LEXICAL_COSINES, centroid, lexical_vectors
from domain.search import UNMEASURED
from tests.doubles_recap import spoken

PRINTER = [("A", f"The printer in the office needs toner number {n} again.") for n in ("seven", "eleven", "twelve")]
PARTY = ("A", "The garden party of the museum has music and food.")


def chosen(lines: list[SpokenLine], words: int, items: dict[int, float] | None = None) -> list[int]:
    vectors = dict(enumerate(lexical_vectors([line.text for line in lines])))
    return [line.index for line in telling_lines(lines, vectors, LEXICAL_COSINES, centroid(vectors.values()), items or {}, words)]


def at(*degrees: float) -> dict[int, tuple[float, float]]:
    return {place: (math.cos(math.radians(each)), math.sin(math.radians(each))) for place, each in enumerate(degrees)}


def test_the_first_line_is_central_and_the_next_ones_say_something_else() -> None:
    lines, vectors = spoken(PARTY, PARTY, PARTY, PARTY), at(30, 2, -30, -2)
    found = telling_lines(lines, vectors, LEXICAL_COSINES, centroid(vectors.values()), {1: 0.1}, 100)
    assert [line.index for line in found] == [1, 2, 0]


def test_what_only_repeats_a_line_is_left_out() -> None:
    assert len(chosen(spoken(PARTY, PARTY, *PRINTER[:1]), 100)) == 2


def test_evidence_of_an_item_is_read_before_lines_that_are_as_central() -> None:
    lines, vectors = spoken(PARTY, PARTY, PARTY), at(20, 0, -20)
    middle = centroid(vectors.values())
    assert [line.index for line in telling_lines(lines, vectors, LEXICAL_COSINES, middle, {}, 10)] == [1]
    assert [line.index for line in telling_lines(lines, vectors, LEXICAL_COSINES, middle, {2: 0.9}, 10)] == [2]


def test_lines_without_content_are_read_only_when_there_is_nothing_else() -> None:
    assert chosen(spoken(("A", "Yes. So we do."), PARTY), 100) == [1]
    assert chosen(spoken(("A", "Yes."), ("B", "No.")), 100) == [0, 1]


def test_a_chapter_without_lines_has_none_and_without_vectors_goes_by_length() -> None:
    assert telling_lines([], {}, UNMEASURED, (), {}, 100) == []
    lines = spoken(("A", "Good morning museum."), PARTY)
    assert [line.index for line in telling_lines(lines, {}, UNMEASURED, (), {}, 100)] == [1, 0]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(["printer", "garden", "music", "we", "do"]), min_size=1, max_size=20), min_size=1),
    st.integers(1, 80),
)
def test_chosen_lines_fit_and_there_is_always_one(texts: list[list[str]], words: int) -> None:
    lines = spoken(*(("A", " ".join(text)) for text in texts))
    found = chosen(lines, words)
    assert found
    assert len(set(found)) == len(found)
    assert len(found) == 1 or sum(lines[place].words for place in found) <= words
