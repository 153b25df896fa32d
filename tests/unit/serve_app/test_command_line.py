"""The command line itself: help at once, one list of commands, wrong arguments as one sentence."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from serve_app.cli import LATE, app

ROOT = Path(__file__).parents[3]
LIGHT = {"annotated_doc", "adapters", "domain", "ports", "prompts", "serve_app", "shellingham", "typer"}
"""What help may import beside the standard library; each was seen to cost less than a fifth of a second."""
MODULES = """
import sys
before = set(sys.modules)
sys.argv = ["wordloop", *sys.argv[1:]]
from serve_app.cli import main
try:
    main()
except SystemExit as end:
    names = {name.partition(".")[0] for name in set(sys.modules) - before}
    foreign = names - set(sys.stdlib_module_names)
    print("MODULES", *sorted(foreign))
    sys.exit(end.code)
"""
COMMANDS = [
    "", "demo", "up", "process", "bench", "eval", "doctor", "jobs", "jobs list", "keys", "keys create", "models", "models fetch",
    "prompts", "prompts show",
]  # fmt: skip


def imported(*arguments: str) -> set[str]:
    """Foreign modules that a command line of its own process has imported."""
    command = [sys.executable, "-c", MODULES, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("command", COMMANDS)
def test_help_imports_nothing_heavy(command: str) -> None:
    assert imported(*command.split(), "--help") <= LIGHT


def test_the_version_is_told_and_imports_nothing_heavy() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"wordloop {version('wordloop-ml')}\n"
    assert imported("--version") <= LIGHT


@pytest.mark.parametrize("name", LATE)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = typer.main.get_command(__import__(f"serve_app.commands.{name}", fromlist=["app"]).app)

    assert (command.help or "").split("\n\n")[0].replace("\n", " ") == LATE[name]
