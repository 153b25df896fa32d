"""When a replica has done enough and asks to be replaced, and how only one of a deployment does so at a time.

The replica fails its health check; Ray Serve then starts another, sends no more calls to this one, and lets it finish those it
holds (`graceful_shutdown_timeout_s`).
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

TURN_S: Final = 120.0
"""Seconds for which only one of the replicas may ask: longer than Serve takes to believe it (three checks, ten seconds apart)."""
ASKING_S: Final = 60.0
"""Seconds from the beginning of a turn in which it may begin to ask, so that the next one sees what came of it."""


@dataclass(frozen=True, slots=True)
class RecycleLimits:
    """What makes a replica ask to be replaced: `calls` answered, or `rss_bytes` of memory. None: never."""

    calls: int | None = None
    rss_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Siblings:
    """The replicas of a deployment as one of them sees them: its number from 0, how many there are, whether all of them run."""

    number: int
    count: int
    all_run: bool


class Recycling:
    """Counts what a replica has done. `rss` gives bytes, `now` Unix seconds: turns go by the clocks of the machines.

    Replicas take turns by their numbers, `TURN_S` seconds each, so that none has to ask another; and nobody begins while one is
    missing. A replica that was over its memory from the start would be so again, and again: there the limit holds nothing.
    """

    def __init__(
        self,
        limits: RecycleLimits,
        siblings: Callable[[], Awaitable[Siblings]],
        rss: Callable[[], int],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._siblings = siblings
        self._rss = rss
        self._now = now
        self._calls = 0
        self._asks: str | None = None
        self.limit_is_too_low = limits.rss_bytes is not None and rss() >= limits.rss_bytes

    def count(self) -> None:
        """A call was answered."""
        self._calls += 1

    async def wish(self) -> str | None:
        """Return why this replica asks to be replaced now; None while it does not, or while it is another's turn."""
        reason = self._reason()
        if self._asks is None and reason is not None and await self._my_turn():
            self._asks = reason
        return self._asks

    def _reason(self) -> str | None:
        if self._limits.calls is not None and self._calls >= self._limits.calls:
            return f"recycled after {self._calls} calls"
        most = self._limits.rss_bytes
        if most is not None and not self.limit_is_too_low and (held := self._rss()) > most:
            return f"recycled with {held / 1024**2:,.0f} MiB of memory"
        return None

    async def _my_turn(self) -> bool:
        siblings = await self._siblings()
        turn, into = divmod(self._now(), TURN_S)
        return siblings.all_run and into < ASKING_S and int(turn) % max(1, siblings.count) == siblings.number
