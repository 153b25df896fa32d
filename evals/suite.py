"""What a suite is: a function, registered as an entry point in the group `wordloop.evals`, that returns a plain `Result`.

It may take `tier` (`fast` or `full`) and `progress`, and gets those that it names. Its module may hold `DEPENDS`
(`evals.fingerprint.Depends`), which says what its scores rest on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NotRequired, TypedDict

Tier = Literal["fast", "full"]
TIERS: Final[tuple[Tier, ...]] = ("fast", "full")

Report = Callable[[str, int, int], None]
"""Told the name of a case that is done, how many are, and how many there will be."""


def silent(_case: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class NotSetUp(Exception):
    """Raised by a suite that can not run here; says what to set or install. Run with others it is left out, by name it fails."""


class StatisticSpec(TypedDict):
    """How a score follows from its cases: `kind` over the case scores named in `of`, of cases whose tags are as in `where`.

    `mean`, `sum`, `median`, `max` take one column, `ratio` (sum over sum, so a pooled rate) and `spearman` two, `f1` three
    (matched, reported, wanted), `calibration_error` three for each bin of confidence (items, sum of confidences, right ones).
    """

    kind: Literal["mean", "sum", "median", "max", "ratio", "spearman", "f1", "calibration_error"]
    of: Sequence[str]
    where: NotRequired[Mapping[str, str]]


class Case(TypedDict):
    """One thing that was measured. `id` is stable from run to run: cases are paired with the baseline's by it."""

    id: str
    scores: Mapping[str, float]
    texts: NotRequired[Mapping[str, str]]
    tags: NotRequired[Mapping[str, str]]


Row = Mapping[str, str | float]
"""Of a table, by name of the column; empty text where there is no value."""


class Bin(TypedDict):
    """Items whose confidence lies from `low` to `high`: their mean confidence, and the share that was right (None of none)."""

    low: float
    high: float
    items: int
    confidence: float | None
    right: float | None


class Result(TypedDict):
    """What a suite returns. A score that is NaN or missing is a failure.

    `findings`: sentences, each a failure. `baselines`: scores of simpler methods, shown beside. `statistics`: how scores follow
    from cases; a score without one is taken for the mean of the case scores of its name, where it is. `outputs`: the
    texts that a change of the model can change, and that the baseline keeps (default: all but `reference`). `tables` by title and
    `reliability` (of confidences) are shown and gate nothing.
    """

    scores: Mapping[str, float]
    findings: Sequence[str]
    cases: NotRequired[Sequence[Case]]
    baselines: NotRequired[Mapping[str, Mapping[str, float]]]
    statistics: NotRequired[Mapping[str, StatisticSpec]]
    outputs: NotRequired[Sequence[str]]
    tables: NotRequired[Mapping[str, Sequence[Row]]]
    reliability: NotRequired[Sequence[Bin]]
