"""Each thing that can go wrong with a recap turns its suite red: the real scoring, on scripted finders and models.

The spoiled run is held against an honest one by the allowed falls that are committed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from domain.errors import ModelUnavailable
from domain.prompt import RenderedPrompt
from domain.recap import Statement
from domain.transcript import Segment
from evals import baseline as baselines
from evals import recap
from evals.recap_material import drawn, labelled, told
from evals.recap_models import Made, Models
from evals.runner import Outcome, Where, judged
from evals.suite import Result
from evals.thresholds import limits
from tests.evals.scripted_recaps import (
    ScriptedFinder,
    Spoil,
    each_item,
    everything_cited,
    exchanged_kinds,
    joins_the_lines,
    look_alikes_too,
    nothing,
    scripted_models,
    swapped_owners,
    tells_of_the_sea,
)

MEETINGS = labelled()
TOLD = drawn([told(meeting) for meeting in MEETINGS], 1)
KINDS = ("decisions", "actions", "questions")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Where:
    """The committed allowed falls; bounds are for real models, so none here."""
    folder = tmp_path_factory.mktemp("gate")
    known = {name: limit for name, limit in limits("recap", "fast").items() if limit.worse_by is not None}
    sides = {name: ("min", "-inf") if limit.higher_is_better else ("max", "inf") for name, limit in known.items()}
    lines = ["[recap]", *(f'"{side}_{name}" = {bound}' for name, (side, bound) in sides.items())]
    lines += ["[recap.worse_by]", *(f'"{name}" = {limit.worse_by}' for name, limit in known.items())]
    (folder / "thresholds.toml").write_text("\n".join(lines))
    return Where(folder / "thresholds.toml", folder / "baselines")


@pytest.fixture(scope="module")
def honest(where: Where) -> Result:
    """The honest run, accepted as the baseline."""
    result = scored()
    baselines.write("recap", "fast", result, {}, where.baselines)
    return result


def scored(spoil: Spoil | None = None, models: Models | None = None) -> Result:
    models = models or scripted_models(joins_the_lines)
    return recap.run(models=models, items_of=ScriptedFinder(MEETINGS, spoil), meetings=MEETINGS, told=TOLD)


def fallen(result: Result, where: Where) -> set[str]:
    """The scores by which the gate is red."""
    outcome = gate(result, where)
    return {verdict.name for verdict in outcome.verdicts if verdict.failures}


def gate(result: Result, where: Where) -> Outcome:
    return judged("recap", "fast", result, {}, where)


def test_the_honest_finder_stays_green(honest: Result, where: Where) -> None:
    assert gate(honest, where).failures == []
    assert 0.6 < honest["scores"]["decisions_f1"] < 0.9
    # Not 1.0: an item takes the first label that fits, which now and then is a neighbour.
    assert min(honest["scores"]["owner"], honest["scores"]["due"]) > 0.98
    assert honest["scores"]["calibration_error"] < 0.1


def test_a_finder_that_reports_nothing_turns_the_gate_red(honest: Result, where: Where) -> None:
    red = fallen(scored(nothing), where)
    assert {f"{kind}_f1" for kind in KINDS} | {f"{kind}_precision" for kind in KINDS} <= red
    assert {"outcomes_f1/en", "owner", "due", "calibration_error"} <= red


def test_a_finder_that_cites_everything_turns_the_gate_red(honest: Result, where: Where) -> None:
    result = scored(everything_cited)
    assert {f"{kind}_f1" for kind in KINDS} <= fallen(result, where)
    # The longer meetings have more than three times as many turns as any evidence, beside it included.
    assert result["scores"]["decisions_f1"] == 0.0


def test_a_finder_that_reports_look_alikes_turns_the_gate_red(honest: Result, where: Where) -> None:
    result = scored(look_alikes_too)
    assert {"look_alikes_share", "decisions_f1"} <= fallen(result, where)
    assert result["scores"]["look_alikes_share"] > 0.9
    assert result["scores"]["questions_f1"] == honest["scores"]["questions_f1"]


def test_swapped_owners_turn_the_gate_red_and_nothing_else(honest: Result, where: Where) -> None:
    result = scored(swapped_owners)
    assert fallen(result, where) == {"owner"}
    assert result["scores"]["owner"] < 0.1


def test_dates_left_out_turn_the_gate_red_and_nothing_else(honest: Result, where: Where) -> None:
    without = each_item(lambda item: replace(item, due=None) if hasattr(item, "due") else item)
    assert fallen(scored(without), where) == {"due"}


def test_a_finder_that_is_always_sure_turns_the_gate_red_and_nothing_else(honest: Result, where: Where) -> None:
    result = scored(each_item(lambda item: replace(item, confidence=1.0)))
    assert fallen(result, where) == {"calibration_error"}
    assert result["scores"]["calibration_error"] > 0.15


def test_confidences_left_out_count_as_sure(honest: Result, where: Where) -> None:
    assert fallen(scored(each_item(lambda item: replace(item, confidence=None))), where) == {"calibration_error"}


def test_exchanged_kinds_turn_the_gate_red(honest: Result, where: Where) -> None:
    red = fallen(scored(exchanged_kinds), where)
    assert {"decisions_f1", "questions_f1", "wrong_kind_share"} <= red
    assert "actions_f1" not in red


def test_items_that_say_nothing_themselves_turn_the_gate_red(honest: Result, where: Where) -> None:
    red = fallen(scored(each_item(lambda item: replace(item, text="So it is."))), where)
    assert {f"{kind}_own_words_f1" for kind in KINDS} <= red
    assert not {f"{kind}_f1" for kind in KINDS} & red


def test_one_language_that_fails_is_seen(honest: Result, where: Where) -> None:
    red = fallen(scored(lambda meeting, found: nothing(meeting, found) if meeting.language == "en" else found), where)
    assert "outcomes_f1/en" in red
    assert not {"outcomes_f1/de", "outcomes_f1/fr"} & red


def test_a_meeting_that_is_not_looked_at_any_more_turns_the_gate_red(honest: Result, where: Where) -> None:
    result = recap.run(
        models=scripted_models(joins_the_lines), items_of=ScriptedFinder(MEETINGS), meetings=MEETINGS[1:], told=TOLD
    )
    assert f"case items/{MEETINGS[0].id} of the baseline is gone" in gate(result, where).failures


def silent(_prompt: RenderedPrompt) -> ModelUnavailable:
    return ModelUnavailable("gone", None)


@pytest.mark.parametrize("script", [silent, tells_of_the_sea])
def test_a_language_model_that_tells_nothing_of_the_talk_turns_the_gate_red(
    honest: Result, where: Where, script: Callable[[RenderedPrompt], Mapping[str, object] | Exception]
) -> None:
    # What it makes up is replaced by what was said, so the likeness of the summary need not fall: the quotes give it away.
    assert "quoted_share" in fallen(scored(models=scripted_models(script)), where)  # type: ignore[arg-type]


class MakesUp(Models):
    """A recap that vouches for what nobody said."""

    def recap(self, segments: Sequence[Segment], language: str, *more: object, **others: object) -> Made:
        made = Models.recap(self, segments, language)
        told = (Statement("Aliens landed beside the harbour and bought 17 umbrellas.", (0,), 1.0),)
        chapters = tuple(replace(chapter, summary=told) for chapter in made.recap.chapters)
        return replace(made, recap=replace(made.recap, summary=told, key_points=(), chapters=chapters, support=1.0))


def test_a_recap_that_vouches_for_what_nobody_said_turns_the_gate_red(honest: Result, where: Where) -> None:
    honest_models = scripted_models(joins_the_lines)
    models = MakesUp(
        honest_models.language_model, honest_models.embedder, honest_models.item_finder, entailment=honest_models.entailment
    )
    assert {"support_rate", "rouge_1"} <= fallen(scored(models=models), where)
