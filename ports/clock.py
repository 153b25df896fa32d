"""Time, so that tests can move it."""

from abc import abstractmethod
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. Tests bring one that only moves when told."""

    @abstractmethod
    def now(self) -> float:
        """Seconds of the Unix epoch."""

    @abstractmethod
    def monotonic(self) -> float:
        """Seconds that never go back, from an arbitrary start."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
