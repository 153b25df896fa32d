"""Counting: edits by turn add up to those of the recording, and a turn's start is measured where its first word was heard."""

from pathlib import Path

import pytest

from domain.transcript import Word
from evals.meetings import PASSAGE_WORDS, Meeting, Question, passages_of
from evals.speech import Clip, ErrorCounter, Turn, start_errors

TURNS = (
    Turn(0.0, 2.0, "Good morning, everybody."),
    Turn(2.5, 4.0, "We'll start with twenty-five slides."),
    Turn(4.5, 5.0, "Right."),
)


def clip(language: str = "en", *turns: Turn) -> Clip:
    return Clip(Path("clip.ogg"), " ".join(turn.text for turn in turns), language, "read", 5.0, turns)


@pytest.mark.parametrize(
    ("heard", "edits"),
    [
        ("good morning everybody we will start with 25 slides right", [0, 0, 0]),
        ("good morning we will start with 25 slides right", [1, 0, 0]),
        ("good morning everybody so now we will start with 26 slides right", [2, 1, 0]),
        ("", [3, 6, 1]),
    ],
    ids=["nothing wrong", "a word missing", "words too many and one wrong", "nothing heard"],
)
def test_edits_count_for_the_turn_they_are_in_and_add_up(heard: str, edits: list[int]) -> None:
    count = ErrorCounter()
    turns = count.by_turn(clip("en", *TURNS), heard)
    assert [turn.words.edits for turn in turns] == edits
    assert sum(edits) == count.words(clip("en", *TURNS), heard).edits


def test_japanese_is_counted_by_character_without_spaces() -> None:
    spoken = clip("ja", Turn(0, 1, "次の次の 会議"))
    errors = ErrorCounter()(spoken, "次の 次の会")
    assert (errors.edits, errors.units) == (1, 6)


def test_a_turn_starts_as_late_as_its_first_word_and_is_not_timed_without_it() -> None:
    spoken = "good:0.2 morning:0.6 everybody:1.0 will:2.4 start:2.6 with:2.8 twenty:3.0 five:3.2 slides:3.4 right:4.4"
    words = [Word(float(at), float(at) + 0.1, text, 0.9) for text, at in (word.split(":") for word in spoken.split())]
    assert start_errors(TURNS, words) == [pytest.approx(0.2), None, pytest.approx(0.1)]


def test_passages_hold_every_word_once_and_know_their_turns() -> None:
    long_turn = " ".join(f"w{place}" for place in range(250))
    meeting = Meeting("m", ["one two", "", long_turn, "three"])
    passages = passages_of(meeting)
    assert " ".join(passage.text for passage in passages).split() == " ".join(meeting.turns).split()
    assert max(len(passage.text.split()) for passage in passages) <= PASSAGE_WORDS
    assert [(passage.first, passage.last) for passage in passages] == [(0, 1), (2, 2), (2, 2), (2, 3)]
    assert [Question("q", "m", "?", [(3, 9)]).asks_for(passage) for passage in passages] == [False, False, False, True]
