"""A folder of an ordinary user, and commands that this user runs there, in a container as it were."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.ordinary_user import KERNEL_WITHOUT, USER

ROOT = Path(__file__).parents[1]


class OrdinaryPlace:
    """A folder of an ordinary user, and commands that this user runs in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
        """Run Python as an ordinary user in a container, on a kernel that seems to lack what is named."""
        return self.run_as_tester(str(ROOT / "tests/ordinary_user.py"), sys.executable, *arguments, without=without)

    def run_as_tester(self, *arguments: str, without: str = "") -> subprocess.CompletedProcess[str]:
        own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder), "WORDLOOP_SECRET": "canary-8d21", KERNEL_WITHOUT: without}
        command, environment = [sys.executable, *arguments], {**os.environ, **own}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    def came_through(self, *options: str, without: str = "", as_tester: bool = False) -> set[str]:
        """The attempts of a decoder that was taken over in which it got what it wanted."""
        run = self.run_as_tester if as_tester else self.run
        ended = run("-m", "tests.taken_over", str(self.folder), *options, without=without)
        assert ended.returncode == 0, ended.stderr[-2000:]
        return {attempt for attempt, refusal in json.loads(ended.stdout).items() if refusal is None}


def ordinary_place() -> Iterator[OrdinaryPlace]:
    """Not below pytest's own folders, which only the user of the tests can enter."""
    with tempfile.TemporaryDirectory(prefix="wordloop-ordinary-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "wordloop.db").write_text("rows of a tenant")
        if os.geteuid() == 0:
            for path in (folder, folder / "wordloop.db"):
                os.chown(path, USER, USER)
        yield OrdinaryPlace(folder)
