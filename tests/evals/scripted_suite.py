"""A suite that scores what its module variable says, for tests of the runner."""

from evals.fingerprint import Depends
from evals.suite import Report, Result, Tier

DEPENDS = Depends(models=("embedder",), prompts=False, code=())


def result(values: dict[str, float], texts: dict[str, str] | None = None) -> Result:
    """The result of a suite whose one score is the mean of its cases."""
    words = texts or {}
    cases = [{"id": name, "scores": {"right": value}, "texts": {"answer": words.get(name, "")}} for name, value in values.items()]
    return {"scores": {"right": sum(values.values()) / len(values)}, "findings": [], "cases": cases}  # type: ignore[typeddict-item]


def stands(tier: Tier, progress: Report) -> Result:
    progress("one", 1, 1)
    return result({"one": 1.0, "two": 1.0 if tier == "full" else 0.8})


def raises() -> Result:
    raise ZeroDivisionError("no luck")
