"""Two versions of a prompt over the same transcripts: scores, cost, and what they wrote, case by case."""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypedDict
from uuid import uuid4

import prompts
from evals.recap_material import Meeting, meetings_of
from evals.recap_models import Models, served_models
from evals.recap_prose import OUTPUTS, case_of, statistics
from evals.scoring import Interval, paired_change, score
from evals.suite import Case, Report, StatisticSpec, Tier, silent
from serve_app.terminal.display import output

REFERENCE: Final = re.compile(r"(?P<name>\w+)@(?P<before>v\d+)\.\.(?P<after>v\d+)")
SHOWN: Final = ("rouge_1", "rouge_2", "rouge_l", "similarity", "support")


class Change(TypedDict):
    """A score under both versions; `interval` is the 95% interval of the change (paired bootstrap over meetings)."""

    before: float
    after: float
    change: float
    interval: Interval


class ComparedCase(TypedDict):
    """One meeting. `cost`: calls, input_tokens, output_tokens, seconds, usd; `diff`: unified diff by part of the recap."""

    id: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    cost_before: Mapping[str, float]
    cost_after: Mapping[str, float]
    diff: Mapping[str, str]


class Comparison(TypedDict):
    """What `compare_prompts` found; `cost_*` are sums over the meetings."""

    prompt: str
    before: str
    after: str
    scores: Mapping[str, Change]
    cost_before: Mapping[str, float]
    cost_after: Mapping[str, float]
    cases: Sequence[ComparedCase]


def compare_prompts(
    reference: str,
    tier: Tier = "fast",
    progress: Report = silent,
    models: Models | None = None,
    meetings: Sequence[Meeting] | None = None,
) -> Comparison:
    """Make the recaps of a tier's meetings with both versions of `NAME@A..B`, everything else being equal.

    Raises ValueError for another form of reference, LookupError for a version that there is not.
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise ValueError(f"{reference} is not of the form NAME@v1..v2")
    name, before, after = match["name"], match["before"], match["after"]
    for version in (before, after):
        prompts.load(name, version)
    models = models or served_models()
    meetings = meetings or meetings_of(tier)
    once = uuid4().hex
    compared: list[ComparedCase] = []
    made: tuple[list[Case], list[Case]] = ([], [])
    for done, meeting in enumerate(meetings, 1):
        costs = []
        for side, version, cases in zip(("before", "after"), (before, after), made, strict=True):
            # A tenant of its own: what one version, or an earlier run, has paid for, this one must not find in the cache.
            recap = models.recap(meeting.segments, meeting.language, {name: version}, tenant=f"{side} {name} {version} {once}")
            cases.append(case_of(meeting, recap, models))
            costs.append(recap.calls.cost)
        compared.append(_compared(made[0][-1], made[1][-1], costs))
        progress(meeting.id, done, len(meetings))
    scored = {name: _change(statistic, *made) for name, statistic in statistics(made[0]).items()}
    total = [_total([case[side] for case in compared]) for side in ("cost_before", "cost_after")]
    return {
        "prompt": name,
        "before": before,
        "after": after,
        "scores": scored,
        "cost_before": total[0],
        "cost_after": total[1],
        "cases": compared,
    }


def run(reference: str, *, tier: Tier, json_file: Path | None = None) -> int:
    """Compare and print; with `json_file`, write everything that was found there too. Returns the exit code."""
    found = compare_prompts(reference, tier)
    for line in comparison_lines(found):
        output.print(line, markup=False, highlight=False)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1, ensure_ascii=False, default=list) + "\n", encoding="utf-8")
    return 0


def comparison_lines(found: Comparison) -> list[str]:
    """Return a comparison as text: scores, cost, then each meeting with what was written differently."""
    lines = [f"{found['prompt']} {found['before']} -> {found['after']}, {len(found['cases'])} meetings", ""]
    for name, change in found["scores"].items():
        low, high = change["interval"]
        figures = f"{change['before']:8.3f} {change['after']:8.3f} {change['change']:+8.3f}"
        lines.append(f"{name:20} {figures}   95% {low:+.3f} to {high:+.3f}")
    lines += ["", *_cost_lines(found["cost_before"], found["cost_after"])]
    for case in found["cases"]:
        moved = [f"{name} {case['before'][name]:.3f} -> {case['after'][name]:.3f}" for name in SHOWN if name in case["before"]]
        lines += ["", f"== {case['id']}", "  ".join(moved), *_cost_lines(case["cost_before"], case["cost_after"])]
        for part, diff in case["diff"].items():
            lines += [f"  {part}", *(f"    {line}" for line in diff.splitlines())]
        if not case["diff"]:
            lines.append("  the same words")
    return lines


def _compared(before: Case, after: Case, costs: Sequence[Mapping[str, float]]) -> ComparedCase:
    texts = [{part: case.get("texts", {}).get(part, "") for part in OUTPUTS} for case in (before, after)]
    diff = {part: _diff(texts[0][part], texts[1][part]) for part in OUTPUTS if texts[0][part] != texts[1][part]}
    kept = [{name: value for name, value in case["scores"].items() if "/" not in name} for case in (before, after)]
    return {
        "id": before["id"],
        "before": kept[0],
        "after": kept[1],
        "cost_before": costs[0],
        "cost_after": costs[1],
        "diff": diff,
    }


def _diff(before: str, after: str) -> str:
    """Return what went and what came, without the heads and places that a patch needs."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return "\n".join(line for line in lines if not line.startswith("?"))


def _change(statistic: StatisticSpec, before: Sequence[Case], after: Sequence[Case]) -> Change:
    change, spread = paired_change(statistic, before, after)
    return {"before": score(statistic, before), "after": score(statistic, after), "change": change, "interval": spread}


def _total(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum(cost[name] for cost in costs) for name in costs[0]} if costs else {}


def _cost_lines(before: Mapping[str, float], after: Mapping[str, float]) -> list[str]:
    return ["  ".join(f"{name} {before[name]:.6g} -> {after[name]:.6g}" for name in before)]
