"""What the README prints to be typed can be typed, after nothing but `./just`."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve_app.cli import app

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.M | re.S)
LINES = [words for block in BLOCKS for line in block.splitlines() if (words := shlex.split(line, comments=True))]
INLINE = [shlex.split(words) for words in re.findall(r"`(wordloop [^`]+)`", README) if words.isascii() and "..." not in words]
WORDLOOP = [words[1:] for words in (*LINES, *INLINE) if words[0] == "wordloop"]
RECIPES = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:(?!=)", (ROOT / "justfile").read_text(), re.M))


def test_the_readme_types_nothing_that_is_not_there() -> None:
    assert {words[0] for words in LINES} == {"wordloop", "./just", "curl", "."}
    assert not re.search(r"`(uv|just) ", README), "neither is on the PATH; write .tools/bin/uv and ./just"
    assert [words for words in LINES if words[0] == "."] == [[".", ".venv/bin/activate"]]


@pytest.mark.parametrize("words", WORDLOOP, ids=" ".join)
def test_every_command_line_of_wordloop_is_understood(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.stderr
    assert "Usage: wordloop" in result.stdout


def test_every_recipe_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"\./just ([a-z-]+)", README))
    assert len(named) > 8
    assert named <= RECIPES
