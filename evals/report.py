"""The HTML report: one file, no script and nothing from outside, plots as inline SVG."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evals.suite import Bin
from evals.tables import columns_of, shown

TEMPLATE: Final = "report.html.jinja"
WIDTH, PLOT = 1040, 460
"""Of a plot and of the part of it that holds marks, in CSS pixels."""


def html(suites: Sequence[Mapping[str, Any]]) -> str:
    """Return the report on suites as `runner.record` has them."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.globals.update(width=WIDTH, plot=PLOT, columns_of=columns_of, shown=shown)
    at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    drawn = [
        {
            **suite,
            "rows": [_row(suite, verdict) for verdict in suite["verdicts"]],
            "tables": suite.get("tables", {}),
            "reliability": [_bar(each) for each in suite.get("reliability", ())],
        }
        for suite in suites
    ]
    return environment.get_template(TEMPLATE).render(suites=drawn, at=at)


def _row(suite: Mapping[str, Any], verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a score with all that is drawn beside it: marks in pixels on an axis that holds every one of them."""
    limits = verdict["limits"]
    others = {name: scores[verdict["name"]] for name, scores in suite.get("baselines", {}).items() if verdict["name"] in scores}
    marks = [
        verdict["value"],
        verdict["before"],
        limits["minimum"],
        limits["maximum"],
        *(verdict["interval"] or ()),
        *others.values(),
    ]
    known = [mark for mark in marks if mark is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    low = 0.0 if 0 <= low < 0.5 * high else low - 0.1 * (high - low)
    high = high + 0.1 * (high - low) if high > low else low + (abs(low) or 1.0)

    def percent(value: float | None) -> float | None:
        return None if value is None else round((value - low) / (high - low) * PLOT, 1)

    spread = verdict["interval"]
    return {
        **verdict,
        "low": low,
        "high": high,
        "at": percent(verdict["value"]),
        "was_at": percent(verdict["before"]),
        "edges": [percent(edge) for edge in spread] if spread else None,
        "minimum_at": percent(limits["minimum"]),
        "maximum_at": percent(limits["maximum"]),
        "others": [{"name": name, "value": value, "at": percent(value)} for name, value in others.items()],
        "scatter": _scatter(verdict["moved"]),
    }


def _bar(each: Bin) -> dict[str, Any]:
    """Return a bin of confidence in a square of 200 pixels: a bar as high as its share of right items, a point at its mean."""
    wide = (each["high"] - each["low"]) * 200
    right, confidence = ((value or 0.0) * 200 for value in (each["right"], each["confidence"]))
    return {
        **each,
        "x": round(each["low"] * 200, 1),
        "wide": round(wide, 1),
        "y": round(200 - right, 1),
        "high_by": round(right, 1),
        "sure": round(confidence, 1),
    }


def _scatter(moved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the moved cases as points of a square of 200 pixels, before to the right and now upwards."""
    values = [value for each in moved for value in (each["before"], each["now"])]
    low, high = min(values, default=0.0), max(values, default=1.0)
    span = (high - low) or 1.0
    return [
        {
            "id": each["id"],
            "worse": each["worse"],
            "x": round((each["before"] - low) / span * 200, 1),
            "y": round(200 - (each["now"] - low) / span * 200, 1),
        }
        for each in moved
    ]
