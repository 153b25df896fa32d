"""A clock that only moves when told."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from ports.clock import Clock

T = TypeVar("T")

SETTLE_ROUNDS = 60
"""Turns of the event loop after which every task that can go on has done so; the deepest chain of wake-ups here is about 20."""


class MovableClock(Clock):
    """Starts at `now` (Unix seconds); `sleep` returns when `advance` or `run` has moved the time far enough."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._start = now
        self._now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - self._start

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        sleeper = (self._now + seconds, self._count, asyncio.get_running_loop().create_future())
        self._sleepers.append(sleeper)
        try:
            await sleeper[2]
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Move the time by `seconds`, waking each sleeper at its own time and letting it act before the next."""
        target = self._now + seconds
        await self.settle()
        while self._sleepers and min(self._sleepers)[0] <= target:
            await self._wake_next()
        self._now = target
        await self.settle()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, moving the time whenever everything waits for it."""
        task = asyncio.ensure_future(work)
        try:
            await self.settle()
            while not task.done():
                if not self._sleepers:
                    raise AssertionError("the work waits for something that is not the clock")
                await self._wake_next()
            return task.result()
        finally:
            task.cancel()

    async def settle(self) -> None:
        """Let every task run until it waits."""
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(0)

    async def _wake_next(self) -> None:
        due, _, waiting = sleeper = min(self._sleepers)
        self._sleepers.remove(sleeper)
        self._now = max(self._now, due)
        if not waiting.done():
            waiting.set_result(None)
        await self.settle()
