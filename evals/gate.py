"""Decides whether a run stands: every score inside its bounds, none fallen too far, none missing, and which cases moved."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from evals.baseline import Baseline
from evals.scoring import Interval, case_value, case_weight, interval, paired, paired_change, statistic_of
from evals.suite import Case, Result, StatisticSpec
from evals.thresholds import Limits

MOVED: Final = 1e-4
"""A case that changed by less did not move: another processor rounds differently."""
ROUNDING: Final = 1e-6
"""Baselines are kept to six digits."""
SURE_SHARE: Final = 0.5
"""A smaller fall than the allowed one fails too when its whole paired interval is worse than this share of what is allowed."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A case whose value differs from the baseline's; `texts` holds before and after of each text that changed."""

    id: str
    before: float
    now: float
    worse: bool
    texts: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One score against its limits and its baseline. It stands when `failures` is empty.

    `change` is over the cases that both runs have. `below_bounds` tells a score outside its bounds, or missing, which no
    baseline can accept, from a fall, which one can.
    """

    name: str
    value: float | None
    interval: Interval | None
    limits: Limits
    before: float | None
    change: float | None
    change_interval: Interval | None
    failures: tuple[str, ...]
    below_bounds: bool
    moved: tuple[Moved, ...] = ()


def judge(result: Result, limits: Mapping[str, Limits], baseline: Baseline | None) -> list[Verdict]:
    """Return a verdict on every score that the suite gave, a limit names, or the baseline had."""
    held = baseline.scores if baseline else {}
    names = list(dict.fromkeys([*result["scores"], *limits, *held]))
    return [_verdict(name, result, limits.get(name, Limits()), baseline) for name in names]


def lost_cases(result: Result, baseline: Baseline | None) -> list[str]:
    """Return the ids of cases that the baseline has and the run has not: a score without them is of something else."""
    present = {case["id"] for case in result.get("cases", ())}
    return [case["id"] for case in baseline.cases if case["id"] not in present] if baseline else []


def broken_cases(result: Result) -> list[str]:
    """Return `id score` for every case score that is not a number."""
    return [
        f"{case['id']} {name}"
        for case in result.get("cases", ())
        for name, value in case["scores"].items()
        if not _is_number(value)
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _verdict(name: str, result: Result, limits: Limits, baseline: Baseline | None) -> Verdict:
    before = baseline.scores.get(name) if baseline else None
    value = result["scores"].get(name)
    if value is None or not _is_number(value):
        return Verdict(name, None, None, limits, before, None, None, (f"{name} is missing",), True)
    failures = []
    if limits.minimum is not None and value < limits.minimum:
        failures.append(f"{name} is {value:.4g}, at least {limits.minimum:g} is asked for")
    if limits.maximum is not None and value > limits.maximum:
        failures.append(f"{name} is {value:.4g}, at most {limits.maximum:g} is asked for")
    outside = bool(failures)
    statistic = statistic_of(result, name)
    spread = interval(statistic, result.get("cases", ())) if statistic else None
    change: float | None = None
    change_interval: Interval | None = None
    moved: tuple[Moved, ...] = ()
    if before is not None and baseline is not None:
        change, change_interval, moved = _against(statistic, value, before, result, baseline, limits)
    failures += _fall(name, change, change_interval, before, limits)
    return Verdict(name, value, spread, limits, before, change, change_interval, tuple(failures), outside, moved)


def _against(
    statistic: StatisticSpec | None, value: float, before: float, result: Result, baseline: Baseline, limits: Limits
) -> tuple[float, Interval | None, tuple[Moved, ...]]:
    if statistic is None:
        return value - before, None, ()
    now = result.get("cases", ())
    change, (low, high) = paired_change(statistic, baseline.cases, now)
    if math.isnan(change):
        return value - before, None, ()
    return _plain(change), (_plain(low), _plain(high)), _moved(statistic, baseline.cases, now, limits)


def _plain(change: float) -> float:
    """A change that is rounding alone is none."""
    return 0.0 if abs(change) < ROUNDING else change


def _fall(name: str, change: float | None, spread: Interval | None, before: float | None, limits: Limits) -> list[str]:
    if limits.worse_by is None:
        return []
    if change is None or before is None:
        return [f"{name} has no baseline; accept one with --accept-baseline"]
    fall = -change if limits.higher_is_better else change
    sure = ""
    if spread is not None:
        within = spread[0] <= 0 <= spread[1]
        sure = f" (95%: {spread[0]:+.4f} to {spread[1]:+.4f}{', so the cases alone do not prove it' if within else ''})"
    said = f"{name} changed by {change:+.4f}{sure} from {before:.4f}"
    if fall > limits.worse_by + ROUNDING:
        return [f"{said}; at most {limits.worse_by:g} worse is allowed"]
    if spread is not None:
        # Steady over the cases: not chance, however small.
        least = -spread[1] if limits.higher_is_better else spread[0]
        if least > SURE_SHARE * limits.worse_by + ROUNDING:
            return [f"{said}; the whole interval is more than {SURE_SHARE * limits.worse_by:g} worse, so it is no chance"]
    return []


def _moved(statistic: StatisticSpec, before: Sequence[Case], now: Sequence[Case], limits: Limits) -> tuple[Moved, ...]:
    """Return the cases that moved, those that fell most first."""
    found: list[tuple[float, Moved]] = []
    for old, new in paired(statistic, before, now):
        was, is_now = case_value(statistic, old), case_value(statistic, new)
        if math.isnan(was) or math.isnan(is_now) or abs(is_now - was) <= MOVED:
            continue
        gain = (is_now - was) if limits.higher_is_better else (was - is_now)
        texts = {
            name: (text, new.get("texts", {}).get(name, ""))
            for name, text in old.get("texts", {}).items()
            if new.get("texts", {}).get(name, "") != text
        }
        found.append((gain * case_weight(statistic, new), Moved(new["id"], was, is_now, gain < 0, texts)))
    return tuple(moved for _, moved in sorted(found, key=lambda entry: (entry[0], entry[1].id)))
