"""What becomes of the texts of a window: kept where somebody speaks, withheld with a reason elsewhere."""

from application.heard_windows import HeardWindow, placed
from domain.audio import Span
from domain.call import CallKind, CallSpec, ModelIdentity, Provenance
from domain.speech import PlannedWindow
from domain.transcript import RecognisedWindow, Segment, SegmentScores
from domain.transcript_gates import ScoreScale
from ports.transcriber import TranscriptionOptions

SCALE = ScoreScale(trusted=-0.5, improbable=-1.0, silent=0.6, faint=-1.2, sure=-0.6, faint_silent=0.5)
PROVENANCE = Provenance.of(CallSpec(CallKind.TRANSCRIBE, "0" * 64, ModelIdentity("m", "1", "scripted", "int8"), {}))
SPEECH = (Span(8.6, 8.9),)
"""A moment of music that the detector takes for a word."""


def written(start: float, text: str, logprob: float = -0.86) -> Segment:
    return Segment(0, start, start + 1.4, text, SegmentScores(logprob, 0.2, 1.4, 0.0))


def heard(*segments: Segment) -> HeardWindow:
    window = RecognisedWindow("en", 0.6, segments)
    return placed(PlannedWindow(0, 0.0, 30.0, SPEECH, 30.0), window, PROVENANCE, TranscriptionOptions(), SCALE)


def test_a_word_that_is_written_again_and_again_where_nobody_speaks_is_not_said_where_somebody_may() -> None:
    found = heard(written(2.0, "Music"), written(4.0, "Music"), written(7.9, "Music"))
    assert found.segments == ()
    assert [suspect.reason for suspect in found.suspects] == ["outside_speech", "outside_speech", "repetition"]


def test_a_word_that_the_recogniser_is_sure_of_or_that_it_misplaced_once_stands() -> None:
    sure = heard(written(2.0, "Music"), written(4.0, "Music"), written(7.9, "Music", -0.2))
    once = heard(written(2.0, "Yes."), written(7.9, "Yes."))
    assert [segment.text for segment in (*sure.segments, *once.segments)] == ["Music", "Yes."]
