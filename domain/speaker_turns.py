"""From windows in which speakers were told apart to the turns of a whole recording."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import hypot
from typing import Final

from domain.audio import Span
from domain.speakers import HeardWindow, SpeakerCount, SpeakerTurn, SpokenVoice, Stretch
from domain.voice_clusters import ClusterRules, Voice, persons

EDGE_WEIGHT: Final = 0.1
"""What the very edge of a window counts against its middle, where the network has heard both what was before and what follows."""


@dataclass(frozen=True, slots=True)
class TurnRules:
    """The numbers that make turns of moments, in seconds; chosen on recordings that `docs/adr/0023` names."""

    longest_pause: float = 0.5
    """One person's silence up to this long is a breath inside a turn."""
    least_turn: float = 0.1
    """Shorter turns are noise."""
    pad: float = 0.2
    """A turn begins so much before the voice is heard clearly and ends so much after it, at most half-way to the next one."""


@dataclass(frozen=True, slots=True)
class _Activity:
    """That a person of some number speaks, or that a window was heard (`person` None), from `start` to `end`."""

    start: float
    end: float
    window: int
    person: int | None


def speaker_turns(
    windows: Sequence[HeardWindow],
    count: SpeakerCount,
    clusters: ClusterRules,
    rules: TurnRules | None = None,
) -> tuple[SpeakerTurn, ...]:
    """Return the turns of a recording whose windows overlap, in order of their start.

    At every moment as many persons speak as its windows have on average, and those that most of them name (Bredin et al. 2020).
    """
    return turns_and_voices(windows, count, clusters, rules)[0]


def turns_and_voices(
    windows: Sequence[HeardWindow],
    count: SpeakerCount,
    clusters: ClusterRules,
    rules: TurnRules | None = None,
) -> tuple[tuple[SpeakerTurn, ...], tuple[SpokenVoice | None, ...]]:
    """Return the turns as `speaker_turns` does, and how each of their speakers sounds."""
    rules = rules or TurnRules()
    known = _persons_of(windows, count, clusters)
    spoken: dict[int, list[Span]] = defaultdict(list)
    for span, speaking in _moments(windows, known):
        for person in speaking:
            spoken[person].append(span)
    turns = {person: list(_merged(spans, rules)) for person, spans in spoken.items()}
    first = sorted((spans[0].start, person) for person, spans in turns.items() if spans)
    order = {person: number for number, (_, person) in enumerate(first)}
    found = [SpeakerTurn(span.start, span.end, order[person]) for person, spans in turns.items() for span in spans]
    whole = Span(min(window.start for window in windows), max(window.end for window in windows)) if windows else Span(0.0, 0.0)
    padded = tuple(sorted(_padded(found, whole, rules.pad), key=lambda turn: (turn.start, turn.end, turn.speaker)))
    return padded, tuple(_voice(windows, known, person) for person in order)


Known = Mapping[tuple[int, int], int]
"""(number of the window, place of the stretch in it) to the number of the person."""


def _voice(windows: Sequence[HeardWindow], known: Known, person: int) -> SpokenVoice | None:
    """The mean of a person's vectors, each weighed by its seconds. Windows overlap, so that seconds count once."""
    mine = [
        windows[number].stretches[index]
        for (number, index), owner in known.items()
        if owner == person and windows[number].stretches[index].voice
    ]
    total = [sum(values) for values in zip(*([s.voice_seconds * v for v in s.voice] for s in mine), strict=True)]
    length = hypot(*total)
    if not length:
        return None
    seconds = sum(stretch.voice_seconds for stretch in mine) / times_heard(windows)
    return SpokenVoice(tuple(value / length for value in total), seconds)


def times_heard(windows: Sequence[HeardWindow]) -> float:
    """Return by how many windows a moment of the recording is heard on average."""
    seconds = max((window.end for window in windows), default=0.0) - min((window.start for window in windows), default=0.0)
    return sum(window.end - window.start for window in windows) / seconds if seconds > 0 else 1.0


def _persons_of(windows: Sequence[HeardWindow], count: SpeakerCount, rules: ClusterRules) -> Known:
    heard = [
        ((number, index), Voice(stretch.voice, stretch.voice_seconds, number, stretch.speaker))
        for number, window in enumerate(windows)
        for index, stretch in enumerate(window.stretches)
        if stretch.voice
    ]
    labels = persons([voice for _, voice in heard], count, rules, times_heard(windows))
    known = {key: label for (key, _), label in zip(heard, labels, strict=True)}
    return known | _by_neighbours(windows, known)


