"""What became of the windows of a recording, and how they are put together."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from domain.audio import Span
from domain.call import Provenance
from domain.sentences import sentences_of
from domain.spans import overlap
from domain.speech import PlannedWindow
from domain.transcript import REFUSED, RecognisedWindow, Segment, SuspectSpan
from domain.transcript_gates import (
    DOUBTFUL,
    IMPROBABLE,
    NO_SPEECH,
    OUTSIDE_SPEECH,
    REPETITION,
    SHORTEST_WORD_SECONDS,
    ScoreScale,
    doubt_about,
    is_a_faint_word,
    is_an_echo,
    reason_to_withhold,
)
from ports.transcriber import TranscriptionOptions


@dataclass(frozen=True, slots=True)
class HeardWindow:
    """What became of one window, in seconds of the recording. `suspects`: text that was withheld or is in doubt."""

    plan: PlannedWindow
    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    suspects: tuple[SuspectSpan, ...]
    provenance: tuple[Provenance, ...]

    @property
    def texts(self) -> list[Span]:
        return [Span(segment.start, segment.end) for segment in self.segments]


def placed(
    plan: PlannedWindow, heard: RecognisedWindow, provenance: Provenance, options: TranscriptionOptions, scale: ScoreScale
) -> HeardWindow:
    """Move a window to its place in the recording, withhold what can not have been said, and cut it into sentences.

    `scale` is that of the recogniser's scores. In a second hearing of seconds of speech a text that is only in doubt is kept,
    and said to be.
    """
    sure = round(heard.language_probability, 4) if options.language is None else None
    kept: list[Segment] = []
    suspects = [span for span in (each.shifted(plan.start) for each in heard.withheld) if _is_missing(plan, span)]
    told = [
        replace(segment.shifted(plan.start), language=heard.language or None, language_probability=sure)
        for segment in heard.segments
    ]
    for moved, against in zip(told, _reasons(told, plan, scale), strict=True):
        reason = against
        if options.assume_speech and doubt_about(moved, against, plan.speech_seconds, scale):
            reason = None
            suspects.append(SuspectSpan(moved.start, moved.end, DOUBTFUL))
        if plan.faint is not None and not is_a_faint_word(moved, plan.faint, scale):
            reason = reason or IMPROBABLE
        if reason:
            suspects.append(SuspectSpan(moved.start, moved.end, reason))
        else:
            kept.extend(sentences_of(moved))
    return HeardWindow(plan, heard.language, heard.language_probability, tuple(kept), tuple(suspects), (provenance,))


def _reasons(told: Sequence[Segment], plan: PlannedWindow, scale: ScoreScale) -> list[str | None]:
    """What speaks against each text of a window, by itself and beside the others."""
    found = [reason_to_withhold(segment, plan.speech, scale) for segment in told]
    outside = [segment.text for segment, reason in zip(told, found, strict=True) if reason == OUTSIDE_SPEECH]
    return [
        REPETITION if reason is None and is_an_echo(segment, outside, scale) else reason
        for segment, reason in zip(told, found, strict=True)
    ]


def _is_missing(plan: PlannedWindow, withheld: SuspectSpan) -> bool:
    """Whether somebody may have spoken where the recogniser withheld its text: the silence after a last word is not missing."""
    if plan.faint is not None:
        return withheld.reason != NO_SPEECH
    spoken = (overlap(Span(withheld.start, withheld.end), span) for span in plan.speech)
    return sum(seconds for seconds in spoken if seconds > 0) >= SHORTEST_WORD_SECONDS


def refused(plan: PlannedWindow, language: str | None) -> HeardWindow:
    """Leave a window without text whose output broke the rules of validity, and say so for every stretch of its speech."""
    suspects = tuple(SuspectSpan(span.start, span.end, REFUSED) for span in plan.speech)
    return HeardWindow(plan, language or "", 0.0, (), suspects, ())


def joined(first: HeardWindow, again: Sequence[HeardWindow]) -> HeardWindow:
    """Return a window with what second hearings of its silent parts brought; what the first one withheld there is settled."""
    covered = [Span(window.plan.start, window.plan.end) for window in again]
    left = [span for span in first.suspects if all(overlap(Span(span.start, span.end), each) <= 0 for each in covered)]
    segments = [*first.segments, *(segment for window in again for segment in window.segments)]
    suspects = [*left, *(span for window in again for span in window.suspects)]
    return replace(
        first,
        segments=tuple(sorted(segments, key=lambda segment: (segment.start, segment.end))),
        suspects=tuple(sorted(suspects, key=lambda span: (span.start, span.end))),
        provenance=first.provenance + tuple(provenance for window in again for provenance in window.provenance),
    )


def vote(windows: Sequence[HeardWindow], floor: float) -> str | None:
    """Return the language with the most probable seconds of speech among guesses of at least `floor`."""
    votes: dict[str, float] = defaultdict(float)
    for window in windows:
        if window.language and window.language_probability >= floor:
            votes[window.language] += window.language_probability * max(window.plan.speech_seconds, 0.1)
    return max(sorted(votes), key=lambda language: votes[language], default=None)


@dataclass(slots=True)
class LanguageVote:
    """The language of a recording, known once its first `voters` windows were heard; later ones go on meanwhile."""

    voters: int
    floor: float
    _heard: dict[int, HeardWindow] = field(default_factory=dict)
    _complete: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, window: HeardWindow) -> None:
        if window.plan.index < self.voters:
            self._heard[window.plan.index] = window
        if len(self._heard) == self.voters:
            self._complete.set()

    async def language(self) -> str | None:
        await self._complete.wait()
        windows = [self._heard[index] for index in sorted(self._heard)]
        return vote(windows, self.floor) or vote(windows, 0.0)
