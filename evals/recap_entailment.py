"""How well true statements about a meeting are told from false ones: by number, name, order, negation, speaker and more.

The statements are made from the labels of meetings that nobody tuned for (`training/statements.py`). Half of them hold; of what a
small model writes fewer do, so a recap lets in only what is judged with `minimum_entailment`.
"""

from collections.abc import Sequence
from typing import Final

from application.recap.settings import RecapSettings
from domain.entailment import Claim
from domain.finding import Line
from evals.recap_models import Models
from evals.scoring import score
from evals.suite import Case, Report, Row, StatisticSpec, silent
from training.meetings import LabelledMeeting
from training.statements import LabelledStatement, statements_of

PREFIX: Final = "statements/"
OF_EACH: Final = 16
"""Statements of a meeting that are looked at, evenly spread; the full tier looks at all."""
CALL_CLAIMS: Final = 16
KINDS: Final = ("true", "number", "name", "order", "negation", "modality", "speaker", "added", "elsewhere")
GROUPS: Final = {kind: (kind,) for kind in KINDS} | {"false": KINDS[1:]}
PROBABLE: Final = 0.5
"""Probability from which a statement is judged to hold."""
OUTPUTS: Final = ("misjudged",)


def statement_cases(
    meetings: Sequence[LabelledMeeting], models: Models, of_each: int | None = OF_EACH, report: Report = silent
) -> list[Case]:
    """Judge the statements of each meeting; one case a meeting."""
    cases: list[Case] = []
    for done, meeting in enumerate(meetings, 1):
        statements = spread(statements_of(meeting), of_each)
        cases.append(case_of(meeting, statements, judged(statements, models)))
        report(f"{PREFIX}{meeting.id}", done, len(meetings))
    return cases


def spread(statements: Sequence[LabelledStatement], count: int | None) -> Sequence[LabelledStatement]:
    """Return `count` of the statements, evenly spread over all; all of them for None, or when there are no more."""
    if count is None or len(statements) <= count:
        return statements
    return [statements[index * len(statements) // count] for index in range(count)]


def judged(statements: Sequence[LabelledStatement], models: Models) -> list[float]:
    """Return the probability of each statement, on the production path."""
    claims = [Claim(tuple(Line(who or None, said) for who, said in each.premise), each.text) for each in statements]
    found: list[float] = []
    for first in range(0, len(claims), CALL_CLAIMS):
        found += models.judgements(claims[first : first + CALL_CLAIMS])
    return found


def case_of(meeting: LabelledMeeting, statements: Sequence[LabelledStatement], found: Sequence[float]) -> Case:
    """Count what was judged rightly, by kind, and what a recap would let in."""
    least, scores = RecapSettings().minimum_entailment, dict[str, float]()
    let_in = [each.holds for each, probability in zip(statements, found, strict=True) if probability >= least]
    scores |= {"let_in": float(len(let_in)), "let_in_rightly": float(sum(let_in))}
    right = [(probability >= PROBABLE) == each.holds for each, probability in zip(statements, found, strict=True)]
    for kind, kinds in GROUPS.items():
        of_kind = [hit for each, hit in zip(statements, right, strict=True) if each.kind in kinds]
        scores |= {f"{kind}_asked": float(len(of_kind)), f"{kind}_right": float(sum(of_kind))}
    wrong = [
        f"{each.kind} {probability:.2f}: {each.text}"
        for each, probability, hit in zip(statements, found, right, strict=True)
        if not hit
    ]
    tags = {"language": meeting.language, "origin": "real" if meeting.real else "written"}
    return {"id": f"{PREFIX}{meeting.id}", "scores": scores, "texts": {"misjudged": "\n".join(wrong)}, "tags": tags}


def statement_statistics() -> dict[str, StatisticSpec]:
    """Shares judged rightly: of the true, of all false ones, and of each kind of these; and of what is let in, what holds."""
    let_in: StatisticSpec = {"kind": "ratio", "of": ("let_in_rightly", "let_in")}
    return {f"entailment/{group}": _ratio(group) for group in GROUPS} | {"entailment/let_in": let_in}


def by_kind(cases: Sequence[Case]) -> list[Row]:
    """One row a kind: how many, and the share judged rightly."""
    return [
        {
            "kind": kind,
            "statements": score({"kind": "sum", "of": (f"{kind}_asked",)}, cases),
            "judged rightly": score(_ratio(kind), cases),
        }
        for kind in GROUPS
    ]


def _ratio(group: str) -> StatisticSpec:
    return {"kind": "ratio", "of": (f"{group}_right", f"{group}_asked")}
