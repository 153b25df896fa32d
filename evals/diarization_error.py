"""How much of a recording is given to the wrong speaker: the diarization error rate of NIST's evaluations, exactly.

Every moment of the reference counts once for each person who speaks in it: as missed, as confused, or as right; what is found
beyond that is a false alarm (Fiscus et al. 2006). Speakers found are matched with those of the reference one to one, so that as
much as possible is right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

COLLAR_S: Final = 0.25
"""Seconds on both sides of every start and end in the reference that are not scored: nobody marks them better than that."""


@dataclass(frozen=True, slots=True)
class Talk:
    """One person talking, in seconds of the recording; `text` where it is known what they say."""

    person: str
    start: float
    end: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class DiarizationErrors:
    """Seconds, each counted once for every person who speaks in it."""

    missed: float
    false_alarm: float
    confused: float
    spoken: float

    @property
    def seconds(self) -> float:
        return self.missed + self.false_alarm + self.confused


@dataclass(frozen=True, slots=True)
class _Moment:
    """A stretch in which nothing changes: how long, who speaks by the reference, and who was found to."""

    seconds: float
    truth: frozenset[str]
    found: frozenset[str]


def diarization_errors(
    reference: Sequence[Talk], found: Sequence[Talk], collar: float = COLLAR_S, overlap: bool = True
) -> DiarizationErrors:
    """Return the errors of `found`; without `overlap`, moments in which several persons speak by the reference are left out."""
    moments = [each for each in _moments(reference, found, collar) if overlap or len(each.truth) <= 1]
    right = _most_right(moments)
    both = sum(each.seconds * min(len(each.truth), len(each.found)) for each in moments)
    return DiarizationErrors(
        missed=sum(each.seconds * max(0, len(each.truth) - len(each.found)) for each in moments),
        false_alarm=sum(each.seconds * max(0, len(each.found) - len(each.truth)) for each in moments),
        confused=max(0.0, both - right),
        spoken=sum(each.seconds * len(each.truth) for each in moments),
    )


def _most_right(moments: Sequence[_Moment]) -> float:
    """Seconds in which the right person was found, with the best matching of those found to those there are."""
    from scipy.optimize import linear_sum_assignment

    truths = sorted({person for each in moments for person in each.truth})
    others = sorted({person for each in moments for person in each.found})
    together = [
        [sum(each.seconds for each in moments if truth in each.truth and other in each.found) for other in others]
        for truth in truths
    ]
    if not truths or not others:
        return 0.0
    rows, columns = linear_sum_assignment(together, maximize=True)
    return float(sum(together[row][column] for row, column in zip(rows, columns, strict=True)))


def _moments(reference: Sequence[Talk], found: Sequence[Talk], collar: float) -> Iterator[_Moment]:
    """Yield the moments that are scored: those outside all collars, in which somebody speaks or was found to."""
    edges = [time for talk in reference for time in (talk.start, talk.end)]
    times = {time for talk in (*reference, *found) for time in (talk.start, talk.end)}
    times |= {edge + side for edge in edges for side in (-collar, collar)}
    for start, end in pairwise(sorted(times)):
        middle = (start + end) / 2
        if any(abs(middle - edge) < collar for edge in edges):
            continue
        truth, others = (
            frozenset(talk.person for talk in talks if talk.start <= middle < talk.end) for talks in (reference, found)
        )
        if truth or others:
            yield _Moment(end - start, truth, others)
