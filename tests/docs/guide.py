"""Code blocks of the docs, run as a reader would: those of one page in order, in one folder, with one shell's variables.

Sybil finds the blocks and the markers (`<!--- skip: next "reason" -->`) by which a page says why one is not run. A `text` or
`json` block is what the block before it printed, where `...` stands for anything. A first line `# file: NAME` keeps a block.
"""

import contextlib
import doctest
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import SkipTest

from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from serve_app.settings.serve_file import load_config

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "serve_app" / "demo" / "launch-review.ogg"
FILE = re.compile(r"^(?:#|//) file: (\S+)\n")
FENCE = re.compile(r"^ *```+(\w+)", re.MULTILINE)
PICTURES = {"mermaid"}
"""Languages of blocks that are looked at; tests of their own hold these to the code."""
BLOCK_S = 60
"""Seconds for one block."""


@dataclass
class Reader:
    """Somebody who types what a page says. `places` maps addresses of the docs to those of this test."""

    folder: Path
    places: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    code: Path = ROOT
    printed: str = ""
    ran: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        shutil.copy(RECORDING, self.folder / "meeting.ogg")
        (self.folder / "state.sh").touch()
        tools = Path(sys.executable).parent
        self.variables = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(self.code)} | self.environment
        self.names: dict[str, object] = {"__name__": "guide"}

    def here(self, source: str) -> str:
        """Return a block with the addresses of this test, and keep it where it names a file."""
        for written, real in self.places.items():
            source = source.replace(written, real)
        if named := FILE.match(source):
            path = self.folder / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source[named.end() :])
        return source

    def shell(self, example: Example) -> None:
        """Run in bash, with the variables and functions that earlier blocks set."""
        source = self.here(str(example.parsed))
        script = f"set -aeuo pipefail\n. ./state.sh\n{source}\n{{ export -p; declare -f; }} > state.sh\n"
        self._run(["bash", "-c", script], example)

    def python(self, example: Example) -> None:
        """Run in this process, with the names that earlier blocks bound; a module that names its file is only kept."""
        source = self.here(str(example.parsed))
        if FILE.match(source):
            self._said("", example)
            return
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.chdir(self.folder):
            exec(compile(source, f"{example.path}:{example.line}", "exec"), self.names)
        self._said(told.getvalue(), example)

    def javascript(self, example: Example) -> None:
        """Run with Node."""
        source = self.here(str(example.parsed))
        (self.folder / "block.mjs").write_text(source)
        self._run(["node", "block.mjs"], example)

    def configuration(self, example: Example) -> None:
        """Read as the service reads its configuration, which refuses what it does not know."""
        path = self.folder / "block.yaml"
        path.write_text(self.here(str(example.parsed)))
        load_config(path)
        self._said("", example)

    def output(self, example: Example) -> None:
        """Compare with what was printed last."""
        wanted = self.here(str(example.parsed)).strip()
        got = self.printed.strip()
        if example.region.lexemes["arguments"] == "json":
            with contextlib.suppress(ValueError):
                got = json.dumps(json.loads(got), indent=2)
        same = doctest.OutputChecker().check_output(
            _squeezed(wanted), _squeezed(got), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        )
        assert same, f"{example.path}:{example.line}: printed\n{got}\ninstead of\n{wanted}"
        self.ran.append(example.line)

    def leave(self) -> None:
        """End what the page has left running: each block of a shell is a group of processes."""
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGTERM)

    def _run(self, command: list[str], example: Example) -> None:
        with (self.folder / "errors.txt").open("w+") as errors:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.variables,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
            self.groups.append(process.pid)
            told, _ = process.communicate(timeout=BLOCK_S)
            errors.seek(0)
            assert process.returncode == 0, f"{example.path}:{example.line}: {told}{errors.read()}"
        self._said(told, example)

    def _said(self, printed: str, example: Example) -> None:
        self.printed = printed
        self.ran.append(example.line)


def _squeezed(text: str) -> str:
    return " ".join(text.split()) + "\n"


def languages(reader: Reader) -> dict[str, Callable[[Example], None]]:
    """What is done with a block of each language."""
    return {
        "sh": reader.shell,
        "console": reader.shell,
        "bash": reader.shell,
        "python": reader.python,
        "javascript": reader.javascript,
        "yaml": reader.configuration,
        "text": reader.output,
        "json": reader.output,
    }


def document(path: Path, reader: Reader) -> Document:
    """Return a page with its blocks and markers. Raises ValueError for a block in a language that nobody runs."""
    known = languages(reader)
    if strange := set(FENCE.findall(path.read_text())) - known.keys() - PICTURES:
        raise ValueError(f"{path}: nobody runs {', '.join(sorted(strange))}")
    blocks = [CodeBlockParser(language, run) for language, run in known.items()]
    parsers: list[Callable[[Document], Iterable[Region]]] = [SkipParser(), *blocks]
    return Sybil(parsers, pattern="*.md").parse(path)


def follow(path: Path, reader: Reader) -> Iterator[tuple[int, str]]:
    """Do what a page says; yield the line and the reason of each block that it says can not be run."""
    try:
        for example in document(path, reader).examples():
            try:
                example.evaluate()
            except SkipTest as skipped:
                yield example.line, str(skipped)
    finally:
        reader.leave()
