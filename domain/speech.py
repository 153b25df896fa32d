"""From probabilities of speech to the windows that a recogniser hears: pure rules, no sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, floor

from domain.audio import WINDOW_SECONDS, Span


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """The seconds that turn moments of speech into spans and windows.

    `min_silence` is Silero VAD's own recommendation (get_speech_timestamps, v6); the rest was chosen on the recordings of
    `benchmarks/word_error_rate.py`.
    """

    min_silence: float = 0.1
    """A span ends where nobody speaks for this long."""
    min_speech: float = 0.25
    """Shorter spans are clicks and coughs (Silero's min_speech_duration)."""
    pad: float = 0.8
    """Sound kept before and after the speech of a window: quiet onsets and endings, and the context they need."""
    max_gap: float = 6.0
    """A longer silence ends the window: Whisper fills long silences with invented words."""
    max_window: float = WINDOW_SECONDS
    cut_search: float = 12.0
    """How far before the limit of a full window a span without any silence is cut, where it is least like speech."""
    short_silence: float = 0.2
    """A cut at this silence costs a quarter of a window, one at no silence half, one at a long silence next to nothing."""


SHORTEST_FAINT = 0.03
"""Seconds of a moment that may be a single word: a frame is enough."""


@dataclass(frozen=True, slots=True)
class DetectorScale:
    """What a detector's probabilities of speech mean. Measured for each detector, it comes with it."""

    starts: float
    """A span starts at this probability,"""
    stops: float
    """and goes on until the probability stays below this."""
    faint_starts: float
    faint_stops: float
    """The same for what may be a single word: whatever is a little like speech for a frame."""
    like_speech: float
    """From this probability on a moment was like speech, though the detector heard nobody."""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """Where a window will be cut; `speech` are the spans inside it. Seconds of the recording."""

    index: int
    start: float
    end: float
    speech: tuple[Span, ...]
    left: float = 0.0
    """Seconds of this window and of those after it."""
    faint: bool | None = None
    """Where the detector heard nobody speak, whether a moment was like speech: only a text that is likely enough may stand."""

    @property
    def speech_seconds(self) -> float:
        return sum(span.seconds for span in self.speech)


def speech_spans(
    probabilities: Sequence[float],
    frame_seconds: float,
    duration: float,
    scale: DetectorScale,
    rules: SpeechRules | None = None,
) -> tuple[Span, ...]:
    """Return the stretches of speech in order, without padding, inside `duration` seconds.

    Hysteresis as in Silero's `get_speech_timestamps`: a span starts at a frame of at least `starts` and ends where the
    probability falls below `stops` and does not come back to `starts` within `min_silence`.
    """
    rules = rules or SpeechRules()
    min_silent = ceil(rules.min_silence / frame_seconds)
    spans = (
        Span(first * frame_seconds, min(last * frame_seconds, duration))
        for first, last in _frame_runs(probabilities, min_silent, scale)
    )
    return tuple(span for span in spans if span.seconds >= rules.min_speech)


def _frame_runs(probabilities: Sequence[float], min_silent: int, scale: DetectorScale) -> Iterator[tuple[int, int]]:
    """Yield first and last (exclusive) frame of every run of speech."""
    first: int | None = None
    quiet_since: int | None = None
    for frame, probability in enumerate(probabilities):
        if probability >= scale.starts:
            first = frame if first is None else first
            quiet_since = None
        elif probability < scale.stops and first is not None:
            quiet_since = frame if quiet_since is None else quiet_since
            if frame - quiet_since >= min_silent:
                yield first, quiet_since
                first = quiet_since = None
    if first is not None:
        yield first, quiet_since if quiet_since is not None else len(probabilities)


def faint_window(
    probabilities: Sequence[float], frame_seconds: float, duration: float, scale: DetectorScale
) -> tuple[PlannedWindow, ...]:
    """Return a recording without detected speech whole, when it is short and something in it is a little like speech.

    A detector is slow to believe a single word: alone between silences, "six" is a click to it. Longer recordings are left:
    a word in them stands among others.
    """
    faint, rules = replace(scale, starts=scale.faint_starts, stops=scale.faint_stops), SpeechRules(min_speech=SHORTEST_FAINT)
    spans = speech_spans(probabilities, frame_seconds, duration, faint, rules)
    if not spans or duration > rules.max_window:
        return ()
    return (PlannedWindow(0, 0.0, duration, spans, duration, faint=max(probabilities) >= scale.like_speech),)


def plan_windows(
    spans: Sequence[Span],
    probabilities: Sequence[float],
    frame_seconds: float,
    duration: float,
    rules: SpeechRules | None = None,
) -> tuple[PlannedWindow, ...]:
    """Return windows of at most `max_window` seconds that together hold every span, in order and without overlap.

    They are as few as they can be, for each costs a pass of the encoder over 30 s however much it holds, and cut at the
    longest silences that so few allow; a span longer than a window is cut at its least speech-like frame. A recording that
    fits into one window is left whole: its silence is the context in which its words were recorded.
    """
    rules = rules or SpeechRules()
    if not spans:
        return ()
    if duration <= rules.max_window:
        return (PlannedWindow(0, 0.0, duration, tuple(spans), duration),)
    pieces = [piece for span in spans for piece in _pieces(span, probabilities, frame_seconds, rules)]
    groups = list(_groups(pieces, rules))
    planned: list[PlannedWindow] = []
    for index, group in enumerate(groups):
        floor_at = groups[index - 1][-1].end if index else 0.0
        ceiling = groups[index + 1][0].start if index + 1 < len(groups) else duration
        start, end = _padded(group, floor_at, ceiling, first=index == 0, last=index + 1 == len(groups), rules=rules)
        planned.append(PlannedWindow(index, start, end, tuple(group)))
    return _with_what_is_left(planned)


def _with_what_is_left(planned: Sequence[PlannedWindow]) -> tuple[PlannedWindow, ...]:
    left = accumulate(window.end - window.start for window in reversed(planned))
    return tuple(replace(window, left=seconds) for window, seconds in zip(reversed(planned), left, strict=True))[::-1]


def _padded(
    group: Sequence[Span], floor_at: float, ceiling: float, first: bool, last: bool, rules: SpeechRules
) -> tuple[float, float]:
    """Grow a group into the silence around it: by `pad`, at most half-way to its neighbours, never past the limit."""
    before = (group[0].start - floor_at) / (1 if first else 2)
    after = (ceiling - group[-1].end) / (1 if last else 2)
    room = max(0.0, rules.max_window - (group[-1].end - group[0].start)) / 2
    return group[0].start - min(rules.pad, before, room), group[-1].end + min(rules.pad, after, room)


def _groups(pieces: Sequence[Span], rules: SpeechRules) -> Iterator[list[Span]]:
    """Yield the pieces of each window: those between two long silences are shared out at once."""
    first = 0
    for after in range(1, len(pieces) + 1):
        if after == len(pieces) or pieces[after].start - pieces[after - 1].end > rules.max_gap:
            yield from _shared_out(pieces[first:after], rules)
            first = after


def _shared_out(pieces: Sequence[Span], rules: SpeechRules) -> list[list[Span]]:
    """Cut pieces that follow each other into the windows that cost least: one each, and what each cut costs.

    Half of `pad` is left on each side: a window that ends with its last word is one in which the model waits for the next.
    """
    costs, cuts = [0.0], [0]
    earliest = 0
    longest = rules.max_window - rules.pad
    for last, piece in enumerate(pieces):
        while earliest < last and piece.end - pieces[earliest].start > longest:
            earliest += 1
        starts = range(earliest, last + 1)
        best, cut = min((round(costs[start] + 1.0 + _cost_of_cut(pieces, start, rules), 6), start) for start in starts)
        costs.append(best)
        cuts.append(cut)
    groups: list[list[Span]] = []
    end = len(pieces)
    while end:
        groups.append(list(pieces[cuts[end] : end]))
        end = cuts[end]
    return groups[::-1]


def _cost_of_cut(pieces: Sequence[Span], start: int, rules: SpeechRules) -> float:
    """Return what it costs to begin a window with this piece, in windows."""
    if start == 0:
        return 0.0
    silence = pieces[start].start - pieces[start - 1].end
    return 0.5 * rules.short_silence / (rules.short_silence + silence)


def _pieces(span: Span, probabilities: Sequence[float], frame_seconds: float, rules: SpeechRules) -> Iterator[Span]:
    """Cut a span that is longer than a window at the least speech-like frame of the search range."""
    start = span.start
    while span.end - start > rules.max_window:
        last = floor((start + rules.max_window) / frame_seconds)
        first = min(last, ceil((start + rules.max_window - rules.cut_search) / frame_seconds))
        frames = range(first, max(first + 1, min(last, len(probabilities))))
        best = min(frames, key=lambda frame: (probabilities[frame] if frame < len(probabilities) else 0.0, -frame))
        cut = best * frame_seconds
        yield Span(start, cut)
        start = cut
    yield Span(start, span.end)
