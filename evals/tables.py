"""What `wordloop eval` prints: a table of scores per suite, what failed, and the cases that moved, before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evals.gate import Moved, Verdict
from evals.scoring import Interval
from evals.suite import Row
from serve_app.terminal.display import console, output

if TYPE_CHECKING:
    from evals.runner import Outcome

MOST_MOVED: Final = 12
"""Cases shown per score; the report has all."""
MOST_LETTERS: Final = 160
PIPED_COLUMNS: Final = 240
"""Width of tables that go to a file or a pipe, where rich takes 80 columns and cuts."""


def show(outcome: "Outcome") -> None:
    """Print one suite."""
    wide = output if output.made.is_terminal else Console(highlight=False, width=PIPED_COLUMNS)
    wide.print(_scores(outcome))
    for title, rows in outcome.result.get("tables", {}).items():
        wide.print(_plain(title, rows))
    for verdict in outcome.verdicts:
        if verdict.failures and verdict.moved:
            wide.print(_moved(verdict))
    if outcome.only_reports:
        console.print(f"{outcome.suite}: only reports, no limit counts: {outcome.only_reports}", style="yellow", markup=False)
    for failure in outcome.failures:
        console.print(f"FAILED  {outcome.suite}: {failure}", style="red", markup=False)
    if outcome.full_due and outcome.tier == "fast":
        parts = ", ".join(outcome.full_due)
        console.print(f"{outcome.suite}: the full tier is due ({parts}): wordloop eval {outcome.suite} --tier full", markup=False)


def _scores(outcome: "Outcome") -> Table:
    table = Table(title=f"{outcome.suite} ({outcome.tier}, {outcome.seconds:.0f} s)", title_justify="left")
    for column in ("score", "value", "95%", "bounds", "baseline", "change", "95%", "allowed", ""):
        table.add_column(column, justify="left" if column in ("score", "") else "right")
    for verdict in outcome.verdicts:
        bounds = verdict.limits
        low = "" if bounds.minimum is None else f">= {bounds.minimum:g}"
        high = "" if bounds.maximum is None else f"<= {bounds.maximum:g}"
        table.add_row(
            Text(verdict.name),
            number(verdict.value) or "missing",
            between(verdict.interval),
            " ".join(filter(None, (low, high))),
            number(verdict.before),
            number(verdict.change, signed=True),
            between(verdict.change_interval, signed=True),
            number(bounds.worse_by),
            Text("FAILED", style="red") if verdict.failures else Text("ok" if low or high else "", style="green"),
        )
    for name, scores in outcome.result.get("baselines", {}).items():
        for score, value in scores.items():
            table.add_row(Text(f"{score}, {name}", style="dim"), number(value))
    return table


def _plain(title: str, rows: Sequence[Row]) -> Table:
    """A table that a suite gave; columns in the order in which the rows have them."""
    table = Table(title=title, title_justify="left")
    columns = columns_of(rows)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(shown(row.get(column, ""))) for column in columns))
    return table


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Return the names of all columns, each once, in order."""
    return list(dict.fromkeys(column for row in rows for column in row))


def shown(value: str | float) -> str:
    """A value of a table as text: three significant digits, whole numbers as they are."""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.3g}"


def _moved(verdict: Verdict) -> Table:
    shown = sorted(verdict.moved, key=lambda moved: not moved.worse)[:MOST_MOVED]
    table = Table(title=f"{verdict.name}: {len(verdict.moved)} cases moved", title_justify="left", show_lines=True)
    for column in ("case", "was", "is", "before", "now"):
        table.add_column(column, overflow="fold")
    for moved in shown:
        before, now = _sides(moved)
        table.add_row(Text(moved.id), number(moved.before), number(moved.now), Text(before), Text(now))
    return table


def _sides(moved: Moved) -> tuple[str, str]:
    return "\n".join(_cut(before) for before, _ in moved.texts.values()), "\n".join(_cut(now) for _, now in moved.texts.values())


def _cut(text: str) -> str:
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def number(value: float | None, *, signed: bool = False) -> str:
    """Four significant digits; empty for None."""
    return "" if value is None else f"{value:{'+' if signed else ''}.4g}"


def between(spread: Interval | Sequence[float] | None, *, signed: bool = False) -> str:
    """An interval as `low to high`; empty for None."""
    return "" if spread is None else " to ".join(f"{edge:{'+' if signed else ''}.3g}" for edge in spread)
