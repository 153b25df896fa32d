"""Chapters: where the topic changes, covering everything, and never longer than what a model can read."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from application.recap.chapters import ChapterSpan, chapter_count, chapter_spans
from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.vectors import LEXICAL_COSINES, lexical_vectors
from tests.doubles_recap import spoken

TOPICS = [
    "the printer needs toner and paper in the office",
    "the garden has roses and trees near the water",
    "the band plays music for the dance",
]
THREE = RecapSettings(chapters_per_root_minute=1.5, first_chapters=0)
FEW_WORDS = 180
"""The smallest bound that a chapter of any lines can be held to: three times the longest line."""


def spans_of(lines: list[SpokenLine], bounds: RecapSettings, most_words: int = 100_000) -> list[ChapterSpan]:
    return chapter_spans(lines, lexical_vectors([line.text for line in lines]), LEXICAL_COSINES, bounds, most_words)


def words(lines: list[SpokenLine], span: ChapterSpan) -> int:
    return sum(line.words for line in lines[span.first : span.end])


def firsts(lines: list[SpokenLine], bounds: RecapSettings) -> list[int]:
    return [span.first for span in spans_of(lines, bounds)]


def alike(count: int = 40) -> list[SpokenLine]:
    return spoken(*(("A", f"Number {n} of the same old things that we know.") for n in range(count)))


def test_chapters_are_cut_where_the_topic_changes() -> None:
    lines = spoken(*(("A" if n % 2 else "B", f"Item {n}, {TOPICS[n // 20]}.") for n in range(60)))
    assert firsts(lines, THREE) == [0, 20, 40]


def test_a_long_pause_is_a_place_to_cut() -> None:
    calm = alike()
    paused = [*calm[:17], *(SpokenLine(x.index, x.segment_id, x.speaker, x.text, x.start + 30, x.end + 30) for x in calm[17:])]
    assert 17 not in firsts(calm, RecapSettings(chapters_per_root_minute=1.2, first_chapters=0))
    assert 17 in firsts(paused, RecapSettings(chapters_per_root_minute=1.2, first_chapters=0))


def test_a_segment_is_not_cut_through_where_another_place_will_do() -> None:
    sentences = " ".join(f"Sentence {n} is about {TOPICS[n % 3]} again." for n in range(14))
    lines = spoken(*(("A", sentences) for _ in range(12)))
    assert len(lines) > 30
    for span in spans_of(lines, THREE)[1:]:
        assert lines[span.first].segment_id != lines[span.first - 1].segment_id


def test_a_short_conversation_is_one_chapter() -> None:
    assert spans_of(spoken(("A", "The museum opens at nine.")), THREE) == [ChapterSpan(0, 1)]
    assert spans_of([], THREE) == []


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(20, 80))
def test_chapters_cover_everything_without_gap_or_overlap(count: int, size: int, fewest: int) -> None:
    lines = spoken(*(("A", " ".join(["word", "other", str(n % 7)] * size) + ".") for n in range(count)))
    spans = spans_of(lines, RecapSettings(minimum_chapter_words=fewest))
    assert spans[0].first == 0
    assert spans[-1].end == len(lines)
    assert all(left.end == right.first for left, right in itertools.pairwise(spans))
    assert all(words(lines, span) >= 0.75 * fewest for span in spans) or len(spans) == 1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=120), st.integers(FEW_WORDS, 900), st.randoms())
def test_no_chapter_is_longer_than_what_fits(sizes: list[int], most: int, random) -> None:  # type: ignore[no-untyped-def]
    lines = spoken(*(("A", " ".join(random.choice(TOPICS).split()[0] + str(n) for n in range(size))) for size in sizes))
    spans = spans_of(lines, RecapSettings(), most)
    assert max(words(lines, span) for span in spans) <= most


@pytest.mark.parametrize("count", [4, 5])
def test_a_few_long_lines_are_cut_when_they_do_not_fit(count: int) -> None:
    lines = spoken(*(("A", " ".join(f"word{n}" for n in range(60))) for _ in range(count)))
    assert max(words(lines, span) for span in spans_of(lines, RecapSettings(), FEW_WORDS)) <= FEW_WORDS


def test_no_stretch_is_much_longer_than_the_others() -> None:
    lines = spoken(*(("A", f"Item {n}, {TOPICS[0] if n < 150 else TOPICS[n % 2 + 1]}.") for n in range(200)))
    sizes = [words(lines, span) for span in spans_of(lines, RecapSettings())]
    assert max(sizes) <= 2.2 * sum(sizes) / chapter_count(sum(sizes), RecapSettings())


def test_an_even_talk_has_as_many_chapters_as_its_length_wants() -> None:
    lines = spoken(*(("A" if n % 2 else "B", f"Item {n}, {TOPICS[n // 10 % 3]}.") for n in range(150)))
    wanted = chapter_count(sum(line.words for line in lines), RecapSettings())
    assert len(spans_of(lines, RecapSettings())) == wanted


def test_the_number_of_chapters_grows_slower_than_the_length() -> None:
    bounds = RecapSettings()
    assert [chapter_count(minutes * 150, bounds) for minutes in (1, 4, 10, 30, 60, 180)] == [2, 3, 4, 7, 9, 16]
    assert chapter_count(30, bounds) == 1
