"""Progress where nothing can be drawn over: a pipe, a file, the log of a build."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.progress import Progress, Task, TaskID

AT_LEAST_S: Final = 10.0
"""Seconds after which a task that goes on is told again: build servers take longer silence for a hang."""
AT_MOST_S: Final = 1.0
"""Seconds between two looks: no task is told more often."""
NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class _Told:
    words: str
    at: float
    finished: bool


class PlainLines(Progress):
    """Writes a line when a task begins, when its words change (numbers apart), when it ends, and every `AT_LEAST_S` seconds."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console=console, disable=True, get_time=clock)
        self._clock = clock
        self._told: dict[TaskID, _Told] = {}
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, name="plain-lines", daemon=True)

    def start(self) -> None:
        """Begin to look every `AT_MOST_S` seconds, from a thread: whoever works may wait inside a library."""
        self._looking.start()

    def stop(self) -> None:
        """Tell what has changed since the last look, and end."""
        self._over.set()
        if self._looking.is_alive():
            self._looking.join()
        self.tell()

    def tell(self) -> None:
        """Write a line for every task that has something to say."""
        for task in self.tasks:
            if self._is_news(task):
                self._told[task.id] = _Told(_words(task), self._clock(), task.finished)
                self.console.print(_line(task), markup=False, soft_wrap=True)

    def _look(self) -> None:
        while not self._over.wait(AT_MOST_S):
            self.tell()

    def _is_news(self, task: Task) -> bool:
        told = self._told.get(task.id)
        if told is None or told.words != _words(task) or told.finished != task.finished:
            return True
        return not task.finished and self._clock() - told.at >= AT_LEAST_S


def _words(task: Task) -> str:
    return NUMBERS.sub("", task.description)


def _line(task: Task) -> str:
    share = "" if task.total is None else f"{task.percentage:.0f} %, "
    return f"{task.description} ({share}{task.finished_time or task.elapsed or 0:.0f} s)"
