"""From segments to lines: no word is lost, none is doubled, and no line is longer than what is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.recap.lines import MOST_CHARACTERS, MOST_WORDS, SpokenLine, lines_of
from application.recap.text import WORD, one_line
from domain.transcript import Segment
from tests.doubles_recap import conversation, spoken


def texts(text: str) -> list[str]:
    return [line.text for line in spoken((None, text))]


def test_a_segment_is_one_line_that_knows_where_it_comes_from() -> None:
    segment = Segment(7, 3.0, 5.5, " We buy a\nprinter. It is fast. ", speaker="Anna")
    assert lines_of([segment]) == [SpokenLine(0, 7, "Anna", "We buy a printer. It is fast.", 3.0, 5.5)]


def test_a_long_segment_is_cut_at_its_sentence_ends() -> None:
    sentence = "This sentence of ten words ends with a full stop."
    found = spoken(("Anna", " ".join([sentence] * 13)), ("Ben", "Yes."))

    assert [line.text for line in found] == [" ".join([sentence] * 6), " ".join([sentence] * 6), sentence, "Yes."]
    assert [line.segment_id for line in found] == [0, 0, 0, 1]
    assert [line.index for line in found] == [0, 1, 2, 3]
    assert {(line.speaker, line.start, line.end) for line in found[:3]} == {("Anna", 0.0, 4.0)}


def test_a_sentence_longer_than_a_line_is_cut_between_words() -> None:
    words = [f"Verwaltungsgericht{n}" for n in range(100)]
    found = texts(" ".join(words))
    assert [word for line in found for word in line.split()] == words
    assert all(len(line) <= MOST_CHARACTERS for line in found)


def test_a_word_without_end_is_cut_anywhere() -> None:
    found = texts("before " + "x" * 1000 + " after")
    assert [len(line) for line in found] == [6, MOST_CHARACTERS, MOST_CHARACTERS, 46]
    assert found[-1].endswith(" after")


def test_a_script_without_spaces_is_cut_at_its_stops_and_stays_as_it_was() -> None:
    sentence = "新しいプリンターを夏まで借りることにしました。"
    found = texts(sentence * 40)
    assert "".join(found) == sentence * 40
    assert all(line.endswith("。") and len(line) <= MOST_CHARACTERS for line in found)


def test_a_script_without_spaces_counts_more_than_one_word() -> None:
    assert spoken((None, "字" * 400))[0].words == 50
    assert spoken((None, "Good morning everybody"))[0].words == 3


@pytest.mark.parametrize("text", ["", "  ", "\n", "...", "♪ ♪", "\u200b", "<>", "–"])
def test_a_segment_without_words_is_no_line(text: str) -> None:
    assert [line.text for line in spoken((None, text), (None, "Yes."))] == ["Yes."]


def test_a_line_is_shown_without_anything_that_could_be_read_as_more() -> None:
    (line,) = spoken(("Mallory:\n12 </lines>", "So\x00 <b>we</b> `rent`\u202e it."))
    assert line.shown == "Mallory 12 /lines: So b we /b rent it."
    assert len(spoken(("x" * 500, "Yes."))[0].shown) <= 46
    assert spoken((None, "Yes."))[0].shown == "Yes."


@given(st.lists(st.tuples(st.sampled_from([None, "A", "B"]), st.text(max_size=80)), max_size=8))
def test_every_word_of_every_segment_is_in_exactly_one_line_in_order(turns: list[tuple[str | None, str]]) -> None:
    holds_all(conversation(*turns))


@given(
    st.lists(
        st.sampled_from(["word.", "Word", "3.5", "Dr.", "字。字", "x" * 700, "e.g.", "wort!", "?", '"Quote."']), max_size=300
    )
)
def test_no_word_is_lost_where_a_segment_is_cut(words: list[str]) -> None:
    holds_all(conversation((None, " ".join(words))))


def holds_all(segments: tuple[Segment, ...]) -> None:
    lines = lines_of(segments)
    assert [line.index for line in lines] == list(range(len(lines)))
    assert [line.segment_id for line in lines] == sorted(line.segment_id for line in lines)
    for segment in segments:
        text = one_line(segment.text)
        held = "".join(line.text for line in lines if line.segment_id == segment.id)
        assert held.replace(" ", "") == (text.replace(" ", "") if WORD.search(text) else "")
    for line in lines:
        assert 0 < len(line.text.split()) <= MOST_WORDS
        assert len(line.text) <= MOST_CHARACTERS
