"""Which recognised text is not believed, and how much of the speech has text: the honest part of a transcript."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from domain.audio import Span
from domain.spans import merged, overlap, without
from domain.transcript import Coverage, Segment, SuspectSpan

COMPRESSION_RATIO_LIMIT = 2.4
"""Text that gzip shrinks more than this repeats itself (Whisper paper, section 4.5)."""
CHARACTERS_PER_SECOND_LIMIT = 40.0
"""Speech runs at 12 to 17 characters per second, fast talkers at 25; a loop writes hundreds."""
FEWEST_CHARACTERS = 40
"""A short text has no rate to speak of: the times of one or two words are rounded to 20 ms."""
SPEECH_MARGIN_SECONDS = 0.5
"""How far from detected speech a doubtful text may lie: the times of single words are off by up to a second."""
SPEECH_SHARE = 0.5
"""Share of an improbable text's time that must hold speech. True ones held 0.64 and more, but for one single word (evaluation
set `speech`)."""
MISSING_SPEECH_SECONDS = 1.5
"""A longer stretch of speech without text is listened to again and listed; shorter ones are breaths and hesitations."""
SHORTEST_WORD_SECONDS = 0.25
"""Less speech than this is the edge of a word or a click (domain/speech.py, `min_speech`)."""
SURE_SPEECH_SECONDS = 2.0
"""So much detected speech is somebody speaking: music of the evaluation set `bad_audio` reaches 0.8 s, its other sounds none."""


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """What a recogniser's scores of its own text mean: mean log-probabilities of tokens, and probabilities that nobody speaks.

    Measured for each model; it comes with the model's descriptor.
    """

    trusted: float
    """Above this log-probability a text stands wherever the recogniser puts it."""
    improbable: float
    """Below this one it needs speech for a good part of its time."""
    silent: float
    """Above this probability of no speech, an improbable text was written over silence."""
    faint: float
    sure: float
    faint_silent: float
    """What a text needs where the detector heard nobody: more than `faint` where a moment was like speech, more than `sure`
    elsewhere, and a probability of no speech of at most `faint_silent`."""


UNMEASURED_SCORES = ScoreScale(trusted=inf, improbable=-inf, silent=inf, faint=inf, sure=inf, faint_silent=0.0)
"""The scale of a model that nobody measured: its scores decide nothing, as if its texts had none."""

REPETITION = "repetition"
NO_SPEECH = "no_speech"
IMPOSSIBLE_RATE = "impossible_rate"
OUTSIDE_SPEECH = "outside_speech"
IMPROBABLE = "improbable"
NO_WORDS = "no_words"
NO_TEXT = "no_text"
ECHOES = 2
DOUBTFUL = "doubtful"
"""Text that stands although the recogniser hardly believes it, because somebody speaks there for seconds."""


def reason_to_withhold(segment: Segment, speech: Sequence[Span], scale: ScoreScale) -> str | None:
    """Return why the text of a segment can not have been said, as a short code, or None when it may stand."""
    if segment.scores is not None:
        if segment.scores.compression_ratio > COMPRESSION_RATIO_LIMIT:
            return REPETITION
        if segment.scores.no_speech_prob > scale.silent and segment.scores.avg_logprob < scale.improbable:
            return NO_SPEECH
    seconds = max(segment.end - segment.start, 0.02)
    if len(segment.text) >= FEWEST_CHARACTERS and len(segment.text) / seconds > CHARACTERS_PER_SECOND_LIMIT:
        return IMPOSSIBLE_RATE
    if not any(character.isalnum() for character in segment.text):
        return NO_WORDS
    return _reason_by_position(segment, speech, scale)


def _reason_by_position(segment: Segment, speech: Sequence[Span], scale: ScoreScale) -> str | None:
    """Doubtful text has to lie where somebody speaks."""
    if segment.scores is not None and segment.scores.avg_logprob > scale.trusted:
        return None
    overlaps = [overlap(Span(segment.start, segment.end), span) for span in speech]
    if all(seconds < -SPEECH_MARGIN_SECONDS for seconds in overlaps):
        return OUTSIDE_SPEECH
    spoken = sum(seconds for seconds in overlaps if seconds > 0)
    improbable = segment.scores is not None and segment.scores.avg_logprob < scale.improbable
    return IMPROBABLE if improbable and spoken < SPEECH_SHARE * (segment.end - segment.start) else None


def is_an_echo(segment: Segment, outside: Sequence[str], scale: ScoreScale) -> bool:
    """Whether a doubtful text is what the recogniser also wrote, `ECHOES` times, where nobody speaks (`outside`: those texts).

    Over music and noise it writes one word again and again, and some moment of that looks like speech.
    """
    trusted = segment.scores is None or segment.scores.avg_logprob > scale.trusted
    return not trusted and outside.count(segment.text) >= ECHOES


def is_a_faint_word(segment: Segment, like_speech: bool, scale: ScoreScale) -> bool:
    """Whether a text stands where the detector heard nobody speak; `like_speech`: though a moment was like it."""
    scores = segment.scores
    if scores is None or scores.no_speech_prob > scale.faint_silent:
        return False
    return scores.avg_logprob > (scale.faint if like_speech else scale.sure)


def doubt_about(segment: Segment, reason: str | None, speech_seconds: float, scale: ScoreScale) -> bool:
    """Whether a text over `speech_seconds` of speech is in doubt rather than wrong: improbable, or silence to the recogniser."""
    silent = segment.scores is not None and segment.scores.no_speech_prob > scale.silent
    return speech_seconds >= SURE_SPEECH_SECONDS and (reason in (NO_SPEECH, IMPROBABLE) or (reason is None and silent))


def coverage_of(speech: Sequence[Span], segments: Sequence[Segment], suspects: Sequence[SuspectSpan]) -> Coverage:
    """Return how many seconds of `speech` have text, what is suspect, and the stretches of speech without text."""
    texts = merged([Span(segment.start, segment.end) for segment in segments])
    missing = [gap for span in speech for gap in without(span, texts)]
    named = [Span(suspect.start, suspect.end) for suspect in suspects]
    silent = [
        SuspectSpan(gap.start, gap.end, NO_TEXT)
        for gap in missing
        if gap.seconds >= MISSING_SPEECH_SECONDS and not any(overlap(gap, span) > 0 for span in named)
    ]
    found = sum(span.seconds for span in speech)
    listed = sorted([*suspects, *silent], key=lambda suspect: (suspect.start, suspect.end))
    return Coverage(found, found - sum(gap.seconds for gap in missing), tuple(listed))
