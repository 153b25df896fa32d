"""`python -m evals.compare_finders`: ways of finding items side by side, as one Markdown table.

They are held against meetings by which one may choose. Each is named `NAME=MODULE:FUNCTION`, the function being an `ItemsOf`;
without any, what the service does.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from evals.item_matching import ITEM_KINDS, ItemsOf
from evals.recap_items import ORIGINS, f1_of, item_cases, item_statistics, languages_of
from evals.scoring import score
from evals.suite import Case, Report, Row, StatisticSpec, silent
from evals.tables import columns_of, shown
from training.meetings import LabelledMeeting, meetings

SERVED: Final = "served=evals.recap_models:served_items"
SPLITS: Final = ("tune", "train")
"""Never `confirm`: what is chosen by those meetings is tuned to them."""
PARTS: Final = ("precision", "recall", "f1")
ASIDE: Final[Mapping[str, str]] = {
    "look-alikes": "look_alikes_share",
    "wrong kinds": "wrong_kind_share",
    "owner": "owner",
    "due": "due",
    "calibration error": "calibration_error",
}
"""Further columns, and the scores in them."""


def compare(finders: Mapping[str, ItemsOf], chosen: Sequence[LabelledMeeting], report: Report = silent) -> list[Row]:
    """Return a row for each finder on all meetings, on the written and on the real ones."""
    rows: list[Row] = []
    for name, items_of in finders.items():
        cases, seconds = item_cases(chosen, items_of, report)
        rows.append({"finder": name, "meetings": f"all ({len(cases)})", **_scores(cases), "seconds": seconds})
        for origin in ORIGINS:
            inside = [case for case in cases if case["tags"]["origin"] == origin]
            if inside:
                rows.append({"finder": name, "meetings": f"{origin} ({len(inside)})", **_scores(inside)})
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table."""
    columns = columns_of(rows)
    lines = [columns, ["---"] * len(columns), *([shown(row.get(column, "")) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def named(wanted: str) -> tuple[str, ItemsOf]:
    """Return the finder that `NAME=MODULE:FUNCTION` names. Raises ValueError for another form."""
    name, _, function_path = wanted.partition("=")
    module, _, function = function_path.partition(":")
    if not (name and module and function):
        raise ValueError(f"{wanted} is not of the form NAME=MODULE:FUNCTION")
    found: ItemsOf = getattr(import_module(module), function)
    return name, found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m evals.compare_finders", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("finders", nargs="*", default=[SERVED], metavar="NAME=MODULE:FUNCTION")
    parser.add_argument("--split", choices=SPLITS, default="tune")
    given = parser.parse_args(arguments)
    report: Report = lambda case, done, total: print(f"{done}/{total} {case}", file=sys.stderr)  # noqa: E731
    print(markdown(compare(dict(map(named, given.finders)), meetings(given.split), report)))
    return 0


def _scores(cases: Sequence[Case]) -> Row:
    known = item_statistics(languages_of(cases))
    kinds = {f"{kind} P / R / F1": " / ".join(_value(known[f"{kind}_{part}"], cases) for part in PARTS) for kind in ITEM_KINDS}
    own = {"F1 by own words": _value(f1_of("items", "matched_own"), cases)}
    aside = {column: _value(known[name], cases) for column, name in ASIDE.items()}
    spoken = sorted({case["tags"]["language"] for case in cases})
    by_language = {f"outcomes F1 {each}": _value(f1_of("outcomes", language=each), cases) for each in spoken}
    return {**kinds, **own, **aside, **by_language}


def _value(statistic: StatisticSpec, cases: Sequence[Case]) -> str:
    value = score(statistic, cases)
    return "-" if math.isnan(value) else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
