"""Recaps on meetings that nobody tuned for: items and judged statements of all, and the full recaps of some (of all in the full
tier).
"""

from collections.abc import Sequence
from typing import Final

from evals import recap_entailment, recap_items, recap_prose
from evals.fingerprint import Depends
from evals.item_matching import ItemsOf
from evals.ragas_scores import RAGAS, RagasScores
from evals.recap_material import Meeting, labelled, meetings_of
from evals.recap_models import Made, Models, served_models
from evals.scoring import mean_of, scores
from evals.suite import Case, Report, Result, Row, StatisticSpec, Tier, silent
from training.meetings import LabelledMeeting

DEPENDS: Final = Depends(
    models=("language_model", "embedder", "reader"),
    code=(
        "adapters.item_reader",
        "application.recap",
        "evals.extractive",
        "evals.item_matching",
        "evals.recap_entailment",
        "evals.recap_items",
        "evals.recap_material",
        "evals.recap_models",
        "evals.recap_prose",
        "evals.recap_scores",
        "training.meetings",
        "training.statements",
    ),
)


def run(
    tier: Tier = "fast",
    progress: Report = silent,
    models: Models | None = None,
    items_of: ItemsOf | None = None,
    meetings: Sequence[LabelledMeeting] | None = None,
    told: Sequence[Meeting] | None = None,
) -> Result:
    """Score what is found in `meetings` without a language model, and the full recaps of `told`."""
    models = models or served_models()
    meetings = labelled(tier) if meetings is None else meetings
    told = meetings_of(tier) if told is None else told
    total = 2 * len(meetings) + len(told)
    items, seconds = recap_items.item_cases(meetings, items_of or models.items, lambda case, done, _: progress(case, done, total))
    of_each = None if tier == "full" else recap_entailment.OF_EACH
    judged = recap_entailment.statement_cases(
        meetings, models, of_each, lambda case, done, _: progress(case, len(meetings) + done, total)
    )
    made, prose = prose_cases(told, models, tier, lambda case, done, _: progress(case, 2 * len(meetings) + done, total))
    of_prose = recap_prose.statistics(prose) | ({name: mean_of(name) for name in RAGAS} if tier == "full" else {})
    statistics = recap_items.item_statistics(recap_items.languages_of(items)) | of_prose
    statistics |= recap_entailment.statement_statistics()
    found = scores(statistics, [*items, *judged, *prose])
    beside = recap_prose.baselines(prose)
    return {
        "scores": found | recap_prose.leads(found, beside),
        "findings": [],
        "cases": [*items, *judged, *prose],
        "statistics": statistics,
        "baselines": beside,
        "outputs": (*recap_items.OUTPUTS, *recap_entailment.OUTPUTS, *recap_prose.OUTPUTS),
        "tables": {
            "Items by language and kind": recap_items.breakdown(items),
            "Items by language": recap_items.by_language(items),
            "Statements judged, by kind": recap_entailment.by_kind(judged),
            "Full recaps by language": recap_prose.by_sort(prose),
            "Cost": [_cost(meetings, seconds), recap_prose.cost(made)],
        },
        "reliability": recap_items.reliability(items),
    }


def prose_cases(
    meetings: Sequence[Meeting], models: Models, tier: Tier = "fast", progress: Report = silent
) -> tuple[list[tuple[Meeting, Made]], list[Case]]:
    """Make the full recaps and score their prose."""
    judged = RagasScores(models) if tier == "full" else None
    told: list[tuple[Meeting, Made]] = []
    cases: list[Case] = []
    for done, meeting in enumerate(meetings, 1):
        made = models.recap(meeting.segments, meeting.language)
        case = recap_prose.case_of(meeting, made, models)
        if judged is not None:
            extra = judged(meeting.summary, recap_prose.summary_of(made), meeting.language)
            case["scores"] = {**case["scores"], **extra}
        told.append((meeting, made))
        cases.append(case)
        progress(case["id"], done, len(meetings))
    return told, cases


def prose_scores(tier: Tier, progress: Report = silent, models: Models | None = None) -> dict[str, float]:
    """Return the scores that the words of prompts decide: those of the full recaps of a tier."""
    _, cases = prose_cases(meetings_of(tier), models or served_models(), tier, progress)
    statistics: dict[str, StatisticSpec] = recap_prose.statistics(cases)
    found = scores(statistics, cases)
    return found | recap_prose.leads(found, recap_prose.baselines(cases))


def _cost(meetings: Sequence[LabelledMeeting], seconds: float) -> Row:
    hours = sum(meeting.turns[-1].end for meeting in meetings if meeting.turns) / 3600
    per_hour = seconds / hours if hours else ""
    return {"what": "items", "meetings": len(meetings), "hours of talk": hours, "seconds an hour": per_hour}
