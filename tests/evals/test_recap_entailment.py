"""The measure of judged statements sees one that believes everything, and one that believes nothing."""

from dataclasses import replace

import pytest

from adapters.scripted import ScriptedEntailmentJudge
from domain.errors import ModelUnavailable
from evals.recap_entailment import GROUPS, KINDS, by_kind, spread, statement_cases, statement_statistics
from evals.scoring import scores
from tests.evals.scripted_recaps import scripted_models
from training.meetings import meetings
from training.statements import statements_of

SOME = [*meetings("tune", real=False)[:3], *meetings("tune", real=True)[:1]]


def judged_as(probability: float) -> dict[str, float]:
    models = replace(scripted_models(), entailment=ScriptedEntailmentJudge(lambda _: probability))
    return scores(statement_statistics(), statement_cases(SOME, models, None))


def test_whoever_believes_everything_is_right_about_the_true_ones_only() -> None:
    found = judged_as(1.0)
    assert (found["entailment/true"], found["entailment/false"]) == (1.0, 0.0)


def test_whoever_believes_nothing_is_right_about_the_false_ones_only() -> None:
    found = judged_as(0.0)
    assert (found["entailment/true"], found["entailment/false"]) == (0.0, 1.0)
    assert all(found[f"entailment/{kind}"] == 1.0 for kind in KINDS[1:])


def test_every_kind_is_counted_in_the_table() -> None:
    models = scripted_models()
    rows = by_kind(statement_cases(SOME, models, None))
    assert [row["kind"] for row in rows] == list(GROUPS)
    assert all(float(str(row["statements"])) > 0 for row in rows)


def test_without_a_judge_nothing_is_measured() -> None:
    with pytest.raises(ModelUnavailable):
        statement_cases(SOME[:1], replace(scripted_models(), entailment=None))


def test_fewer_are_spread_over_all() -> None:
    every = statements_of(SOME[0])
    assert list(spread(every, 4)) == [every[place * len(every) // 4] for place in range(4)]
    assert spread(every, None) == every


def test_the_statements_of_a_meeting_are_the_same_each_time_and_say_what_is_wrong_with_them() -> None:
    first, again = statements_of(SOME[0]), statements_of(SOME[0])
    assert first == again
    for each in first:
        assert each.kind in KINDS
        assert each.premise
        assert not (each.holds and each.changed)
        assert all(0 <= start <= end <= len(each.text) for start, end in each.changed)
