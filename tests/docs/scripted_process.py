"""`wordloop up --scripted` in a process of its own, for tests: on a free port and a folder of its own, ended by its id."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

READY_S = 60.0
"""Seconds that a busy test machine gets; an idle one takes three (docs/benchmarks.md)."""


@contextmanager
def scripted_service(folder: Path, *arguments: str) -> Iterator[str]:
    """Run the service on `folder` for the time of the context; give its address."""
    with (folder.parent / f"{folder.name}.log").open("w+b") as log:
        command = [sys.executable, "-m", "serve_app", "up", "--scripted", "--port", "0", "--data-dir", str(folder), *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"PYTHONPATH": os.getcwd()})
        try:
            yield _address(process, folder, log.name)
        finally:
            process.terminate()
            process.wait(30)


def _address(process: subprocess.Popen[bytes], folder: Path, log: str) -> str:
    give_up = time.monotonic() + READY_S
    while time.monotonic() < give_up:
        text = Path(log).read_text()
        if "is ready at" in text:
            url: str = json.loads((folder / "service.json").read_text())["url"]
            return url
        assert process.poll() is None, text
        time.sleep(0.05)
    raise AssertionError(f"not ready within {READY_S:.0f} s:\n{text}")
