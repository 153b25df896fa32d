"""Who speaks in a stretch of time, by the turns that were found."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from math import inf

from domain.speakers import SpeakerTurn

REACH_S = 1.0
"""A word this far from every turn belongs to nobody: the times of recognisers and of speaker models are off by less."""


class WhoSpeaks:
    """Turns, to be asked about one stretch after another. Those of one speaker do not overlap."""

    def __init__(self, turns: Sequence[SpeakerTurn]) -> None:
        self._turns: dict[int, list[SpeakerTurn]] = defaultdict(list)
        for turn in sorted(turns, key=lambda turn: (turn.start, turn.end)):
            self._turns[turn.speaker].append(turn)
        self._starts = {speaker: [turn.start for turn in mine] for speaker, mine in self._turns.items()}

    def during(self, start: float, end: float, before: int | None = None) -> int | None:
        """Return who speaks most of the stretch, else who is nearest within `REACH_S`; None for nobody.

        Of equals `before` goes on speaking, else the one who was heard first in the recording.
        """
        shares = {speaker: self._share(speaker, start, end) for speaker in self._turns}
        found = [speaker for speaker, (overlap, gap) in shares.items() if overlap > 0 or gap <= REACH_S]
        return min(found, key=lambda s: (-round(shares[s][0], 3), shares[s][1], s != before, s), default=None)

    def _share(self, speaker: int, start: float, end: float) -> tuple[float, float]:
        """Return the seconds in which a speaker talks, and how far the nearest turn is."""
        turns, last = self._turns[speaker], bisect_right(self._starts[speaker], end)
        overlap, gap = 0.0, turns[last].start - end if last < len(turns) else inf
        for index in range(last - 1, -1, -1):
            if turns[index].end < start:
                return overlap, min(gap, start - turns[index].end)
            overlap += min(turns[index].end, end) - max(turns[index].start, start)
            gap = 0.0
        return overlap, gap
