"""Progress in a pipe or a build log: lines now and then, from the first second, and no flood."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from serve_app.terminal.display import JobBar
from serve_app.terminal.plain_lines import AT_LEAST_S, PlainLines

ROOT = Path(__file__).parents[4]


class MovedClock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Log:
    """Plain lines into a file, and a clock to move."""

    def __init__(self) -> None:
        self.clock, self._file = MovedClock(), io.StringIO()
        self.display = PlainLines(Console(file=self._file, highlight=False, width=40), self.clock)

    def after(self, seconds: float) -> list[str]:
        """What one look, so many seconds later, writes."""
        self.clock.now += seconds
        before = len(self._file.getvalue())
        self.display.tell()
        return self._file.getvalue()[before:].splitlines()


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_task_is_told_when_it_begins_now_and_then_and_when_it_ends(log: Log) -> None:
    task = log.display.add_task("starting Ray and Serve", total=None)

    assert log.after(0) == ["starting Ray and Serve (0 s)"]
    assert log.after(AT_LEAST_S - 1) == []
    assert log.after(1) == ["starting Ray and Serve (10 s)"]
    log.display.update(task, description="Ray and Serve are up", total=1, completed=1)
    assert log.after(2) == ["Ray and Serve are up (100 %, 10 s)"]
    assert log.after(60) == []


def test_words_that_change_are_told_and_numbers_alone_wait(log: Log) -> None:
    bar = JobBar(log.display, "meeting.ogg")
    job = {"status": "in_progress", "progress": {"stage": "transcribe", "fraction": 0.25, "eta_s": 40}}
    bar.show(job)
    assert len(log.after(0)) == 1
    bar.show(job | {"progress": {"stage": "transcribe", "fraction": 0.5, "eta_s": 30}})
    assert log.after(1) == []
    bar.show(job | {"progress": {"stage": "recap", "fraction": 0.75, "eta_s": 20}})
    (line,) = log.after(1)
    assert line.startswith("meeting.ogg: recap")
    assert line.endswith("(75 %, 2 s)")


def test_a_line_is_one_line_however_narrow_the_log(log: Log) -> None:
    log.display.add_task("a recording with a very long name indeed [of somebody].ogg: transcribe", total=1.0)
    assert log.after(0) == ["a recording with a very long name indeed [of somebody].ogg: transcribe (0 %, 0 s)"]


def test_a_pipe_hears_of_a_task_that_blocks_before_it_is_over() -> None:
    """The one who works holds the thread; the line comes from another."""
    program = (
        "import sys\nfrom serve_app.terminal.display import bars\n"
        "with bars() as display:\n    display.add_task('loading', total=None)\n    sys.stdin.read()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("loading (")
        process.stdin.close()
