"""Runs suites behind `wordloop eval`: progress, verdicts, tables, the JSON record, the HTML report, and the exit code."""

import inspect
import json
import math
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from evals import baseline as baselines
from evals.baseline import Baseline
from evals.fingerprint import changed_parts, fingerprint
from evals.gate import Verdict, broken_cases, judge, lost_cases
from evals.report import html
from evals.suite import NotSetUp, Report, Result, Tier
from evals.tables import show
from evals.thresholds import THRESHOLDS, gates_from, limits
from serve_app.terminal.display import bars, console


@dataclass(frozen=True, slots=True)
class Where:
    """The committed files that a run is held against."""

    thresholds: Path = THRESHOLDS
    baselines: Path = baselines.FOLDER


@dataclass(frozen=True, slots=True)
class Outcome:
    """A suite that ran. `failures` are sentences; empty means that it stands. `unacceptable`: some can be no baseline.

    `only_reports`: why its scores were held against no limit; empty when they were.
    """

    suite: str
    tier: Tier
    result: Result
    verdicts: Sequence[Verdict]
    failures: Sequence[str]
    unacceptable: bool
    fingerprint: Mapping[str, str]
    full_due: Sequence[str]
    seconds: float
    baseline: Baseline | None
    only_reports: str = ""


def run(
    suites: Mapping[str, EntryPoint],
    *,
    tier: Tier,
    json_file: Path | None = None,
    html_file: Path | None = None,
    accept_baseline: bool = False,
    if_changed: bool = False,
    where: Where | None = None,
) -> int:
    """Run the suites and return the exit code: 0 when every score stands, else 1."""
    where = where or Where()
    outcomes, left_out = [], 0
    for name, point in suites.items():
        if if_changed and not _due(name, tier, point.module, where):
            console.print(f"{name}: nothing it rests on has changed since its {tier} baseline", markup=False)
            continue
        try:
            outcomes.append(_watched(name, point, tier, where))
        except NotSetUp as reason:
            console.print(f"{name}: not run: {reason}", markup=False)
            left_out += 1
    for outcome in outcomes:
        show(outcome)
    if json_file is not None:
        json_file.write_text(json.dumps(record(outcomes), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if html_file is not None:
        html_file.write_text(html([_plain(outcome) for outcome in outcomes]), encoding="utf-8")
    if accept_baseline:
        return max((_accept(outcome, where) for outcome in outcomes), default=0)
    # Asked for by name, a suite that did not run has not passed.
    return int(any(outcome.failures for outcome in outcomes) or left_out == len(suites))


def measure(suite: str, function: Any, tier: Tier, module: str, where: Where, progress: Report) -> Outcome:
    """Run one suite and judge it. A suite that raises has failed, with its error as the finding; NotSetUp goes through."""
    started = time.perf_counter()
    prints = fingerprint(module)
    offered = {"tier": tier, "progress": progress}
    taken = inspect.signature(function).parameters
    error = ""
    try:
        result: Result = function(**{name: value for name, value in offered.items() if name in taken})
    except NotSetUp:
        raise
    except Exception as raised:  # whatever a suite raises, the others still run and the gate is red
        traceback.print_exc()
        error = f"the suite ended with {type(raised).__name__}: {raised}"
        result = {"scores": {}, "findings": []}
    return judged(suite, tier, result, prints, where, time.perf_counter() - started, error)


def judged(
    suite: str, tier: Tier, result: Result, prints: Mapping[str, str], where: Where, seconds: float = 0.0, error: str = ""
) -> Outcome:
    """Hold a result against thresholds and baseline."""
    held = baselines.read(suite, tier, where.baselines)
    full = baselines.read(suite, "full", where.baselines)
    only_reports = _not_trusted(suite, tier, result, where)
    verdicts = judge(result, {} if only_reports else limits(suite, tier, where.thresholds), held)
    fatal = [error] if error else [*result["findings"], *(f"{each} is not a number" for each in broken_cases(result))]
    if not result["scores"] and not error:
        fatal.append("the suite gave no score")
    lost = [f"case {each} of the baseline is gone" for each in lost_cases(result, held)]
    failures = [*fatal, *lost, *(failure for verdict in verdicts for failure in verdict.failures)]
    unacceptable = bool(fatal) or any(verdict.below_bounds for verdict in verdicts)
    due = changed_parts(prints, full.fingerprint if full else None)
    return Outcome(suite, tier, result, verdicts, failures, unacceptable, prints, due, seconds, held, only_reports)


def _not_trusted(suite: str, tier: Tier, result: Result, where: Where) -> str:
    """Return why a suite's scores may not gate yet, or nothing."""
    needed = gates_from(suite, tier, where.thresholds)
    short = [
        f"{name} is {result['scores'][name]:.4g}, it gates from {least:g}"
        for name, least in needed.items()
        if not result["scores"].get(name, math.nan) >= least and name in result["scores"]
    ]
    return "; ".join(short)


def record(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return everything that was measured, as plain data."""
    return {
        "command": " ".join(sys.argv),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "passed": not any(outcome.failures for outcome in outcomes),
        "suites": {outcome.suite: _plain(outcome) for outcome in outcomes},
    }


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "suite": outcome.suite,
        "tier": outcome.tier,
        "seconds": round(outcome.seconds, 1),
        "failures": list(outcome.failures),
        "only_reports": outcome.only_reports,
        "fingerprint": dict(outcome.fingerprint),
        "full_tier_due": list(outcome.full_due),
        "verdicts": [asdict(verdict) for verdict in outcome.verdicts],
        **outcome.result,
    }


def _due(suite: str, tier: Tier, module: str, where: Where) -> bool:
    held = baselines.read(suite, tier, where.baselines)
    return bool(changed_parts(fingerprint(module), held.fingerprint if held else None))


def _watched(suite: str, point: EntryPoint, tier: Tier, where: Where) -> Outcome:
    with bars() as progress:
        task = progress.add_task(f"{suite} ({tier})", total=None)

        def report(case: str, done: int, total: int) -> None:
            progress.update(task, description=f"{suite} ({tier}) {done}/{total} {case[:40]}", completed=done, total=total)

        return measure(suite, point.load(), tier, point.module, where, report)


def _accept(outcome: Outcome, where: Where) -> int:
    """Keep the run as the baseline; a fall can be accepted, a score outside its bounds or missing can not."""
    if outcome.unacceptable:
        console.print(f"{outcome.suite}: not accepted, a score is missing or outside its bounds", style="red", markup=False)
        return 1
    path = baselines.write(outcome.suite, outcome.tier, outcome.result, outcome.fingerprint, where.baselines)
    console.print(f"{outcome.suite}: the {outcome.tier} baseline is now {path.name}; commit it", markup=False)
    return 0
