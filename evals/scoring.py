"""Scores from cases, and how sure they are: the statistics that suites name, and the bootstrap over cases."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from evals.suite import Case, Result, StatisticSpec

RESAMPLES: Final = 1000
SEED: Final = 20
CONFIDENCE: Final = 0.95
BINS: Final = 10
"""Of confidence, from 0 to 1, all of one width: what a calibration is looked at in."""
SAME: Final = 1e-6
"""A score that differs by less from what its cases give follows from them."""

Array = Any
"""numpy: float64, shape (cases, columns)."""
Interval = tuple[float, float]


def _ratio(values: Array) -> float:
    units = values[:, 1].sum()
    return float(values[:, 0].sum() / units) if units else math.nan


def _f1(values: Array) -> float:
    """Harmonic mean of precision and recall, of sums of matched, reported and wanted."""
    units = values[:, 1].sum() + values[:, 2].sum()
    return float(2 * values[:, 0].sum() / units) if units else math.nan


def _calibration_error(values: Array) -> float:
    """Expected calibration error: the mean over items of how far their bin's confidence is from its share of right ones.

    Three columns for each bin: its items, the sum of their confidences, and how many of them are right.
    """
    items, confidence, right = (values[:, part::3].sum(axis=0) for part in range(3))
    return float(np.abs(confidence - right).sum() / items.sum()) if items.sum() else math.nan


def _spearman(values: Array) -> float:
    """Pearson's correlation of mean ranks; NaN where a column is constant."""
    from scipy.stats import rankdata

    if len(values) < 3:
        return math.nan
    first, second = rankdata(values[:, 0]), rankdata(values[:, 1])
    first, second = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / scale if scale else math.nan


KINDS: Final[Mapping[str, tuple[int, Callable[[Array], float]]]] = {
    "mean": (1, lambda values: float(values.mean())),
    "sum": (1, lambda values: float(values.sum())),
    "median": (1, lambda values: float(np.median(values))),
    "max": (1, lambda values: float(values.max())),
    "ratio": (2, _ratio),
    "spearman": (2, _spearman),
    "f1": (3, _f1),
    "calibration_error": (3 * BINS, _calibration_error),
}
POOLED: Final = ("ratio", "f1", "calibration_error")
"""Kinds whose value of one case is computed as that of all."""


def mean_of(column: str, **where: str) -> StatisticSpec:
    """The plain case: a score is the mean of one case score."""
    return {"kind": "mean", "of": [column], "where": where}


def of_cases(statistic: StatisticSpec, cases: Sequence[Case]) -> list[Case]:
    """Return the cases that a statistic is over: those with its tags and all of its columns."""
    where = statistic.get("where", {})
    return [
        case
        for case in cases
        if all(case.get("tags", {}).get(tag) == value for tag, value in where.items())
        and all(column in case["scores"] for column in statistic["of"])
    ]


def table(statistic: StatisticSpec, cases: Sequence[Case]) -> Array:
    """Return the columns of a statistic for `cases`, which have them; shape (cases, columns)."""
    columns = len(statistic["of"])
    values = [[float(case["scores"][column]) for column in statistic["of"]] for case in cases]
    return np.array(values, dtype=float).reshape(len(values), columns)


def score(statistic: StatisticSpec, cases: Sequence[Case]) -> float:
    """Return the score that `cases` give; NaN when there are none, or one of them is NaN."""
    width, compute = KINDS[statistic["kind"]]
    if len(statistic["of"]) != width:
        raise ValueError(f"{statistic['kind']} takes {width} columns, not {list(statistic['of'])}")
    chosen = of_cases(statistic, cases)
    return compute(table(statistic, chosen)) if chosen else math.nan


def scores(statistics: Mapping[str, StatisticSpec], cases: Sequence[Case]) -> dict[str, float]:
    """Return all scores of a suite whose scores all follow from its cases."""
    return {name: score(statistic, cases) for name, statistic in statistics.items()}


def statistic_of(result: Result, name: str) -> StatisticSpec | None:
    """Return how a score follows from the cases, or None when the cases do not give it."""
    statistic = result.get("statistics", {}).get(name) or mean_of(name)
    given = score(statistic, result.get("cases", ()))
    return statistic if abs(given - result["scores"][name]) <= SAME else None


def interval(statistic: StatisticSpec, cases: Sequence[Case]) -> Interval:
    """Return the 95% interval of a score: bootstrap over cases, percentiles (Efron 1979)."""
    values = table(statistic, of_cases(statistic, cases))
    compute = KINDS[statistic["kind"]][1]
    return _percentiles([compute(values[drawn]) for drawn in _resamples(len(values))])


def paired_change(statistic: StatisticSpec, before: Sequence[Case], now: Sequence[Case]) -> tuple[float, Interval]:
    """Return how much a score changed over the cases that both have, and its 95% interval: paired bootstrap.

    NaN when they share no case.
    """
    pairs = paired(statistic, before, now)
    if not pairs:
        return math.nan, (math.nan, math.nan)
    compute = KINDS[statistic["kind"]][1]
    old, new = table(statistic, [pair[0] for pair in pairs]), table(statistic, [pair[1] for pair in pairs])
    changes = [compute(new[drawn]) - compute(old[drawn]) for drawn in _resamples(len(pairs))]
    return compute(new) - compute(old), _percentiles(changes)


def paired(statistic: StatisticSpec, before: Sequence[Case], now: Sequence[Case]) -> list[tuple[Case, Case]]:
    """Return the cases that both runs have, by id, in the order of the present run."""
    old = {case["id"]: case for case in of_cases(statistic, before)}
    return [(old[case["id"]], case) for case in of_cases(statistic, now) if case["id"] in old]


def case_value(statistic: StatisticSpec, case: Case) -> float:
    """Return what one case says: its own rate or value; for a correlation, its first column."""
    if statistic["kind"] in POOLED:
        return KINDS[statistic["kind"]][1](table(statistic, [case]))
    return float(case["scores"][statistic["of"][0]])


def case_weight(statistic: StatisticSpec, case: Case) -> float:
    """Return how much a case counts beside the others: the units of a pooled value."""
    if statistic["kind"] not in POOLED:
        return 1.0
    columns = statistic["of"][::3] if statistic["kind"] == "calibration_error" else statistic["of"][1:]
    return sum(case["scores"][column] for column in columns)


def _resamples(count: int) -> Array:
    return np.random.default_rng(SEED).integers(0, count, size=(RESAMPLES, count))


def _percentiles(values: Sequence[float]) -> Interval:
    finite = [value for value in values if not math.isnan(value)]
    if not finite:
        return math.nan, math.nan
    edge = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(finite, [edge, 100 - edge])
    return float(low), float(high)
