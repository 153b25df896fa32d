"""Which recognised text is not believed, and how much of the speech has text: the honest part of a transcript."""

from collections.abc import Sequence

from domain.audio import Span
from domain.transcript import Coverage, Segment, SuspectSpan

COMPRESSION_RATIO_LIMIT = 2.4
"""Text that gzip shrinks more than this repeats itself (Whisper paper, section 4.5)."""
NO_SPEECH_LIMIT = 0.6
AVG_LOGPROB_LIMIT = -1.0
"""Above the first and below the second together, a text was written over silence (Whisper paper, section 4.5)."""
CHARACTERS_PER_SECOND_LIMIT = 40.0
"""Speech runs at 12 to 17 characters per second, fast talkers at 25; a loop writes hundreds."""
FEWEST_CHARACTERS = 40
"""A short text has no rate to speak of: the times of one or two words are rounded to 20 ms."""
SPEECH_MARGIN_SECONDS = 0.5
"""How far from detected speech a doubtful text may lie: the times of single words are off by up to a second."""
TRUSTED_LOGPROB = -0.5
"""Above it a text stands wherever the recogniser puts it: inventions over music and hum lay between -0.7 and -1.3
(evaluation set `bad_audio`)."""
SPEECH_SHARE = 0.5
"""Share of an improbable text's time that must hold speech. True segments below -0.9 held 0.64 and more, but for one single
word (evaluation set `speech`)."""
MISSING_SPEECH_SECONDS = 1.5
"""A longer stretch of speech without text is listed; shorter ones are breaths and hesitations."""

REPETITION = "repetition"
NO_SPEECH = "no_speech"
IMPOSSIBLE_RATE = "impossible_rate"
OUTSIDE_SPEECH = "outside_speech"
IMPROBABLE = "improbable"
NO_WORDS = "no_words"
NO_TEXT = "no_text"


def reason_to_withhold(segment: Segment, speech: Sequence[Span]) -> str | None:
    """Return why the text of a segment can not have been said, as a short code, or None when it may stand."""
    if segment.scores is not None:
        if segment.scores.compression_ratio > COMPRESSION_RATIO_LIMIT:
            return REPETITION
        if segment.scores.no_speech_prob > NO_SPEECH_LIMIT and segment.scores.avg_logprob < AVG_LOGPROB_LIMIT:
            return NO_SPEECH
    seconds = max(segment.end - segment.start, 0.02)
    if len(segment.text) >= FEWEST_CHARACTERS and len(segment.text) / seconds > CHARACTERS_PER_SECOND_LIMIT:
        return IMPOSSIBLE_RATE
    if not any(character.isalnum() for character in segment.text):
        return NO_WORDS
    return _reason_by_place(segment, speech)


def _reason_by_place(segment: Segment, speech: Sequence[Span]) -> str | None:
    """Doubtful text has to lie where somebody speaks."""
    avg_logprob = segment.scores.avg_logprob if segment.scores else AVG_LOGPROB_LIMIT
    if avg_logprob > TRUSTED_LOGPROB:
        return None
    overlaps = [_overlap(Span(segment.start, segment.end), span) for span in speech]
    if all(overlap < -SPEECH_MARGIN_SECONDS for overlap in overlaps):
        return OUTSIDE_SPEECH
    spoken = sum(overlap for overlap in overlaps if overlap > 0)
    if avg_logprob < AVG_LOGPROB_LIMIT and spoken < SPEECH_SHARE * (segment.end - segment.start):
        return IMPROBABLE
    return None


def coverage_of(speech: Sequence[Span], segments: Sequence[Segment], withheld: Sequence[SuspectSpan]) -> Coverage:
    """Return how many seconds of `speech` have text, what was withheld, and the stretches of speech without text."""
    texts = _merged([Span(segment.start, segment.end) for segment in segments])
    missing = [gap for span in speech for gap in _without(span, texts)]
    hidden = [Span(suspect.start, suspect.end) for suspect in withheld]
    silent = [
        SuspectSpan(gap.start, gap.end, NO_TEXT)
        for gap in missing
        if gap.seconds >= MISSING_SPEECH_SECONDS and not any(_overlap(gap, span) > 0 for span in hidden)
    ]
    found = sum(span.seconds for span in speech)
    suspects = sorted([*withheld, *silent], key=lambda suspect: (suspect.start, suspect.end))
    return Coverage(found, found - sum(gap.seconds for gap in missing), tuple(suspects))


def _overlap(one: Span, other: Span) -> float:
    return min(one.end, other.end) - max(one.start, other.start)


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if merged and span.start <= merged[-1].end:
            merged[-1] = Span(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _without(span: Span, texts: Sequence[Span]) -> list[Span]:
    """Return the parts of `span` that none of the ordered, disjoint `texts` covers."""
    parts: list[Span] = []
    position = span.start
    for text in texts:
        if text.end <= position:
            continue
        if text.start >= span.end:
            break
        if text.start > position:
            parts.append(Span(position, text.start))
        position = text.end
    if position < span.end:
        parts.append(Span(position, span.end))
    return parts
