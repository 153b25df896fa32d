"""From probabilities of speech to the windows that a recogniser hears: pure rules, no sound."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from domain.audio import WINDOW_SECONDS, Span


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """The numbers that turn probabilities into spans of speech and windows. Seconds, but for the two probabilities.

    `threshold`, `neg_threshold` and `min_silence` are Silero VAD's own recommendations (get_speech_timestamps, v6); the rest was
    chosen on the recordings of `benchmarks/word_error_rate.py`.
    """

    threshold: float = 0.5
    """A span starts at this probability,"""
    neg_threshold: float = 0.35
    """and goes on until the probability stays below this,"""
    min_silence: float = 0.1
    """for this long."""
    min_speech: float = 0.25
    """Shorter spans are clicks and coughs (Silero's min_speech_duration)."""
    pad: float = 0.8
    """Sound kept before and after the speech of a window: quiet onsets and endings, and the context they need."""
    max_gap: float = 6.0
    """A longer silence ends the window: Whisper fills long silences with invented words."""
    max_window: float = WINDOW_SECONDS
    cut_search: float = 12.0
    """How far before the limit of a full window the longest silence is looked for."""


@dataclass(frozen=True, slots=True)
class PlannedWindow:
    """Where a window will be cut; `speech` are the spans inside it. Seconds of the recording."""

    index: int
    start: float
    end: float
    speech: tuple[Span, ...]

    @property
    def speech_seconds(self) -> float:
        return sum(span.seconds for span in self.speech)


def speech_spans(
    probabilities: Sequence[float], frame_seconds: float, duration: float, rules: SpeechRules | None = None
) -> tuple[Span, ...]:
    """Return the stretches of speech in order, without padding, inside `duration` seconds.

    Hysteresis as in Silero's `get_speech_timestamps`: a span starts at a frame of at least `threshold` and ends where the
    probability falls below `neg_threshold` and does not come back to `threshold` within `min_silence`.
    """
    rules = rules or SpeechRules()
    spans = (
        Span(first * frame_seconds, min(last * frame_seconds, duration))
        for first, last in _frame_runs(probabilities, ceil(rules.min_silence / frame_seconds), rules)
    )
    return tuple(span for span in spans if span.seconds >= rules.min_speech)


def _frame_runs(probabilities: Sequence[float], min_silent: int, rules: SpeechRules) -> Iterator[tuple[int, int]]:
    """Yield first and last (exclusive) frame of every run of speech."""
    first: int | None = None
    quiet_since: int | None = None
    for frame, probability in enumerate(probabilities):
        if probability >= rules.threshold:
            first = frame if first is None else first
            quiet_since = None
        elif probability < rules.neg_threshold and first is not None:
            quiet_since = frame if quiet_since is None else quiet_since
            if frame - quiet_since >= min_silent:
                yield first, quiet_since
                first = quiet_since = None
    if first is not None:
        yield first, quiet_since if quiet_since is not None else len(probabilities)


def plan_windows(
    spans: Sequence[Span],
    probabilities: Sequence[float],
    frame_seconds: float,
    duration: float,
    rules: SpeechRules | None = None,
) -> tuple[PlannedWindow, ...]:
    """Return windows of at most `max_window` seconds that together hold every span, in order and without overlap.

    Windows are filled from the left; a full one is cut at the longest silence of its last `cut_search` seconds, a span
    longer than a window at its least speech-like frame. A recording that fits into one window is left whole: its
    silence is the context in which its words were recorded.
    """
    rules = rules or SpeechRules()
    if not spans:
        return ()
    if duration <= rules.max_window:
        return (PlannedWindow(0, 0.0, duration, tuple(spans)),)
    pieces = [piece for span in spans for piece in _pieces(span, probabilities, frame_seconds, rules)]
    groups = list(_groups(pieces, rules))
    planned = []
    for index, group in enumerate(groups):
        floor_at = groups[index - 1][-1].end if index else 0.0
        ceiling = groups[index + 1][0].start if index + 1 < len(groups) else duration
        start, end = _padded(group, floor_at, ceiling, first=index == 0, last=index + 1 == len(groups), rules=rules)
        planned.append(PlannedWindow(index, start, end, tuple(group)))
    return tuple(planned)


def _padded(
    group: Sequence[Span], floor_at: float, ceiling: float, first: bool, last: bool, rules: SpeechRules
) -> tuple[float, float]:
    """Grow a group into the silence around it: by `pad`, at most half-way to its neighbours, never past the limit."""
    before = (group[0].start - floor_at) / (1 if first else 2)
    after = (ceiling - group[-1].end) / (1 if last else 2)
    room = max(0.0, rules.max_window - (group[-1].end - group[0].start)) / 2
    return group[0].start - min(rules.pad, before, room), group[-1].end + min(rules.pad, after, room)


def _groups(pieces: Sequence[Span], rules: SpeechRules) -> Iterator[list[Span]]:
    group: list[Span] = []
    for piece in pieces:
        if group and piece.start - group[-1].end > rules.max_gap:
            yield group
            group = []
        while group and piece.end - group[0].start > rules.max_window:
            cut = _longest_silence([*group, piece], rules)
            yield group[:cut]
            group = group[cut:]
        group.append(piece)
    if group:
        yield group


def _longest_silence(group: Sequence[Span], rules: SpeechRules) -> int:
    """Return before which span to cut: at the longest silence near the limit, the later one of equals."""
    limit = group[0].start + rules.max_window
    candidates = [i for i in range(1, len(group)) if group[i - 1].end <= limit]
    late = [i for i in candidates if group[i - 1].end >= limit - rules.cut_search] or candidates[-1:]
    return max(late, key=lambda i: (round(group[i].start - group[i - 1].end, 3), i))


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
