"""Who may use the engine now: a semaphore over its slots."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from domain.errors import ModelOverloaded

OVERLOADED_RETRY_AFTER_S = 2.0
"""Seconds; about one bounded phrase at the speed of the smallest machine."""


class Slots:
    """The engine's sequences, each used by one request at a time; first come, first served, up to `max_waiting` that wait."""

    def __init__(self, count: int, max_waiting: int) -> None:
        self._free = deque(range(count))
        self._turns = asyncio.Semaphore(count)
        self._max_waiting = max_waiting
        self._waiting = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[int]:
        """Hold a slot, named by its number. Raises ModelOverloaded."""
        if self._waiting >= self._max_waiting:
            raise ModelOverloaded("the language model's queue is full", OVERLOADED_RETRY_AFTER_S)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        slot = self._free.popleft()
        try:
            yield slot
        finally:
            self._free.append(slot)
            self._turns.release()
