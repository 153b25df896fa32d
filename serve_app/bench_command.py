"""`wordloop bench` and `wordloop eval`: what `benchmarks/` and `evals/` register as entry points, run by name.

They stand above this layer, so they are found by entry point and never imported from here.
"""

import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any

import typer

from serve_app.arguments import check_name, check_new_file
from serve_app.errors import ArgumentWrong
from serve_app.terminal import console, output

BENCHMARKS = "wordloop.benchmarks"
EVALS = "wordloop.evals"
EVAL_RUNNER = "wordloop.eval_runner"


def registered(group: str) -> Mapping[str, Any]:
    """Return the entry points of a group by name."""
    return {point.name: point for point in sorted(entry_points(group=group), key=lambda point: point.name)}


def run_bench(name: str | None, json_file: Path | None, options: Mapping[str, Any]) -> None:
    """Run one benchmark and print its figures, or list them all. Raises ArgumentWrong for an option that it does not know."""
    known = registered(BENCHMARKS)
    if name is None:
        for each, point in known.items():
            output.print(f"{each:24} {_first_line(point.load())}", markup=False)
        return
    check_name(name, known, "benchmark")
    check_new_file("--json", json_file)
    run = known[name].load()
    given = {option: value for option, value in options.items() if value is not None}
    for option in given.keys() - signature(run).parameters.keys():
        raise ArgumentWrong(f"--{option} is no option of the benchmark {name}.")
    figures = run(**given)
    _show(name, figures)
    _write(json_file, {name: figures})


def run_eval(
    suite: str | None, *, tier: str, json_file: Path | None, html_file: Path | None, accept_baseline: bool, if_changed: bool
) -> None:
    """Run one suite or all; exits 1 when a score is missing, beyond its threshold, or fallen too far below the baseline."""
    known = registered(EVALS)
    if suite is not None:
        check_name(suite, known, "suite")
    check_new_file("--json", json_file)
    check_new_file("--html", html_file)
    chosen = known if suite is None else {suite: known[suite]}
    run = registered(EVAL_RUNNER)["run"].load()
    raise typer.Exit(
        run(
            chosen, tier=tier, json_file=json_file, html_file=html_file,
            accept_baseline=accept_baseline, if_changed=if_changed,
        )
    )  # fmt: skip


def run_comparison(suite: str | None, prompt: str, *, tier: str, json_file: Path | None) -> None:
    """Show scores, cost and words of two versions of a prompt, case by case."""
    if suite != "recap":
        console.print("--prompt compares recaps: wordloop eval recap --prompt NAME@A..B")
        raise typer.Exit(2)
    compare = registered(EVAL_RUNNER)["compare-prompts"].load()
    try:
        raise typer.Exit(compare(prompt, tier=tier, json_file=json_file))
    except (ValueError, LookupError) as error:
        console.print(str(error), markup=False)
        raise typer.Exit(2) from error


def _first_line(function: Any) -> str:
    return (function.__doc__ or "").strip().splitlines()[0]


def _show(name: str, figures: Mapping[str, Any]) -> None:
    output.print(f"{name}", markup=False)
    for label, value in figures.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        output.print(f"  {label:44} {shown}", markup=False)


def _write(json_file: Path | None, results: Mapping[str, Any]) -> None:
    if json_file is None:
        return
    document = {"command": " ".join(sys.argv), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **results}
    json_file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
