"""What the command line shows: progress while anything takes longer than a second, and plain results.

What draws is imported when something is drawn: every command imports this module, also to print its help.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

    from adapters.ray_serve.cluster import ReplicaState
    from serve_app.terminal.store_bars import StoreBars


class LateConsole:
    """A console that is made when something is printed."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def made(self) -> "Console":
        from rich.console import Console

        return Console(stderr=self._stderr, highlight=False)

    def print(self, *objects: Any, **options: Any) -> None:
        """As `rich.console.Console.print`."""
        self.made.print(*objects, **options)


console = LateConsole(stderr=True)
"""Everything but results goes to standard error, so that results can be piped."""
output = LateConsole()

WARMING = {
    "Transcriber": "Whisper",
    "LanguageModel": "language model",
    "Embedder": "embedder",
    "Reader": "item finder",
    "Diarizer": "speaker networks",
}


def bars(*extra: "ProgressColumn") -> "Progress":
    """A progress display in the one style of this command line: bars on a terminal, lines now and then anywhere else."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from serve_app.terminal.plain_lines import PlainLines

    if not console.made.is_interactive:
        return PlainLines(console.made)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        *(extra or (TextColumn("{task.percentage:>3.0f}%"),)),
        TimeElapsedColumn(),
        console=console.made,
        transient=False,
    )


@contextmanager
def store_bars() -> Iterator["StoreBars"]:
    """Progress in bytes for the time of the context."""
    from rich.progress import DownloadColumn

    from serve_app.terminal.store_bars import StoreBars

    with bars(DownloadColumn()) as progress:
        yield StoreBars(progress)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the farewells of Ray's processes, which write past every logger, off the terminal."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a pipe or terminal that has closed
            stream.flush()
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

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, states: Mapping[str, "ReplicaState"]) -> None:
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

    def __init__(self, progress: "Progress", label: str) -> None:
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
