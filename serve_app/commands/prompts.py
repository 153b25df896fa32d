"""`wordloop prompts`: which prompts there are, their words as they are sent, and what two versions have different."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

import prompts
from prompts.checks import problems
from prompts.library import Prompt, all_versions, in_use
from serve_app.terminal.display import console, output

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="The words sent to models.")

Named = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="A prompt; its newest version unless one is named.")]
Values = Annotated[list[str] | None, typer.Option("--set", metavar="HOLE=VALUE", help="Fill a hole (else it stays as it is).")]


@app.command("list")
def list_prompts() -> None:
    """List every version: what it is for, its size, sampling and holes, whether it is in use, and what stands against it.

    Example: wordloop prompts list
    """
    output.print("\n".join(lines_of_all()), markup=False, highlight=False, soft_wrap=True)
    for problem in problems():
        console.print(f"! {problem}", markup=False, soft_wrap=True)


@app.command()
def show(name: Named, values: Values = None) -> None:
    """Print a prompt as it is sent: parameters, schema, and every message with its holes.

    Example: wordloop prompts show write_chapter@v1 --set language=English
    """
    prompt = _found(name)
    given = dict(value.partition("=")[::2] for value in values or ())
    try:
        shown = rendered_lines(prompt, given)
    except ValueError as error:
        console.print(str(error), markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
    output.print("\n".join(shown), markup=False, highlight=False, soft_wrap=True)


@app.command()
def diff(before: Named, after: Named) -> None:
    """Compare two versions: parameters, schema, choices and words; prints nothing when they are the same.

    Example: wordloop prompts diff write_chapter@v1 write_chapter@v2
    """
    for line in diff_lines(_found(before), _found(after)):
        style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
        output.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def lines_of_all() -> list[str]:
    """Return a heading and one line per version."""
    rows = [("NAME", "VERSION", "IN USE", "WORDS", "TOKENS OUT", "DIGEST", "HOLES", "PURPOSE")]
    for name in prompts.names():
        used_now = in_use(name)
        for version in all_versions(name):
            prompt = prompts.load(name, version)
            used = "yes" if version in used_now else "no"
            holes = ",".join(sorted(prompt.holes))
            size = (str(prompt.words), str(prompt.sampling.max_tokens))
            rows.append((name, version, used, *size, prompt.digest[:12], holes, prompt.purpose))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def rendered_lines(prompt: Prompt, values: Mapping[str, str]) -> list[str]:
    """Return a prompt as text. A hole without a value stays; one with choices takes the first, and the others are named.

    Raises ValueError for a value that names no hole, or is none of its choices.
    """
    filled = {hole: next(iter(prompt.choices[hole])) if hole in prompt.choices else f"{{{{{hole}}}}}" for hole in prompt.holes}
    sent = prompt.render(**{**filled, **values})
    lines = [f"{prompt.name} {prompt.version}: {prompt.purpose}", f"digest {prompt.digest}", ""]
    lines += [f"{name} = {value}" for name, value in prompt.sampling.parameters().items()]
    lines += [f"{hole} is one of: {', '.join(words)}" for hole, words in sorted(prompt.choices.items())]
    lines += ["", "schema", *_json(prompt.schema), ""]
    for role, words in sent.messages:
        lines += [f"--- {role}", words, ""]
    return lines[:-1]


def diff_lines(before: Prompt, after: Prompt) -> list[str]:
    """Return the unified diff of all that changes the output; empty when nothing does."""
    old, new = (f"{prompt.name}@{prompt.version}" for prompt in (before, after))
    return list(difflib.unified_diff(_source(before), _source(after), old, new, lineterm=""))


def _source(prompt: Prompt) -> list[str]:
    lines = [f"{name} = {value}" for name, value in prompt.sampling.parameters().items()]
    lines += [
        f"{hole}.{key} = {words}" for hole, choice in sorted(prompt.choices.items()) for key, words in sorted(choice.items())
    ]
    lines += _json(prompt.schema)
    for role, words in prompt.messages:
        lines += [f"--- {role}", *words.splitlines()]
    return lines


def _json(schema: object) -> Sequence[str]:
    return json.dumps(schema, indent=1, sort_keys=True).splitlines()


def _found(reference: str) -> Prompt:
    name, _, version = reference.partition("@")
    try:
        return prompts.load(name, version or None)
    except LookupError as error:
        known = ", ".join(f"{each}@{v}" for each in prompts.names() for v in all_versions(each))
        console.print(f"{error}; there are: {known}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
