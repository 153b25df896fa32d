"""Start, watch, kill and pause the programs of `store_programs`; only processes started here are ever signalled."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "store_programs.py"
PATIENCE_S = 60.0
"""Seconds until a condition that does not come true fails the test; a busy machine starts a process in about 5 s."""


class Processes:
    """The processes of one test, on one database and one log."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self._log = folder / "log.jsonl"
        self._log.touch()
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a program; its standard input stays open until `go`."""
        command = [sys.executable, str(PROGRAMS), program, self.url, str(self._log), *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, cwd=ROOT)
        self.running.append(process)
        return process

    def log(self, event: str | None = None, **having: object) -> list[dict[str, Any]]:
        """Return the events of the log, in order. A line that is being written is none yet: it may be seen in part."""
        lines = [json.loads(line) for line in self._log.read_text().rpartition("\n")[0].splitlines()]
        wanted = having if event is None else {"event": event, **having}
        return [line for line in lines if all(line.get(name) == value for name, value in wanted.items())]

    def go(self) -> None:
        """Let every process that waits for the word go on."""
        for process in self.running:
            if process.stdin is not None and process.poll() is None:
                process.stdin.write(b"go\n")
                process.stdin.close()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process as a power cut would."""
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
        self.running.remove(process)

    def stop_all(self) -> None:
        """Kill what is left."""
        for process in list(self.running):
            self.kill(process)


def wait_until(condition: Callable[[], object], patience_s: float = PATIENCE_S) -> bool:
    """Look again and again until the condition holds; False when it did not in time."""
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True
