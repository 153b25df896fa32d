"""SIGTERM, or a kill, at any moment: some seconds later no process of the service is left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.running_service import CONFIG, RECORDING, ROOT

pytestmark = [pytest.mark.serve, pytest.mark.timeout(300)]

GONE_S = 40.0
"""Seconds until nothing is left: Serve drains for up to 20, what does not end is killed 5 later; the rest is a slow machine."""
OWN = "WORDLOOP_TEST_RUN"


class Command:
    """A `wordloop` of its own, all of whose processes are told from others by a variable that they inherit, or by descent."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._run = f"{os.getpid()}-{folder.name}"
        self._seen: dict[int, psutil.Process] = {}
        self.output = folder / "output.log"
        own = {OWN: self._run, "WORDLOOP_DATA_DIR": str(folder / "data"), "HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
        with self.output.open("wb") as output:
            self.main = subprocess.Popen(
                [sys.executable, "-m", "serve_app", *arguments, "--config", str(CONFIG)],
                cwd=ROOT, env=os.environ | own, stdout=output, stderr=output,
            )  # fmt: skip

    def wait_for(self, moment: Callable[["Command"], bool]) -> None:
        give_up = time.monotonic() + 240
        while not moment(self):
            assert self.main.poll() is None, self.output.read_text()[-2000:]
            assert time.monotonic() < give_up, f"the moment never came: {self.output.read_text()[-2000:]}"
            time.sleep(0.1)

    def says(self, words: str) -> bool:
        return words in self.output.read_text(errors="replace")

    def alive(self) -> list[psutil.Process]:
        """Every process of this command that runs, but the main one, and those that were seen earlier and still run."""
        with suppress(psutil.Error):
            self._seen |= {child.pid: child for child in psutil.Process(self.main.pid).children(recursive=True)}
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(OWN) == self._run and process.pid != self.main.pid:
                    self._seen[process.pid] = process
        return [process for process in self._seen.values() if _runs(process)]

    def left_after(self, seconds: float) -> list[str]:
        """What is left once the main process has ended and everything had its time."""
        give_up = time.monotonic() + seconds
        while (self.main.poll() is None or self.alive()) and time.monotonic() < give_up:
            time.sleep(0.1)
        names = [] if self.main.poll() is not None else ["the main process"]
        return [*names, *(f"{process.pid} {_name(process)}" for process in self.alive())]

    def kill(self) -> None:
        for process in self.alive():
            with suppress(psutil.Error):
                process.kill()
        if self.main.poll() is None:
            self.main.kill()
        self.main.wait(30)


def _name(process: psutil.Process) -> str:
    """The name of a process, empty for one that has ended since it was listed."""
    try:
        return process.name()
    except psutil.Error:
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@pytest.fixture
def wordloop(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Start commands; whatever is left of them at the end is killed."""
    started: list[Command] = []

    def start(*arguments: str) -> Command:
        started.append(Command(tmp_path, *arguments))
        return started[-1]

    yield start
    for command in started:
        command.kill()


def preparing(command: Command) -> bool:
    return bool(command.alive())


def starting_ray(command: Command) -> bool:
    return any("raylet" in _name(process) for process in command.alive())


def warming(command: Command) -> bool:
    return any("ServeReplica" in _name(process) for process in command.alive())


@pytest.mark.parametrize("moment", [preparing, starting_ray])
def test_sigterm_leaves_no_process_however_early_it_comes(
    wordloop: Callable[..., Command], tmp_path: Path, moment: Callable[[Command], bool]
) -> None:
    command = wordloop("process", str(RECORDING), "--output-dir", str(tmp_path))
    command.wait_for(moment)
    command.main.send_signal(signal.SIGTERM)
    assert command.left_after(GONE_S) == []


def test_sigterm_while_models_warm_leaves_no_process_and_more_signals_do_not_stop_the_stopping(
    wordloop: Callable[..., Command], tmp_path: Path
) -> None:
    command = wordloop("process", str(RECORDING), "--output-dir", str(tmp_path))
    command.wait_for(warming)
    command.main.send_signal(signal.SIGTERM)
    command.wait_for(lambda it: it.says("stopping what was started"))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        command.main.send_signal(number)
    assert command.left_after(GONE_S) == []


def test_a_main_process_that_is_killed_leaves_nothing_either(wordloop: Callable[..., Command]) -> None:
    command = wordloop("up", "--port", "0")
    command.wait_for(warming)
    command.main.kill()
    assert command.left_after(GONE_S) == []
