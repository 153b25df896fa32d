"""`wordloop bench`: what `benchmarks/` registers as entry points, run by name.

Benchmarks and evaluations stand above this layer, so they are found by entry point and never imported from here.
"""

import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any

from serve_app.errors import ArgumentWrong
from serve_app.terminal.arguments import check_name, check_new_file
from serve_app.terminal.display import output

BENCHMARKS = "wordloop.benchmarks"


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
