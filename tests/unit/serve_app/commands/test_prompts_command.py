"""`wordloop prompts`, run as a person would, and the snapshots of what is sent."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import prompts
from prompts.library import Prompt, all_versions, in_use
from serve_app.cli import app
from serve_app.commands.prompts import rendered_lines

SNAPSHOTS = Path(__file__).parents[3] / "snapshots" / "prompts"
VALUES = {
    "lines": "*1 Anna: The printer is too slow.\n2 Ben: Then we rent another one until {{language}} comes.",
    "items": "1 (decision)\nAnna: The printer is too slow.\n* Ben: Then we rent another one until {{language}} comes.",
    "notes": "1 The printer is too slow.\n2 Another one is rented until {{language}} comes.",
    "language": "English",
    "focus": "Say what is done, what comes next and what is blocked.",
}


def wordloop(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_list_tells_of_every_version_which_one_is_in_use() -> None:
    shown = wordloop("prompts", "list")

    assert shown.exit_code == 0
    rows = {tuple(line.split()[:2]): line.split()[2] for line in shown.stdout.splitlines()[1:]}
    assert rows == {
        (name, version): "yes" if version in in_use(name) else "no" for name in prompts.names() for version in all_versions(name)
    }


def test_show_prints_the_words_as_they_are_sent_with_the_holes_that_got_no_value() -> None:
    shown = wordloop("prompts", "show", "write_chapter@v1", "--set", "language=German", "--set", "focus=Be brief.")

    assert shown.exit_code == 0
    assert "{{lines}}" in shown.stdout
    assert "Language: German. Be brief." in shown.stdout
    assert "max_tokens = 190" in shown.stdout
    assert '"maxItems": 2' in shown.stdout


def test_show_takes_the_newest_version_unless_one_is_named() -> None:
    newest = prompts.load("write_chapter").version
    assert wordloop("prompts", "show", "write_chapter").stdout.startswith(f"write_chapter {newest}: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nothing"), f"there are: {prompts.names()[0]}@v1"),
        (("show", "write_summary@v99"), "no prompt write_summary v99"),
        (("show", "write_summary", "--set", "tone=kind"), "unknown ['tone']"),
        (("diff", "write_summary@v1", "write_summary@v0"), "no prompt write_summary v0"),
    ],
)
def test_what_does_not_exist_exits_with_two_and_says_what_there_is(arguments: tuple[str, ...], words: str) -> None:
    refused = wordloop("prompts", *arguments)
    assert refused.exit_code == 2
    assert words in refused.stderr


def test_diff_shows_words_schema_and_parameters_and_nothing_for_the_same_version() -> None:
    shown = wordloop("prompts", "diff", "write_chapter@v1", "write_summary@v1")

    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[:2] == ["--- write_chapter@v1", "+++ write_summary@v1"]
    assert {"-max_tokens = 190", "+max_tokens = 300"} <= set(lines)
    assert {("-", '"maxItems": 2,'), ("+", '"maxItems": 5,')} <= {(line[:1], line[1:].strip()) for line in lines}
    assert any(line.startswith("+Use only what the notes say. Keep names, numbers, dates") for line in lines)
    assert wordloop("prompts", "diff", "write_chapter@v1", "write_chapter").stdout == ""


SENT = {f"{name}@{version}": prompts.load(name, version) for name in prompts.names() for version in in_use(name)}
"""What is in use, translations included; a snapshot is named for the language, not for the version."""


def snapshot_name(prompt: Prompt) -> str:
    return ".".join([prompt.name, *prompt.version.split(".")[1:]])


@pytest.mark.parametrize("prompt", SENT.values(), ids=SENT)
def test_what_is_sent_is_as_the_snapshot_holds_it(prompt: Prompt) -> None:
    """`UPDATE_SNAPSHOTS=1 pytest -k prompts_command` writes them anew; read the difference before it lands."""
    sent = "\n".join(rendered_lines(prompt, {hole: VALUES[hole] for hole in prompt.holes})) + "\n"
    snapshot = SNAPSHOTS / f"{snapshot_name(prompt)}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.write_text(sent, encoding="utf-8")
    assert sent == snapshot.read_text(encoding="utf-8")


def test_every_snapshot_belongs_to_a_prompt() -> None:
    assert sorted(path.stem for path in SNAPSHOTS.iterdir()) == sorted(map(snapshot_name, SENT.values()))
