"""Bounded calls in flight over all processes, and bounded waiting in each, per model and backend."""

import asyncio
from collections import deque
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.others import Others, name_of
from adapters.guard.settings import BulkheadSettings
from adapters.guard.waiting import TimeIsUp, within
from domain.call import Answer
from domain.errors import ModelOverloaded
from ports.clock import Clock


class Slots:
    """A first-come, first-served semaphore whose permits are never lost to a waiter that gave up. `most` may change."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        if self.taken >= self.most or self.waiting:
            return False
        self.taken += 1
        return True

    def queue(self) -> asyncio.Future[None]:
        """Stand in line at once. The future is done when the slot is the caller's; who stops waiting must `leave`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        self._hand_out()
        return turn

    def leave(self, turn: asyncio.Future[None]) -> None:
        """Stop waiting. A slot that came in the very moment of giving up goes to the next in line."""
        if turn in self.waiting:
            self.waiting.remove(turn)
        elif turn.done() and not turn.cancelled():
            self.give_back()

    def give_back(self) -> None:
        self.taken -= 1
        self._hand_out()

    def _hand_out(self) -> None:
        while self.waiting and self.taken < self.most:
            turn = self.waiting.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)


class Bulkhead:
    """Keeps one slow backend from holding everything: a full waiting room refuses at once.

    The places are those of the whole service; a process has the part of them that its calls are of all calls, and one at least.
    """

    def __init__(self, settings: BulkheadSettings, clock: Clock, others: Others) -> None:
        self._settings = settings
        self._clock = clock
        self._others = others
        self._slots: dict[tuple[str, str, str], Slots] = {}

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises ModelOverloaded when too many wait, or the wait grows too long."""
        slots = self._slots.setdefault(call.target, Slots(self._settings.max_concurrent))
        thing = f"places\n{name_of(call.target)}"
        self._share(slots, thing, 1)
        if not slots.take_now():
            await self._wait(slots, thing)
        try:
            return await proceed(call)
        finally:
            self._share(slots, thing, -1)
            slots.give_back()

    def _share(self, slots: Slots, thing: str, change: int) -> None:
        """Set how many places this process has, by what it would use now."""
        most = self._settings.max_concurrent
        wanted = min(most, slots.taken + len(slots.waiting) + change)
        self._others.holds(thing, wanted)
        slots.most = max(1, int(most * self._others.share(thing, wanted)))

    async def _wait(self, slots: Slots, thing: str) -> None:
        if len(slots.waiting) >= self._settings.max_waiting:
            raise ModelOverloaded("too many calls wait for this model", None)
        turn = slots.queue()
        try:
            await within(self._clock, self._settings.max_wait_s, _until(turn))
        except BaseException as error:
            slots.leave(turn)
            self._share(slots, thing, 0)
            if isinstance(error, TimeIsUp):
                raise ModelOverloaded("no place for a call to this model came free in time", None) from None
            raise


async def _until(turn: asyncio.Future[None]) -> None:
    await turn
