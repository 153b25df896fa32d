"""From voices to persons: which of many stretches of speech come from one mouth. Agglomerative, by the likeness of centroids."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import hypot, sqrt
from operator import add, mul
from typing import Final

from domain.speakers import SpeakerCount

BLOCK: Final = 256
"""Voices that are compared each with each, some twenty minutes of talk; groups of all blocks are compared after that. Without
blocks ten hours would take a hundred times as long as one."""


@dataclass(frozen=True, slots=True)
class ClusterRules:
    """The numbers that decide who is one person. All but `least_seconds` are of one model of voices, measured for it
    (`docs/adr/0023` says on what), and come with its descriptor.
    """

    least_likeness: float
    """Groups are joined down to this cosine of their centroids, corrected for how little was heard."""
    one_voice: float
    """What is so much alike is one person, however many there are said to be."""
    half_heard_seconds: float
    """Talk in which a vector shows as much of the moment as of the voice."""
    told_apart: float
    """Taken from the likeness of two voices that one window tells apart. No ban: with four speakers, windows are often wrong."""
    same_voice: float | None = None
    """Likeness from which two voices are one person in two recordings; None where nobody measured it."""
    least_seconds: float = 1.0
    """A person is heard for this long; a smaller group is noise, and goes to whom it is most like."""


@dataclass(frozen=True, slots=True)
class Voice:
    """A vector of length one, from `seconds` of speech of one of the speakers of the window with that number."""

    vector: tuple[float, ...]
    seconds: float
    window: int
    speaker: int


NOBODY: Final[Counter[int]] = Counter()
TINY: Final = 1e-12
"""Voices may cancel each other out; nothing is divided by nothing."""


@dataclass(slots=True)
class _Group:
    """Voices that were joined: their places, the sum of their vectors by seconds, and whom each window takes them for."""

    members: list[int]
    total: tuple[float, ...]
    seconds: float
    heard: dict[int, Counter[int]]
    length: float = field(init=False)

    def __post_init__(self) -> None:
        self.length = hypot(*self.total)

    def with_(self, other: "_Group") -> "_Group":
        total = tuple(map(add, self.total, other.total))
        heard = {window: self.heard.get(window, NOBODY) + other.heard.get(window, NOBODY) for window in self.heard | other.heard}
        return _Group(self.members + other.members, total, self.seconds + other.seconds, heard)

    def reliability(self, rules: ClusterRules) -> float:
        """How well so many seconds show the voice, 0 to 1 (Spearman and Brown 1910)."""
        return max(self.seconds / (self.seconds + rules.half_heard_seconds), TINY)

    def likeness(self, other: "_Group", rules: ClusterRules) -> float:
        """The cosine of both centroids as it would be with endless talk, less what windows that tell their voices apart say.

        Of short talk even the cosine of a person with himself is low: the correction for attenuation (Spearman 1904).
        """
        cosine: float = sum(map(mul, self.total, other.total)) / max(self.length * other.length, TINY)
        likeness = cosine / sqrt(self.reliability(rules) * other.reliability(rules))
        shared = self.heard.keys() & other.heard.keys()
        if not shared:
            return likeness
        pairs = [(self.heard[window], other.heard[window]) for window in shared]
        one = sum(mine[speaker] * theirs[speaker] for mine, theirs in pairs for speaker in mine)
        both = sum(mine.total() * theirs.total() for mine, theirs in pairs)
        return likeness - rules.told_apart * (both - one) / (len(self.members) * len(other.members))


def persons(voices: Sequence[Voice], count: SpeakerCount, rules: ClusterRules, times_heard: float = 1.0) -> list[int]:
    """Return for each voice the number of its person, from 0 on without gaps.

    There are as many persons as are told apart, within `count` as far as there are voices for it. `times_heard`: by how many
    windows a moment is heard, so that seconds of voices count as often.
    """
    rules = replace(
        rules,
        least_seconds=rules.least_seconds * times_heard,
        half_heard_seconds=rules.half_heard_seconds * times_heard,
    )
    groups = [_single(index, voice) for index, voice in enumerate(voices)]
    if len(groups) > BLOCK:
        blocks = [groups[start : start + BLOCK] for start in range(0, len(groups), BLOCK)]
        groups = [group for block in blocks for group in _joined(block, _alike(rules.least_likeness), rules)]
    large = _large(_within(groups, count, rules), count, rules)
    found = [-1] * len(voices)
    for number, group in enumerate(large):
        for member in group.members:
            found[member] = number
    for index in (index for index, number in enumerate(found) if number < 0):
        alone = _single(index, voices[index])
        found[index] = max(range(len(large)), key=lambda number: large[number].likeness(alone, rules))
    return found


def _single(index: int, voice: Voice) -> _Group:
    return _Group(
        [index], tuple(voice.seconds * value for value in voice.vector), voice.seconds, {voice.window: Counter([voice.speaker])}
    )


GoOn = Callable[[Sequence[_Group], float], bool]
"""Told the groups there are, and how much alike the two nearest ones are: whether to join these."""


def _alike(least: float) -> GoOn:
    return lambda _groups, likeness: likeness >= least


def _within(groups: Sequence[_Group], count: SpeakerCount, rules: ClusterRules) -> list[_Group]:
    """Join what is alike, go on where there are more persons than there may be, and stop before there are too few groups.

    A person who is known to be there and was not heard for long is rather a small group than half of another person.
    """

    def go_on(now: Sequence[_Group], likeness: float) -> bool:
        if count.most is not None and _persons(now, rules) > count.most:
            return True
        enough = len(now) > (count.least or 0)
        return likeness >= (rules.least_likeness if enough else rules.one_voice)

    return _joined(groups, go_on, rules)


def _persons(groups: Sequence[_Group], rules: ClusterRules) -> int:
    return sum(group.seconds >= rules.least_seconds for group in groups)


def _large(groups: Sequence[_Group], count: SpeakerCount, rules: ClusterRules) -> list[_Group]:
    """The groups that are persons: those heard for long enough, the longest ones where too few or too many are."""
    ordered = sorted(groups, key=lambda group: (-group.seconds, group.members[0]))
    number = max(_persons(groups, rules), count.least or 1)
    return ordered[: min(number, count.most or number)]


def _joined(groups: Sequence[_Group], go_on: GoOn, rules: ClusterRules) -> list[_Group]:
    """Join the two groups that are most alike, again and again, for as long as `go_on` says so."""
    left: dict[int, _Group] = dict(enumerate(groups))
    rows = {i: {j: left[i].likeness(left[j], rules) for j in range(i)} for i in left}
    best = {i: max(row, key=lambda j: (row[j], -j)) for i, row in rows.items() if row}
    while best:
        i = max(best, key=lambda i: (rows[i][best[i]], -i))
        j = best[i]
        if not go_on(list(left.values()), rows[i][j]):
            break
        left[j] = left[j].with_(left.pop(i))
        _forget(i, rows, best)
        _update(j, left, rows, best, rules)
    return list(left.values())


def _forget(gone: int, rows: dict[int, dict[int, float]], best: dict[int, int]) -> None:
    """Take a group out of the table; rows whose best it was look for another one."""
    del rows[gone]
    best.pop(gone, None)
    for i, row in rows.items():
        if row.pop(gone, None) is not None and best[i] == gone:
            _look_again(i, rows, best)


def _update(
    changed: int, left: dict[int, _Group], rows: dict[int, dict[int, float]], best: dict[int, int], rules: ClusterRules
) -> None:
    """Measure a group that has grown against all others."""
    for other in rows[changed]:
        rows[changed][other] = left[changed].likeness(left[other], rules)
    _look_again(changed, rows, best)
    for i in (i for i in rows if i > changed):
        rows[i][changed] = left[changed].likeness(left[i], rules)
        if best[i] == changed or rows[i][changed] > rows[i][best[i]]:
            _look_again(i, rows, best)


def _look_again(i: int, rows: dict[int, dict[int, float]], best: dict[int, int]) -> None:
    row = rows[i]
    if row:
        best[i] = max(row, key=lambda j: (row[j], -j))
    else:
        best.pop(i, None)
