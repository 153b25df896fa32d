"""Reads `thresholds.toml`: per suite and tier, between which bounds a score stands and how much it may fall.

[SUITE]             bounds of both tiers: `min_NAME`, `max_NAME`
[SUITE.worse_by]    largest allowed fall against the baseline, in the score's own unit: `NAME`
[SUITE.gates_from]  what the suite's scores have to reach before any of its limits counts; below, it only reports: `NAME`
[SUITE.fast], [SUITE.fast.worse_by], [SUITE.full] ...    the same for one tier; they add to the above and win over it
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.suite import TIERS, Tier

THRESHOLDS: Final = Path(__file__).with_name("thresholds.toml")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one score. `worse_by` is the largest fall against the baseline; None asks for no baseline."""

    minimum: float | None = None
    maximum: float | None = None
    worse_by: float | None = None

    @property
    def higher_is_better(self) -> bool:
        return self.minimum is not None


def limits(suite: str, tier: Tier, path: Path = THRESHOLDS) -> dict[str, Limits]:
    """Return the limits of a suite's scores by name. Raises ValueError for a key it can not read."""
    section = tomllib.loads(path.read_text(encoding="utf-8")).get(suite, {})
    common = {key: value for key, value in section.items() if key not in TIERS}
    own = section.get(tier, {})
    bounds = {**common, **own}
    falls: Mapping[str, float] = {**common.get("worse_by", {}), **own.get("worse_by", {})}
    bounds.pop("worse_by", None)
    bounds.pop("gates_from", None)
    found: dict[str, dict[str, Any]] = {}
    for key, value in bounds.items():
        which, _, name = key.partition("_")
        if which not in ("min", "max") or not name or not isinstance(value, int | float):
            raise ValueError(f"{path.name}: [{suite}] {key} is none of min_NAME and max_NAME with a number")
        found.setdefault(name, {})[{"min": "minimum", "max": "maximum"}[which]] = float(value)
    for name, value in falls.items():
        if len(found.get(name, {})) != 1:
            raise ValueError(f"{path.name}: [{suite}.worse_by] {name} needs either min_{name} or max_{name}: which way is worse?")
        found[name]["worse_by"] = float(value)
    return {name: Limits(**bound) for name, bound in found.items()}


def gates_from(suite: str, tier: Tier, path: Path = THRESHOLDS) -> dict[str, float]:
    """Return what scores of a suite have to reach before its limits count."""
    section = tomllib.loads(path.read_text(encoding="utf-8")).get(suite, {})
    asked: Mapping[str, float] = {**section.get("gates_from", {}), **section.get(tier, {}).get("gates_from", {})}
    return {name: float(least) for name, least in asked.items()}
