"""Full recaps against reference summaries, with three extractive summaries of the same length beside them."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from evals.extractive import METHODS, candidates, extract
from evals.item_matching import match
from evals.recap_items import counts, f1_of
from evals.recap_material import Meeting
from evals.recap_models import Made, Models
from evals.recap_scores import ROUGE, summary_scores, texts_of, trust_scores
from evals.scoring import mean_of, of_cases, scores
from evals.suite import Case, Row, StatisticSpec

OUTPUTS: Final = ("title", "summary", "decisions", "action_items", "open_questions", "chapters", "degraded")
PREFIX: Final = "recap/"
TOLD: Final = "told_"
"""Before the counts of items of a full recap: they have to be those that are found without a language model."""
TOPICS: Final = "topic_coverage"
SHOWN: Final = ("rouge_1", "similarity", "support", "support_rate", "degraded_share", "quoted_share")
"""Scores of the table by language."""


def case_of(meeting: Meeting, made: Made, models: Models) -> Case:
    """Score one recap, and the extractive summaries of its length under `METHOD/SCORE`."""

    def likeness(first: Sequence[str], second: Sequence[str]) -> object:
        vectors = np.array(models.vectors([*first, *second]), dtype=np.float32)
        return vectors[: len(first)] @ vectors[len(first) :].T

    summary = summary_of(made)
    cited = frozenset(index for statement in made.recap.summary for index in statement.segment_ids)
    found = summary_scores(summary, cited, meeting, likeness) | trust_scores(made, meeting.segments, meeting.language)
    if meeting.labels is not None:
        counted = counts(meeting.labels, match(made.recap, meeting.labels))
        found |= {f"{TOLD}{name}": value for name, value in counted.items() if name.startswith("items_")}
    found["words"] = float(len(summary.split()))
    sentences = candidates(meeting.segments)
    vectors = np.array(models.vectors([sentence.clean for sentence in sentences]), dtype=np.float32)
    texts = {"reference": meeting.summary, **texts_of(made.recap)}
    for method in METHODS:
        taken = extract(method, sentences, vectors, len(summary.split()))
        simple = summary_scores(taken.text, taken.segment_ids, meeting, likeness)
        found |= {f"{method}/{name}": value for name, value in simple.items()}
        texts[method] = taken.text
    tags = {"language": meeting.language, "sort": meeting.sort}
    return {"id": f"{PREFIX}{meeting.id}", "scores": found, "texts": texts, "tags": tags}


def summary_of(made: Made) -> str:
    """Return the summary of a recap as one text."""
    return " ".join(statement.text for statement in made.recap.summary)


def statistics(cases: Sequence[Case]) -> dict[str, StatisticSpec]:
    """Return how each score follows from the recaps; without those that no recap has a part in (topics, labelled items)."""
    found = _likeness() | {
        "support": mean_of("support"),
        "support_rate": _ratio("carried", "statements"),
        "validity": _ratio("valid", "calls"),
        "degraded_share": mean_of("degraded"),
        "quoted_share": _ratio("quoted", "chapters"),
        f"{TOLD}items_f1": f1_of(f"{TOLD}items"),
    }
    known = {name for name, statistic in found.items() if of_cases(statistic, cases)}
    return {name: statistic for name, statistic in found.items() if name in known or name not in (TOPICS, f"{TOLD}items_f1")}


def baselines(cases: Sequence[Case]) -> dict[str, Mapping[str, float]]:
    """Return what each extractive method scores over the same meetings."""
    wanted = {method: _likeness(f"{method}/") for method in METHODS}
    return {
        method: scores({name: each for name, each in likeness.items() if name != TOPICS or of_cases(each, cases)}, cases)
        for method, likeness in wanted.items()
    }


def leads(found: Mapping[str, float], beside: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return by how much the recaps are ahead of the best extractive method."""
    names = (*ROUGE.values(), "similarity")
    return {f"{name}_lead": found[name] - max(each.get(name, math.nan) for each in beside.values()) for name in names}


def by_sort(cases: Sequence[Case]) -> list[Row]:
    """Return the scores of the prose by language and sort of meeting."""
    rows: list[Row] = []
    for sort, language in sorted({(case["tags"]["sort"], case["tags"]["language"]) for case in cases}):
        inside = [case for case in cases if (case["tags"]["sort"], case["tags"]["language"]) == (sort, language)]
        found = scores(statistics(inside), inside)
        values = {name: "" if math.isnan(found[name]) else found[name] for name in SHOWN}
        rows.append({"sort": sort, "language": language, "meetings": len(inside), **values})
    return rows


def cost(told: Sequence[tuple[Meeting, Made]]) -> Row:
    """Return seconds and tokens for an hour of talk, over the recaps none of whose answers were kept from an earlier run."""
    anew = [(meeting, made) for meeting, made in told if not any(answer.cache_hit for answer in made.calls.answers)]
    hours = sum(meeting.segments[-1].end for meeting, _ in anew if meeting.segments) / 3600
    used = [made.calls.cost for _, made in anew]
    per_hour = {
        "seconds an hour": sum(made.seconds for _, made in anew),
        "input tokens an hour": sum(each["input_tokens"] for each in used),
        "output tokens an hour": sum(each["output_tokens"] for each in used),
    }
    return {
        "what": "full recaps",
        "meetings": len(anew),
        "hours of talk": hours,
        **{name: value / hours if hours else "" for name, value in per_hour.items()},
    }


def _likeness(prefix: str = "") -> dict[str, StatisticSpec]:
    """Statistics of a summary; the names of the scores come without the prefix of their columns."""
    found: dict[str, StatisticSpec] = {name: mean_of(f"{prefix}{name}") for name in (*ROUGE.values(), "similarity")}
    found[TOPICS] = _ratio(f"{prefix}topics_covered", f"{prefix}topics")
    return found


def _ratio(part: str, whole: str) -> StatisticSpec:
    return {"kind": "ratio", "of": (part, whole)}
