"""Recaps of meetings against their references, with three extractive summaries of the same length beside them."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from evals.extractive import METHODS, candidates, extract
from evals.fingerprint import Depends
from evals.ragas_scores import RAGAS, RagasScores
from evals.recap_material import Meeting, all_meetings, bundled_meetings, heard_meetings
from evals.recap_models import Made, Models, served_models
from evals.recap_scores import ROUGE, item_scores, summary_scores, texts_of, trust_scores
from evals.scoring import mean_of, scores
from evals.suite import Case, Report, Result, StatisticSpec, Tier, silent

DEPENDS: Final = Depends(
    code=(
        "application.recap",
        "application.transcribe_audio",
        "evals.extractive",
        "evals.recap_material",
        "evals.recap_models",
        "evals.recap_scores",
    )
)
EXACT: Final = {"items": "exact"}
OUTPUTS: Final = ("title", "summary", "decisions", "action_items", "open_questions", "chapters", "degraded")


def run(
    tier: Tier = "fast", progress: Report = silent, models: Models | None = None, meetings: Sequence[Meeting] | None = None
) -> Result:
    """Score recaps: likeness to references and lead over baselines, support, topics, items, valid answers, quoted chapters."""
    models = models or served_models()
    judged = RagasScores(models) if tier == "full" else None
    meetings = meetings or meetings_of(tier)
    cases: list[Case] = []
    for done, meeting in enumerate(meetings, 1):
        made = models.recap(meeting.segments, meeting.language)
        case = case_of(meeting, made, models)
        if judged is not None:
            extra = judged(meeting.summary, summary_of(made))
            case["scores"] = {**case["scores"], **extra}
        cases.append(case)
        progress(meeting.id, done, len(meetings))
    wanted = statistics() | ({name: mean_of(name) for name in RAGAS} if tier == "full" else {})
    found = scores(wanted, cases)
    beside = baselines(cases)
    for name in (*ROUGE.values(), "similarity"):
        found[f"{name}_lead"] = found[name] - max(each.get(name, math.nan) for each in beside.values())
    return {
        "scores": found,
        "findings": [],
        "cases": cases,
        "statistics": wanted,
        "baselines": beside,
        "outputs": OUTPUTS,
    }


def meetings_of(tier: Tier) -> list[Meeting]:
    """Return the meetings of a tier."""
    return bundled_meetings() if tier == "fast" else [*all_meetings(), *heard_meetings()]


def case_of(meeting: Meeting, made: Made, models: Models) -> Case:
    """Score one recap, and the extractive summaries of its length under `METHOD/SCORE`."""

    def likeness(first: Sequence[str], second: Sequence[str]) -> object:
        vectors = np.array(models.vectors([*first, *second]), dtype=np.float32)
        return vectors[: len(first)] @ vectors[len(first) :].T

    summary = summary_of(made)
    cited = frozenset(place for statement in made.recap.summary for place in statement.segment_ids)
    found = summary_scores(summary, cited, meeting, likeness)
    found |= item_scores(made.recap, meeting, likeness) | trust_scores(made, meeting.segments)
    found["words"] = float(len(summary.split()))
    sentences = candidates(meeting.segments)
    vectors = np.array(models.vectors([sentence.clean for sentence in sentences]), dtype=np.float32)
    texts = {"reference": meeting.summary, **texts_of(made.recap)}
    for method in METHODS:
        taken = extract(method, sentences, vectors, len(summary.split()))
        simple = summary_scores(taken.text, taken.segment_ids, meeting, likeness)
        found |= {f"{method}/{name}": value for name, value in simple.items()}
        texts[method] = taken.text
    tags = {
        "items": "exact" if meeting.exact else "retold",
        "kind": re.split(r"[-_]", meeting.id)[0] if not meeting.exact else "own",
    }
    return {"id": meeting.id, "scores": found, "texts": texts, "tags": tags}


def summary_of(made: Made) -> str:
    """Return the summary of a recap as one text."""
    return " ".join(statement.text for statement in made.recap.summary)


def baselines(cases: Sequence[Case]) -> dict[str, Mapping[str, float]]:
    """Return what each extractive method scores over the same meetings."""
    return {method: scores(_likeness(f"{method}/"), cases) for method in METHODS}


def _likeness(prefix: str = "") -> dict[str, StatisticSpec]:
    """Statistics of a summary; the names of the scores come without the prefix of their columns."""
    found: dict[str, StatisticSpec] = {name: mean_of(f"{prefix}{name}") for name in (*ROUGE.values(), "similarity")}
    found["topic_coverage"] = {"kind": "ratio", "of": (f"{prefix}topics_covered", f"{prefix}topics")}
    return found


def statistics() -> dict[str, StatisticSpec]:
    """Return how each score follows from the meetings."""

    def ratio(part: str, whole: str, where: Mapping[str, str] | None = None) -> StatisticSpec:
        return {"kind": "ratio", "of": (part, whole), "where": where or {}}

    found = _likeness() | {
        "support": mean_of("support"),
        "support_rate": ratio("carried", "statements"),
        "validity": ratio("valid", "calls"),
        "degraded_share": ratio("quoted", "chapters"),
        "action_due": ratio("due_right", "due_wanted", EXACT),
    }
    for name, singular in (("decisions", "decision"), ("actions", "action"), ("questions", "question")):
        found[f"{singular}_precision"] = ratio(f"{name}_matched", f"{name}_found", EXACT)
        found[f"{singular}_recall"] = ratio(f"{name}_matched", f"{name}_wanted", EXACT)
    return found
