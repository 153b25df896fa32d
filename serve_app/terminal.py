"""What the command line shows: progress bars while anything takes longer than a second, and plain results."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from adapters.model_store import Progress as StoreProgress
from adapters.ray_serve.cluster import ReplicaState

console = Console(stderr=True, highlight=False)
"""Everything but results goes to standard error, so that results can be piped."""
output = Console(highlight=False)

WARMING = {"Transcriber": "Whisper", "LanguageModel": "language model", "Embedder": "embedder"}


def bars(*extra: ProgressColumn) -> Progress:
    """A progress display in the one style of this command line."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        *(extra or (TextColumn("{task.percentage:>3.0f}%"),)),
        TimeElapsedColumn(),
        console=console,
        transient=False,
    )


class StoreBars(StoreProgress):
    """Shows the assembly of models."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def start(self, label: str, total_bytes: int | None) -> None:
        self._task = self._progress.add_task(label, total=total_bytes)

    def advance(self, done_bytes: int) -> None:
        if self._task is not None:
            self._progress.advance(self._task, done_bytes)

    def finish(self) -> None:
        if self._task is not None:
            total = self._progress.tasks[self._progress.task_ids.index(self._task)].total
            self._progress.update(self._task, completed=total or 1, total=total or 1)
        self._task = None


@contextmanager
def store_bars() -> Iterator[StoreBars]:
    """Progress bars in bytes for the time of the context."""
    with bars(DownloadColumn()) as progress:
        yield StoreBars(progress)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the farewells of Ray's processes, which write past every logger, off the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    with open(os.devnull, "w") as nowhere:
        for number in kept:
            os.dup2(nowhere.fileno(), number)
    try:
        yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)


class WarmingBars:
    """One line per deployment while models load side by side."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, states: Mapping[str, ReplicaState]) -> None:
        """Bring the lines up to date."""
        for name, state in states.items():
            label = WARMING.get(name)
            if label is None:
                continue
            if name not in self._tasks:
                self._tasks[name] = self._progress.add_task(f"warming {label}", total=None)
            if state.running:
                self._progress.update(self._tasks[name], description=f"{label} is warm", total=1, completed=1)


class JobBar:
    """One line for a job: stage, share done, time left."""

    def __init__(self, progress: Progress, label: str) -> None:
        self._progress = progress
        self._label = label
        self._task = progress.add_task(label, total=1.0)

    def show(self, job: Mapping[str, Any]) -> None:
        """Bring the line up to date."""
        at = job["progress"]
        late = ", longer than expected" if at.get("overdue") else ""
        left = f", about {max(1.0, at['eta_s']):.0f} s left" if at.get("eta_s") is not None else ""
        words = f"{self._label}: {at['stage']}{late}{left}"
        if job["status"] == "completed":
            words = f"{self._label}: done"
        elif job["status"] not in ("queued", "in_progress"):
            words = f"{self._label}: {job['status']}"
        self._progress.update(self._task, completed=at["fraction"], description=words)
