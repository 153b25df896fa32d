"""`python -m adapters.ray_serve.watcher PID MARK`: waits for the end of a main process, then ends all that it started.

Standard input is a pipe whose other end the main process alone holds: it closes when that process closes it, or dies. A byte
on standard output says that it watches.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Final

import psutil

from adapters.ray_serve.processes import (
    STOP_GRACE_S,
    SWEEP_S,
    descendants,
    leftovers,
    runs,
    same_processes,
    started_processes,
)

LOOK_S: Final = 1.0
"""Seconds between two looks at who descends from the main process: shorter than anything of Ray takes to start."""


def main(pid: int, mark: str) -> None:
    """Watch, then sweep until nothing of the service is left."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever asks all of a service to end means the others too; we end after them
    os.write(1, b"\n")
    since = psutil.Process().create_time()
    seen: set[tuple[int, float]] = set()
    while not select.select([0], [], [], LOOK_S)[0]:
        seen = {at for at in seen.union(started_processes(pid, since)) if psutil.pid_exists(at[0])}
    give_up = time.monotonic() + SWEEP_S
    while (found := _held(pid, mark, seen.union(started_processes(pid, since)))) and time.monotonic() < give_up:
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=STOP_GRACE_S)


def _held(pid: int, mark: str, seen: set[tuple[int, float]]) -> list[psutil.Process]:
    """Everything of the service, stopped in its tracks: a raylet that runs on while it is looked at starts further workers, which
    hide the mark and whose parent is gone once it has ended."""
    held: dict[int, psutil.Process] = {}
    while new := [process for process in _service(pid, mark, seen) if process.pid not in held]:
        for process in new:
            held[process.pid] = process
            with suppress(psutil.Error):
                process.suspend()
    return list(held.values())


def _service(pid: int, mark: str, seen: set[tuple[int, float]]) -> list[psutil.Process]:
    """Everything of the service but its main process and ourselves: by descent, by the mark, and by having been seen."""
    known = {process.pid: process for process in (*same_processes(seen), *leftovers(mark))}
    for root in list(known.values()):
        known.update({child.pid: child for child in descendants(root.pid)})
    return [process for process in known.values() if process.pid not in (pid, os.getpid()) and runs(process)]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
