"""The committed scores of earlier runs, `baselines/SUITE.json`: per tier scores, cases, and the fingerprint they belong to."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from evals.suite import Case, Result, Tier

FOLDER: Final = Path(__file__).with_name("baselines")
DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a tier scored when it was last accepted. `fingerprint`: digest by part."""

    scores: Mapping[str, float]
    cases: Sequence[Case]
    fingerprint: Mapping[str, str]


def read(suite: str, tier: Tier, folder: Path = FOLDER) -> Baseline | None:
    """Return the baseline of a tier, or None when none was accepted yet."""
    stored = _stored(suite, folder).get(tier)
    return Baseline(stored["scores"], stored["cases"], stored["fingerprint"]) if stored else None


def write(suite: str, tier: Tier, result: Result, fingerprint: Mapping[str, str], folder: Path = FOLDER) -> Path:
    """Keep a run as the baseline of its tier, one case a line, so that a change reads well; return the file."""
    tiers = _stored(suite, folder)
    cases = [_kept(case, result.get("outputs")) for case in result.get("cases", ())]
    tiers[tier] = {"fingerprint": dict(fingerprint), "scores": _rounded(result["scores"]), "cases": cases}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{suite}.json"
    path.write_text("{\n" + ",\n".join(_tier(name, tiers[name]) for name in sorted(tiers)) + "\n}\n", encoding="utf-8")
    return path


def _stored(suite: str, folder: Path) -> dict[str, Any]:
    path = folder / f"{suite}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _kept(case: Case, outputs: Sequence[str] | None) -> dict[str, Any]:
    texts = {
        name: text
        for name, text in case.get("texts", {}).items()
        if (name in outputs if outputs is not None else name != "reference")
    }
    kept = {"id": case["id"], "scores": _rounded(case["scores"]), "tags": dict(case.get("tags", {})), "texts": texts}
    return {key: value for key, value in kept.items() if value}


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in scores.items()}


def _tier(name: str, stored: Mapping[str, Any]) -> str:
    head = ",\n".join(f'    "{key}": {json.dumps(stored[key], ensure_ascii=False)}' for key in ("fingerprint", "scores"))
    cases = ",\n".join(f"      {json.dumps(case, ensure_ascii=False)}" for case in stored["cases"])
    return f'  "{name}": {{\n{head},\n    "cases": [\n{cases}\n    ]\n  }}'