def _by_neighbours(windows: Sequence[HeardWindow], known: Known) -> dict[tuple[int, int], int]:
    """A stretch without a voice is of whom its window takes it for, else of whoever speaks then in the windows beside it."""
    found = {}
    for number, window in enumerate(windows):
        for index, stretch in enumerate(window.stretches):
            if (number, index) in known:
                continue
            votes: dict[int, float] = defaultdict(float)
            for other in range(max(0, number - 1), min(len(windows), number + 2)):
                for local, near in enumerate(windows[other].stretches):
                    if (other, local) in known:
                        votes[known[other, local]] += _says(stretch, near, same_window=other == number)
            best = max(votes, key=lambda person: (votes[person], -person), default=None)
            if best is not None and votes[best] > 0:
                found[number, index] = best
    return found


def _says(stretch: Stretch, near: Stretch, same_window: bool) -> float:
    """Seconds that speak for one person: all of a speaker in one window, what two windows have in common otherwise."""
    if same_window:
        return near.voice_seconds if near.speaker == stretch.speaker else 0.0
    return max(0.0, min(stretch.end, near.end) - max(stretch.start, near.start))


def _moments(windows: Sequence[HeardWindow], known: Known) -> Iterator[tuple[Span, list[int]]]:
    """Yield every stretch in which nothing changes, with the persons who speak in it."""
    activities = [_Activity(window.start, window.end, number, None) for number, window in enumerate(windows)]
    activities += [
        _Activity(stretch.start, stretch.end, number, known[number, index])
        for number, window in enumerate(windows)
        for index, stretch in enumerate(window.stretches)
        if (number, index) in known and stretch.seconds > 0
    ]
    activities.sort(key=lambda each: each.start)
    times = sorted({time for each in activities for time in (each.start, each.end)})
    running: list[_Activity] = []
    waiting = iter([*activities, None])
    upcoming = next(waiting)
    for start, end in pairwise(times):
        running = [each for each in running if each.end > start]
        while upcoming is not None and upcoming.start <= start:
            running.append(upcoming)
            upcoming = next(waiting)
        yield Span(start, end), _speaking(running, (start + end) / 2, windows)


def _speaking(running: Sequence[_Activity], time: float, windows: Sequence[HeardWindow]) -> list[int]:
    total = sum(_weight(windows[each.window], time) for each in running if each.person is None)
    votes: dict[int, float] = defaultdict(float)
    for window, person in sorted({(each.window, each.person) for each in running if each.person is not None}):
        votes[person] += _weight(windows[window], time)
    number = int(sum(votes.values()) / total + 0.5) if total else 0
    return sorted(votes, key=lambda person: (-votes[person], person))[:number]


def _weight(window: HeardWindow, time: float) -> float:
    half = (window.end - window.start) / 2
    return max(EDGE_WEIGHT, 1.0 - abs(time - window.start - half) / half)


def _padded(turns: Sequence[SpeakerTurn], whole: Span, pad: float) -> Iterator[SpeakerTurn]:
    """Widen turns into the silence around them; where somebody else speaks, an edge stays."""
    starts, ends = sorted(turn.start for turn in turns), sorted(turn.end for turn in turns)

    def silent(time: float) -> bool:
        return bisect_left(starts, time) == bisect_right(ends, time)

    for turn in turns:
        start, end = turn.start, turn.end
        if silent(start):
            before = bisect_right(ends, start)
            start -= min(pad, (start - ends[before - 1]) / 2 if before else start - whole.start)
        if silent(end):
            after = bisect_left(starts, end)
            end += min(pad, (starts[after] - end) / 2 if after < len(starts) else whole.end - end)
        yield SpeakerTurn(start, end, turn.speaker)


def _merged(spans: Sequence[Span], rules: TurnRules) -> Iterator[Span]:
    """Join what only a breath parts, and leave out what is too short; `spans` are in order."""
    current: Span | None = None
    for span in spans:
        if current is not None and span.start - current.end <= rules.longest_pause:
            current = Span(current.start, max(current.end, span.end))
            continue
        if current is not None and current.seconds >= rules.least_turn:
            yield current
        current = span
    if current is not None and current.seconds >= rules.least_turn:
        yield current
