"""Seconds that work takes on a machine that has nothing else to do, measured on one that has."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TASKS: Final = Path("/proc/self/task")
BUSY_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Threads:
    """What the kernel tells of each thread of this process, by its id: nanoseconds that it ran, and that it waited for a core."""

    ran: dict[str, int]
    waited: dict[str, int]

    @classmethod
    def now(cls) -> "_Threads":
        """Empty where there is no such file (another system, a kernel without scheduler statistics)."""
        ran, waited = {}, {}
        for file in TASKS.glob("*/schedstat"):
            try:
                ran[file.parent.name], waited[file.parent.name] = (int(value) for value in file.read_text().split()[:2])
            except (OSError, ValueError):  # the thread has ended
                continue
        return cls(ran, waited)


class QuietStopwatch:
    """Counts from when it is made. The replicas of a service warm up side by side, and each is to know its own speed."""

    def __init__(self) -> None:
        self._threads = _Threads.now()
        self._begun = time.perf_counter()

    def seconds(self) -> float:
        """Return the time that has passed, less the share for which this process's threads waited for a core."""
        passed = time.perf_counter() - self._begun
        now = _Threads.now()
        ran = _grown(self._threads.ran, now.ran)
        waited = _grown(self._threads.waited, now.waited)
        # A process whose threads sleep most of the time waits for another one, of which this tells nothing.
        busy = ran + waited >= BUSY_SHARE * passed * 1e9
        return passed * ran / (ran + waited) if busy and ran > 0 else passed


def _grown(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(value - before.get(thread, 0) for thread, value in after.items())
