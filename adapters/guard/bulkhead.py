"""Bounded calls in flight, and bounded waiting, per model and backend."""

import asyncio
from collections import deque
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.settings import BulkheadSettings
from adapters.guard.waiting import TimeIsUp, within
from domain.call import Answer
from domain.errors import ModelOverloaded
from ports.clock import Clock


class Places:
    """A first-come, first-served semaphore whose permits are never lost to a waiter that gave up."""

    def __init__(self, free: int) -> None:
        self.free = free
        self.waiting: deque[asyncio.Future[None]] = deque()

    def take_now(self) -> bool:
        if self.free == 0 or self.waiting:
            return False
        self.free -= 1
        return True

    def queue(self) -> asyncio.Future[None]:
        """Stand in line at once. The future is done when the place is the caller's; who stops waiting must `leave`."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        return turn

    def leave(self, turn: asyncio.Future[None]) -> None:
        """Stop waiting. A place that came in the very moment of giving up goes to the next in line."""
        if turn in self.waiting:
            self.waiting.remove(turn)
        elif turn.done() and not turn.cancelled():
            self.give_back()

    def give_back(self) -> None:
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


class Bulkhead:
    """Keeps one slow backend from holding everything: a full waiting room refuses at once."""

    def __init__(self, settings: BulkheadSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._places: dict[tuple[str, str, str], Places] = {}

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises ModelOverloaded when too many wait, or the wait grows too long."""
        places = self._places.setdefault(call.target, Places(self._settings.max_concurrent))
        if not places.take_now():
            await self._wait(places)
        try:
            return await proceed(call)
        finally:
            places.give_back()

    async def _wait(self, places: Places) -> None:
        if len(places.waiting) >= self._settings.max_waiting:
            raise ModelOverloaded("too many calls wait for this model", None)
        turn = places.queue()
        try:
            await within(self._clock, self._settings.max_wait_s, _until(turn))
        except BaseException as error:
            places.leave(turn)
            if isinstance(error, TimeIsUp):
                raise ModelOverloaded("no place for a call to this model came free in time", None) from None
            raise


async def _until(turn: asyncio.Future[None]) -> None:
    await turn
