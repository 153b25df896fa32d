"""`python -m evals.prompt_scores`: score the prompts in use and record the figures under their digests.

`python -m prompts check` refuses a version in use that has no entry.
"""

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path

import prompts
from evals.baseline import DIGITS
from evals.gate import judge
from evals.recap import prose_scores
from evals.suite import Report, Tier
from evals.thresholds import limits
from prompts.checks import SCORES
from prompts.library import in_use


def record(scores: Mapping[str, float], tier: Tier, path: Path = SCORES) -> None:
    """Write the scores under the digest of every prompt in use; entries of earlier words stay, as a history.

    Raises ValueError when a score is not a number.
    """
    missing = [name for name, value in scores.items() if not math.isfinite(value)]
    if missing or not scores:
        raise ValueError(f"no scores to record: {', '.join(missing) or 'the suite gave none'}")
    held = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rounded = {name: round(value, DIGITS) for name, value in scores.items()}
    for prompt in (prompts.load(name, version) for name in prompts.names() for version in in_use(name)):
        held[prompt.digest] = {"prompt": f"{prompt.name} {prompt.version}", "tier": tier, "scores": rounded}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Score the prose of the fast tier; exit status 1, and nothing recorded, when a score is outside its bounds."""
    report: Report = lambda case, done, total: print(f"{done}/{total} {case}", file=sys.stderr)  # noqa: E731
    found = prose_scores("fast", report)
    bounds = {name: limit for name, limit in limits("recap", "fast").items() if name in found}
    verdicts = judge({"scores": found, "findings": []}, bounds, None)
    wrong = [failure for verdict in verdicts if verdict.below_bounds for failure in verdict.failures]
    for each in wrong:
        print(f"not recorded: {each}", file=sys.stderr)
    if not wrong:
        record(found, "fast")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
