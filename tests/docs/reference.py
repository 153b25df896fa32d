"""`python -m tests.docs.reference`: write docs/reference anew, from openapi.json, the command line and the settings."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import typer
import yaml
from pydantic import BaseModel

from serve_app.cli import LATE, app
from serve_app.settings.service import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
WRITTEN = "<!-- written by `just reference` -->\n"


def pages() -> Mapping[str, str]:
    """Return each page of the reference by its name."""
    return {"http.md": http(), "commands.md": commands(), "settings.md": settings()}


def cell(text: object) -> str:
    """Return text for a cell of a table: one line, without what would end the cell or begin a tag."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def table(head: str, rows: Sequence[tuple[object, ...]]) -> list[str]:
    """Return a table, or nothing where there are no rows."""
    names = head.split(",")
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    return ["", *lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)] if rows else []


# --- HTTP


def http() -> str:
    """Every route with what it takes and answers; the schemas themselves are in openapi.json and at `/docs`."""
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    lines = [WRITTEN, "# Routes", "", "With schemas, examples and a form to try each call: `/docs` of a running service."]
    by_tag: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and "responses" in operation:
                by_tag.setdefault((operation.get("tags") or ["other"])[0], []).extend(_route(method, path, operation))
    for tag, routes in sorted(by_tag.items()):
        lines += ["", f"## {tag}", *routes]
    return "\n".join(lines) + "\n"


def _route(method: str, path: str, operation: Mapping[str, Any]) -> list[str]:
    first = operation.get("description", operation.get("summary", "")).split("\n\n")[0]
    bodies = list(operation.get("requestBody", {}).get("content", {}))
    takes = [f"Body: {', '.join(f'`{each}`' for each in bodies)}."] if bodies else []
    answers = f"Answers: {', '.join(operation['responses'])}."
    given = [(f"`{each['name']}`", each["in"], each.get("description", "")) for each in operation.get("parameters", [])]
    return ["", f"### `{method.upper()} {path}`", "", " ".join([cell(first), *takes, answers]), *table("name,in,what", given)]


# --- Commands


def commands() -> str:
    """Every command with its help, as the command line prints it."""
    lines = [WRITTEN, "# Commands", "", "Each prints the same with `--help`."]
    root = typer.main.get_command(app)
    assert isinstance(root, click.Group | typer.core.TyperGroup)
    for words, command in _commands(root, ("wordloop",)):
        lines += _command(words, command)
    return "\n".join(lines) + "\n"


def _commands(group: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    context = group.make_context(words[-1], [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.resolve_command(context, [name])[1] if name in LATE else group.get_command(context, name)
        here = (*words, name)
        yield here, command
        if hasattr(command, "list_commands"):
            yield from _commands(command, here)


def _command(words: tuple[str, ...], command: Any) -> list[str]:
    told = [line.strip() for line in (command.help or "").splitlines()]
    prose = cell(" ".join(line for line in told if not line.startswith("Example:")))
    examples = [f"- `{line.removeprefix('Example:').strip()}`" for line in told if line.startswith("Example:")]
    options = [_option(each) for each in command.params if each.name != "help" and not getattr(each, "hidden", False)]
    level = "#" * len(words)
    return ["", f"{level} `{' '.join(words)}`", "", prose, *(["", *examples] if examples else []), *table("option,what", options)]


def _option(option: Any) -> tuple[str, str]:
    if option.param_type_name == "argument":
        return f"`{(option.metavar or option.name).upper()}`", getattr(option, "help", "") or ""
    return ", ".join(f"`{each}`" for each in [*option.opts, *option.secondary_opts]), option.help or ""


# --- Settings


def settings() -> str:
    """Every knob of `args` with its default and what the shipped file says of it."""
    told = dict(_told(_arguments()))
    lines = [
        WRITTEN,
        "# Settings",
        "",
        "What stands under `args` of a `serve_config.yaml`. Everything has a default; an unknown key is refused.",
    ]
    rows: list[tuple[object, ...]] = []
    for name, value in Settings():
        if isinstance(value, BaseModel):
            group = list(_knobs(value, (name,), told))
            lines += ["", f"## `{name}`", "", cell(value.__doc__ or ""), *table("setting,default,what", group)]
        else:
            rows.append((f"`{name}`", _default(value), told.get((name,), "")))
    return "\n".join([*lines, *(["", "## Others"] if rows else []), *table("setting,default,what", rows)]) + "\n"


def _knobs(group: BaseModel, place: tuple[str, ...], told: Mapping[tuple[str, ...], str]) -> Iterator[tuple[str, str, str]]:
    for name, value in group:
        here = (*place, name)
        if isinstance(value, BaseModel):
            yield from _knobs(value, here, told)
        else:
            yield f"`{'.'.join(here)}`", _default(value), told.get(here, "")


def _default(value: object) -> str:
    plain = list(value) if isinstance(value, tuple | frozenset) else getattr(value, "value", value)
    return f"`{json.dumps(plain, default=str)}`"


def _arguments() -> Any:
    node: Any = yaml.compose((ROOT / "serve_config.yaml").read_text())
    for step in ("applications", 0, "args"):
        node = node.value[step] if isinstance(step, int) else next(value for key, value in node.value if key.value == step)
    return node


def _told(node: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The comment on the line of each setting."""
    text = (ROOT / "serve_config.yaml").read_text().splitlines()
    for key, value in node.value:
        here = (*place, key.value)
        yield here, text[key.start_mark.line].partition(" # ")[2]
        if isinstance(value, yaml.MappingNode):
            yield from _told(value, here)


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, page in pages().items():
        (FOLDER / name).write_text(page)


if __name__ == "__main__":
    main()
