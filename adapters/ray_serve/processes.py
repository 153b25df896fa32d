"""The processes of one service: how they are told from strangers, and how every one of them is ended.

Ray's workers rename themselves and hide their environment doing so; engines start children that outlive them. So a service's
processes are known by three signs: they descend from its main process, they carry its mark, or they were seen to descend earlier.
"""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

SERVICE_MARK: Final = "WORDLOOP_SERVICE_ID"
"""Environment variable that every process of one service inherits: how its leftovers are told from strangers."""
STOP_GRACE_S: Final = 5.0
"""Seconds that processes get to end by themselves before they are killed."""
SWEEP_S: Final = 30.0
"""Seconds after which a sweep gives up on what can not be killed, which is nothing but a process the kernel holds."""
PR_SET_CHILD_SUBREAPER: Final = 36
"""From linux/prctl.h: children whose parent died become ours instead of init's."""


class Watcher:
    """A small process that ends every process of this service once this one has ended or asks for it, however it ends.

    A main process that is killed, or that a library of Ray's takes down when Ray dies first, can end nobody itself.
    """

    def __init__(self) -> None:
        adopt_orphans()
        root = str(Path(__file__).parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", "adapters.ray_serve.watcher", str(os.getpid()), os.environ[SERVICE_MARK]],
            env=os.environ | {"PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a ctrl-c, or a terminal that closes, must not reach it
        )
        self._since = psutil.Process(self._process.pid).create_time()
        assert self._process.stdout is not None
        self._process.stdout.read(1)  # from here on it is deaf to the signals that end all others

    def sweep(self) -> None:
        """Have every process ended that was started below this one since; return when they are gone. Safe to call again."""
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        pipe.close()
        while self._process.poll() is None:
            reap_orphans(self._process.pid)
            time.sleep(0.05)
        reap_orphans(self._process.pid)
        if left := same_processes(started_processes(since=self._since)):
            end_processes(left)  # the watcher itself was killed


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies, where the system can (Linux)."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans(but: int) -> None:
    """Take the exit status of every child that has ended, so that it does not stay in the table of processes."""
    for child in descendants(os.getpid(), deep=False):
        if child.pid != but:
            with suppress(ChildProcessError):
                os.waitpid(child.pid, os.WNOHANG)


def descendants(pid: int, deep: bool = True) -> list[psutil.Process]:
    """Return the processes below one that runs; none when it does not."""
    try:
        return psutil.Process(pid).children(recursive=deep)
    except psutil.Error:
        return []


def started_processes(pid: int | None = None, since: float = 0.0) -> tuple[tuple[int, float], ...]:
    """Return (pid, start time) of every process below one, this one when None; only those that started at `since` or later."""
    found = []
    for process in descendants(os.getpid() if pid is None else pid):
        with suppress(psutil.Error):
            found.append((process.pid, process.create_time()))
    return tuple(at for at in found if at[1] >= since)


def same_processes(recorded: Iterable[Sequence[float]]) -> list[psutil.Process]:
    """Return those of the recorded processes that still run; a pid that was given out again is another process."""
    found = []
    for pid, created in recorded:
        with suppress(psutil.Error):
            process = psutil.Process(int(pid))
            if abs(process.create_time() - created) < 1.0:
                found.append(process)
    return found


def leftovers(mark: str) -> list[psutil.Process]:
    """Return the processes of a service whose main process has died, told by the mark in their environment."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(SERVICE_MARK) == mark:
                found.append(process)
    return found


def end_processes(processes: list[psutil.Process]) -> None:
    """End processes, by pid: ask first, then kill. Those that have ended already are skipped."""
    for process in processes:
        with suppress(psutil.Error):
            process.terminate()
    alive = _still_alive(processes, STOP_GRACE_S)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    _still_alive(alive, STOP_GRACE_S)


def _still_alive(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait for processes to end. One that only waits to be reaped has ended: its parent may be a process that never does."""
    give_up = time.monotonic() + timeout_s
    while (alive := [process for process in processes if runs(process)]) and time.monotonic() < give_up:
        time.sleep(0.05)
    return alive


def runs(process: psutil.Process) -> bool:
    """Whether a process still does anything."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
