"""Whether the engine of a replica still does its work: it is hung when nothing comes out of it, and sick when all of it is bad.

A replica tells what happens to its calls; Ray Serve asks with `check_health` and replaces a replica that fails three times in a
row. Nothing here knows Ray or an engine.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

REMEMBERED_CALLS: Final = 32
"""Answered calls of which the longest says how long one may take here."""


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """`timeout_s`: the longest that a caller waits for a call of this model, by the guard. `slow_factor`: how many times the
    longest of the last calls an engine may be silent beyond. `bad_in_a_row`: so many calls that failed or were refused.
    """

    timeout_s: float
    slow_factor: float = 10.0
    bad_in_a_row: int = 8


class Watchdog:
    """Follows the calls (or passes) of one engine, by `monotonic` seconds.

    An engine is silent from the moment that it has something to do until it answers, whatever the answer. Callers give up after a
    while and others come: their waiting adds up, for as long as nothing is answered. Who gives up sooner than calls take tells
    nothing. Of one call that fails again and again, only the first time counts: it may be the fault of its input.
    """

    def __init__(self, limits: HealthLimits, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._running: dict[int, float] = {}
        self._begun = 0
        self._silent_since = 0.0
        self._silent_before_s = 0.0
        self._took: deque[float] = deque(maxlen=REMEMBERED_CALLS)
        self._bad: set[str] = set()

    def begin(self) -> int:
        """A call goes to the engine; returns its number."""
        now = self._monotonic()
        if not self._running:
            self._silent_since = now
        self._begun += 1
        self._running[self._begun] = now
        return self._begun

    def answered(self, number: int) -> None:
        """The engine is done with a call, well or badly."""
        now = self._monotonic()
        self._took.append(now - self._running.pop(number))
        self._silent_since, self._silent_before_s = now, 0.0

    def given_up(self, number: int) -> None:
        """Nobody waits for a call any more."""
        del self._running[number]
        silent_s = self._monotonic() - self._silent_since
        if not self._running and silent_s > self._usual_s:
            self._silent_before_s += silent_s

    def good(self) -> None:
        """An answer was what it has to be."""
        self._bad.clear()

    def bad(self, call: str) -> None:
        """The answer to `call` would be refused, or the engine failed at it."""
        self._bad.add(call)

    @property
    def sickness(self) -> str | None:
        """Why the answers of the engine are worth nothing, in words; None where they are."""
        if len(self._bad) < self._limits.bad_in_a_row:
            return None
        return f"{len(self._bad)} calls in a row failed or had answers that have to be refused"

    @property
    def hang(self) -> str | None:
        """Why the engine counts as hung, in words; None where it does not."""
        now = self._monotonic()
        silent_s = self._silent_before_s + (now - self._silent_since if self._running else 0.0)
        oldest_s = max((now - began for began in self._running.values()), default=0.0)
        if max(silent_s, oldest_s) <= max(self._limits.timeout_s, self._usual_s):
            return None
        longest = f"the longest of the last {len(self._took)} calls took {max(self._took, default=0.0):.1f} s"
        return f"nothing was answered for {max(silent_s, oldest_s):.1f} s; {longest}"

    @property
    def _usual_s(self) -> float:
        """What no call takes as long as the engine is well."""
        return self._limits.slow_factor * max(self._took, default=0.0)
