"""Words given to the wrong speaker: counted as meeteval counts them, and as a reader would."""

import json

import pytest

from domain.transcript import Coverage, Segment, Transcript
from evals.diarization_error import Talk
from evals.speaker_words import counted_words, speaker_word_errors, words_by_speaker
from evals.speech import ErrorCounter, Errors
from tests.cp_error_cases import CASES

ANN_AND_BO = {"Ann": "good morning everybody", "Bo": "good morning ann"}


@pytest.mark.parametrize("case", json.loads(CASES.read_text()))
def test_the_count_is_that_of_meeteval(case: dict[str, object]) -> None:
    assert speaker_word_errors(case["reference"], case["found"]) == Errors(case["errors"], case["words"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        ({"Speaker 1": "good morning ann", "Speaker 2": "good morning everybody"}, 0),
        ({"Speaker 1": "good morning everybody good morning ann"}, 6),
        ({"Speaker 1": "good morning everybody good", "Speaker 2": "morning ann"}, 2),
        ({"Speaker 1": "good morning everybody", "": "good morning ann", "Speaker 2": "hello"}, 1),
        ({}, 6),
    ],
    ids=["names do not matter", "one for two", "a word too late", "nobody is nobody's", "nothing"],
)
def test_a_word_of_the_wrong_speaker_is_wrong_twice(found: dict[str, str], wrong: int) -> None:
    assert speaker_word_errors(ANN_AND_BO, found) == Errors(wrong, 6)


def test_what_the_speakers_cost_is_apart_from_what_was_misheard() -> None:
    segments = (
        Segment(0, 0.0, 1.0, "We start at nine chart.", speaker="Speaker 1"),
        Segment(1, 1.0, 2.0, "Good morning", speaker="Speaker 2"),
        Segment(2, 2.0, 2.5, "Ann.", speaker="Speaker 1"),
    )
    transcript = Transcript("t", "en", 2.5, segments, Coverage(2.5, 2.5))
    talks = [Talk("Ann", 0.0, 1.0, "We start at nine sharp"), Talk("Bo", 1.0, 2.5, "Good morning, Ann!")]

    counted = counted_words("en", talks, transcript, ErrorCounter())

    assert words_by_speaker(transcript) == {"Speaker 1": "We start at nine chart. Ann.", "Speaker 2": "Good morning"}
    assert counted == {"words": 8.0, "word_edits": 1.0, "cp_edits": 3.0, "cp_edits_more": 2.0}
