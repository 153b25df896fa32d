"""Speech that a recogniser left without text: where it is listened to again."""

from collections.abc import Iterator, Sequence

from domain.audio import Span
from domain.spans import merged, without
from domain.speech import PlannedWindow
from domain.transcript_gates import MISSING_SPEECH_SECONDS

LONGEST_SECONDS = 12.0
"""Less than half a window: a decoder that gave up a whole window then meets another, shorter text."""
LONGEST_GAP_SECONDS = 2.0
"""Stretches of missing speech that lie closer together than this are heard together."""


def second_hearings(window: PlannedWindow, texts: Sequence[Span], pad: float) -> tuple[PlannedWindow, ...]:
    """Return shorter windows over the speech of `window` that none of `texts` holds, where it is worth it.

    Each has at least `MISSING_SPEECH_SECONDS` of such speech and up to `pad` seconds around it, never of time that has text.
    """
    written = merged(texts)
    missing = [part for span in window.speech for part in without(span, written)]
    return tuple(
        _around(window, group, written, pad)
        for group in _together(missing, written)
        if sum(part.seconds for part in group) >= MISSING_SPEECH_SECONDS
    )


def _together(missing: Sequence[Span], written: Sequence[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for part in missing:
        if group and not _belongs(group, part, written):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _belongs(group: Sequence[Span], part: Span, written: Sequence[Span]) -> bool:
    between = Span(group[-1].end, part.start)
    near = between.seconds <= LONGEST_GAP_SECONDS and part.end - group[0].start <= LONGEST_SECONDS
    return near and not any(text.start < between.end and text.end > between.start for text in written)


def _around(window: PlannedWindow, group: Sequence[Span], written: Sequence[Span], pad: float) -> PlannedWindow:
    first, last = group[0].start, group[-1].end
    floor_at = max((text.end for text in written if text.end <= first), default=window.start)
    ceiling = min((text.start for text in written if text.start >= last), default=window.end)
    start, end = max(first - pad, floor_at, window.start), min(last + pad, ceiling, window.end)
    return PlannedWindow(window.index, start, end, tuple(group), window.left)
