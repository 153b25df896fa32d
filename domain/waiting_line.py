"""Requests that wait for a pass of an engine: the nearest to done first, and nobody for ever."""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Generic, TypeVar

Item = TypeVar("Item")

SECONDS_WORTH_A_SECOND = 10.0
"""Seconds of sound left that one second of waiting makes up for: a two-hour recording is overtaken by short ones for at most
12 minutes, and a ten-second clip overtakes whatever has more than that left and came within the last moments."""


@dataclass(slots=True)
class WaitingLine(Generic[Item]):
    """Items in the order in which they are served: by what is left of their recording and by how long they have waited.

    The two never change places while they wait: each grows by a second a second, so an item's place is fixed when it comes.
    """

    _heap: list[tuple[float, int, Item]] = field(default_factory=list)
    _count: int = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, item: Item, left_s: float, now_s: float) -> None:
        """Add an item of which `left_s` seconds of sound are left, at `now_s` of any steady clock; 0 is as good as done."""
        heappush(self._heap, (left_s + SECONDS_WORTH_A_SECOND * now_s, self._count, item))
        self._count += 1

    def take(self, most: int) -> list[Item]:
        """Remove and return up to `most` items, the first to be served first."""
        return [heappop(self._heap)[2] for _ in range(min(most, len(self._heap)))]
