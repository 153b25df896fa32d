"""What this process knows of the others, and what it tells them: never in the way of a call (docs/adr/0025)."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from adapters.guard.settings import SharedSettings
from adapters.guard.waiting import in_background, taken_or_undone, within
from ports.call_board import CallBoard, News, Notice
from ports.clock import Clock

T = TypeVar("T")
Target = tuple[str, str, str]
Posting = Coroutine[Any, Any, Notice | None]

ANSWERS_S = 1.0
"""Seconds after which a board that has not answered counts as away."""
BEATS_POSTED = 3
"""What a process posts counts for so many beats: it survives two that are lost."""
QUIET_BEATS = 2
"""Beats without a call after which a process says nothing more until the next one."""
HOLD_S = 15.0
"""Seconds for which a probe is one process's without a further sign of it: a dead one delays the next probe by this."""
RENEWALS_PER_HOLD = 3
MOST_POSTED = 500
"""Things of which one process posts its demand, the busiest first."""


class Others:
    """News of the board, as fresh as the last beat; a process without a board, or whose board is away, knows of nobody.

    While calls are made, a background task posts this process's demand and reads the news once every `beat_s`.
    """

    def __init__(self, board: CallBoard | None, owner: str, settings: SharedSettings, clock: Clock) -> None:
        self._board = board
        self._owner = owner
        self._settings = settings
        self._clock = clock
        self._news = News()
        self._read_at = self._asked_at = -math.inf
        self._held: dict[str, float] = {}
        self._peak: dict[str, float] = {}
        self._posted: dict[str, float] = {}
        self._beating: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[News | None] | None = None

    def share(self, thing: str, wanted: float) -> float:
        """Return this process's part of a thing that all share, above 0 to 1: its demand over the demand of all."""
        if self._board is None:
            return 1.0
        mine = max(wanted, self._posted.get(thing, 0.0), 1.0)
        return mine / (mine + self._demand_of_others(thing))

    def holds(self, thing: str, amount: float) -> None:
        """Note how much of a thing this process holds and waits for."""
        if self._board is None:
            return
        self._held[thing] = amount
        self._peak[thing] = max(amount, self._peak.get(thing, 0.0))
        self._look()

    def asks(self, thing: str) -> float:
        """Note that this process asked once for a thing; return how often it did since the last beat."""
        if self._board is None:
            return 1.0
        asked = self._peak[thing] = self._peak.get(thing, 0.0) + 1.0
        self._look()
        return asked

    async def listen(self) -> None:
        """Wait for the first news after a pause; a board that is away is waited for once in a few beats, and not for long."""
        if self._reading is not None and self._clock.monotonic() - self._asked_at > BEATS_POSTED * self._settings.beat_s:
            await asyncio.shield(self._reading)

    def notice(self, target: Target) -> tuple[Notice, float] | None:
        """What is posted about a breaker, and when that was read (monotonic seconds)."""
        found = self._news.breakers.get(name_of(target))
        return None if found is None else (found, self._read_at)

    async def breakers(self) -> dict[Target, Notice] | None:
        """Return what stands on the board just now; None where there is none or it is away."""
        news = await self._read(None)
        return None if news is None else {target_of(name): notice for name, notice in news.breakers.items()}

    async def opened(self, target: Target, seconds: float, doubt_s: float) -> Notice | None:
        """Tell the others; return what stands on the board then, None when it is this process's own affair."""
        return await self._post(target, lambda board, name: board.open(name, self._owner, seconds, doubt_s))

    async def reopened(self, target: Target, seconds: float) -> Notice | None:
        return await self._post(target, lambda board, name: board.reopen(name, self._owner, seconds))

    async def closed(self, target: Target) -> Notice | None:
        return await self._post(target, lambda board, name: board.close(name, self._owner))

    async def may_probe(self, target: Target) -> bool:
        """Claim the probe; True also when the board is away. After a False, the news are fresh."""
        if (board := self._board) is None:
            return True

        async def undo(claimed: bool | None) -> None:
            if claimed:
                await self.probed_nothing(target)

        claim = self._answer(board.probe(name_of(target), self._owner, HOLD_S))
        claimed = await taken_or_undone(claim, undo=undo)
        if claimed is False:
            await self._read(None)
        return claimed is not False

    async def hold_probe(self, target: Target) -> None:
        """Keep the probe until cancelled."""
        while self._board is not None:
            await self._clock.sleep(HOLD_S / RENEWALS_PER_HOLD)
            await self._answer(self._board.probe(name_of(target), self._owner, HOLD_S))

    async def probed_nothing(self, target: Target) -> None:
        if self._board is not None:
            await self._answer(self._board.drop_probe(name_of(target), self._owner))

    def _look(self) -> None:
        if self._beating is None or self._beating.done():
            self._reading = in_background(self._read(self._take_demand()))
            self._beating = in_background(self._beat(self._reading))

    async def _beat(self, reading: asyncio.Task[News | None]) -> None:
        await reading
        quiet = 0
        while quiet < QUIET_BEATS:
            await self._clock.sleep(self._settings.beat_s)
            demand = self._take_demand()
            await self._read(demand)
            quiet = 0 if demand else quiet + 1

    def _take_demand(self) -> dict[str, float]:
        """Return the most that was wanted of each thing since the last beat."""
        self._held = {thing: amount for thing, amount in self._held.items() if amount > 0}
        busiest = sorted(self._peak.items(), key=lambda each: -each[1])[:MOST_POSTED]
        self._posted = {thing: amount for thing, amount in busiest if amount > 0}
        self._peak = dict(self._held)
        return self._posted

    async def _read(self, demand: dict[str, float] | None) -> News | None:
        if self._board is None:
            return None
        news = await self._answer(self._board.exchange(self._owner, demand, BEATS_POSTED * self._settings.beat_s))
        self._asked_at = self._clock.monotonic()
        if news is not None:
            self._news, self._read_at = news, self._asked_at
        return news

    async def _post(self, target: Target, ask: Callable[[CallBoard, str], Posting]) -> Notice | None:
        if self._board is None:
            return None
        return await self._answer(ask(self._board, name_of(target)))

    async def _answer(self, asked: Coroutine[Any, Any, T]) -> T | None:
        """Return what the board answers; None when it does not. Whatever becomes of the board, it never stops a call."""
        try:
            return await within(self._clock, ANSWERS_S, asked)
        except Exception:
            return None

    def _demand_of_others(self, thing: str) -> float:
        if self._clock.monotonic() - self._read_at > BEATS_POSTED * self._settings.beat_s:
            return 0.0
        return sum(asked.get(thing, 0.0) for owner, asked in self._news.demand.items() if owner != self._owner)


def name_of(target: Target) -> str:
    """Return a target as the board knows it."""
    return "\n".join(target)


def target_of(name: str) -> Target:
    """Return the target that the board calls so."""
    backend, model, revision = name.split("\n", 2)
    return backend, model, revision
