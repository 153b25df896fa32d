"""Whatever becomes of a main process, the processes that it started end: deaf, hidden, orphaned, in a session of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from adapters.ray_serve.processes import SERVICE_MARK, end_processes, runs, same_processes

ROOT = Path(__file__).parents[4]
GONE_S = 60.0
HIDDEN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
"""An engine's child: without the mark, in a session of its own, deaf to SIGTERM."""
ENGINE = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {HIDDEN!r}], env={{}}, start_new_session=True)
print(child.pid, flush=True)
child.wait()
"""
MAIN = f"""
import json, os, subprocess, sys
older = subprocess.Popen([sys.executable, "-c", {HIDDEN!r}])
from adapters.ray_serve.processes import SERVICE_MARK, Watcher, started_processes
os.environ[SERVICE_MARK] = "test-" + str(os.getpid())
watcher = Watcher()
engine = subprocess.Popen([sys.executable, "-c", {ENGINE!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
hidden = int(engine.stdout.readline())
at = dict(started_processes())
print(json.dumps([older.pid, at[older.pid], list(at.items())]), flush=True)
for line in sys.stdin:
    if line == "orphan\\n":
        engine.kill(); engine.wait()
        print("done", flush=True)
    if line == "sweep\\n":
        watcher.sweep()
        watcher.sweep()
        print("swept", flush=True)
"""


class Main:
    """A main process with a watcher, an engine, and a hidden child of the engine; and a child that is older than the watcher."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name != SERVICE_MARK}
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        older, created, started = json.loads(self.process.stdout.readline())
        self.older = same_processes([(older, created)])
        self.started = same_processes(at for at in started if at[0] != older)

    def asked(self, word: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def left(self) -> list[psutil.Process]:
        """What still runs of what it started after the watcher, at the latest after `GONE_S` seconds."""
        give_up = time.monotonic() + GONE_S
        while (alive := [each for each in self.started if runs(each)]) and time.monotonic() < give_up:
            time.sleep(0.05)
        return alive


@pytest.fixture
def main() -> Iterator[Main]:
    running = Main()
    assert len(running.started) == 3, "the watcher, the engine and its child"
    yield running
    for process in (*running.started, *running.older):
        with suppress(psutil.Error):
            process.kill()
    running.process.kill()
    running.process.wait(30)


def test_a_killed_main_process_leaves_nothing(main: Main) -> None:
    main.process.send_signal(signal.SIGKILL)
    assert main.left() == []


def test_a_sweep_ends_an_orphan_that_hides_and_spares_what_was_there_before(main: Main) -> None:
    assert main.asked("orphan") == "done\n"
    assert main.asked("sweep") == "swept\n"
    assert [each for each in main.started if runs(each)] == []
    assert runs(main.older[0])
    assert main.process.poll() is None


def test_the_watcher_outlives_the_signals_that_end_all_others(main: Main) -> None:
    for process in main.started:
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            with suppress(psutil.Error):
                process.send_signal(number)
    main.process.kill()
    assert main.left() == []


def test_a_process_is_asked_before_it_is_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    end_processes([psutil.Process(process.pid)])
    assert process.wait(30) == -signal.SIGTERM
