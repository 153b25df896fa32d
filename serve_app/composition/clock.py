"""The real clock."""

import asyncio
import time

from ports.clock import Clock


class SystemClock(Clock):
    """Time of this machine."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
