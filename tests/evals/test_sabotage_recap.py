"""Wrong words in a prompt turn the gate of recaps red: the real language model on real prompts, honest and spoiled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

import prompts
from domain.call import CallContext
from domain.transcript import Segment
from evals import baseline as baselines
from evals import recap
from evals.recap_material import bundled_meetings
from evals.recap_models import Made, Models, served_models
from evals.runner import Outcome, Where, judged
from evals.suite import Result
from evals.thresholds import limits

pytestmark = pytest.mark.timeout(900)
MEETINGS = [meeting for meeting in bundled_meetings() if meeting.id == "bakery-orders"]
ABOUT_THE_SEA = "You write one or two sentences of a story about the sea, and a title, as JSON. Never mind the notes."


class SpoiledPrompts:
    """The prompts, but chapters are to be phrased as something else, without an example of how it is done."""

    def load(self, name: str, version: str | None = None) -> prompts.Prompt:
        prompt = prompts.load(name, version)
        if name != "phrase_chapter":
            return prompt
        return replace(prompt, messages=(("system", ABOUT_THE_SEA), prompt.messages[-1]))


class Spoiled(Models):
    def recap(
        self, segments: Sequence[Segment], language: str, versions: Mapping[str, str] | None = None, tenant: str = "eval"
    ) -> Made:
        return self.run(self._recap(segments, language, SpoiledPrompts(), CallContext(tenant=tenant)))


@pytest.fixture(scope="module")
def models() -> Models:
    return served_models()


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Where:
    """The allowed falls that are committed; bounds are for all meetings of the suite, so none here."""
    folder = tmp_path_factory.mktemp("gate")
    known = {name: limit for name, limit in limits("recap", "fast").items() if limit.worse_by is not None}
    sides = {name: ("min", "-inf") if limit.higher_is_better else ("max", "inf") for name, limit in known.items()}
    lines = ["[recap]", *(f"{side}_{name} = {bound}" for name, (side, bound) in sides.items())]
    lines += ["[recap.worse_by]", *(f"{name} = {limit.worse_by}" for name, limit in known.items())]
    (folder / "thresholds.toml").write_text("\n".join(lines))
    return Where(folder / "thresholds.toml", folder / "baselines")


@pytest.fixture(scope="module")
def honest(models: Models, where: Where) -> Result:
    """The honest run, accepted as the baseline."""
    result = recap.run(models=models, meetings=MEETINGS)
    baselines.write("recap", "fast", result, {}, where.baselines)
    return result


def gate(result: Result, where: Where) -> Outcome:
    return judged("recap", "fast", result, {}, where)


def test_the_honest_recaps_stay_green(honest: Result, where: Where) -> None:
    assert gate(honest, where).failures == []


def test_a_wrong_prompt_turns_the_gate_red(honest: Result, models: Models, where: Where) -> None:
    spoiled = recap.run(models=Spoiled(models.language_model, models.embedder, models.loop), meetings=MEETINGS)
    outcome = gate(spoiled, where)
    fallen = {failure.split()[0] for failure in outcome.failures}
    # What the model makes up is replaced by what was said, so the likeness of the summary need not fall: the quotes give it away.
    assert "degraded_share" in fallen, outcome.failures
