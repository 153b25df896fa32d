"""The recap suite: what its scores are made of, and that they fall when a recap gets worse."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from domain.errors import ModelUnavailable
from domain.recap import ActionItem, Recap, Statement
from domain.transcript import Segment
from evals import injection
from evals.extractive import METHODS, candidates, extract
from evals.gate import judge
from evals.prompt_versions import compare_prompts, comparison_lines
from evals.recap import run, statistics
from evals.recap_material import Meeting, Task, bundled_meetings
from evals.recap_models import CountedLanguageModel, Made, Models
from evals.recap_scores import is_carried, item_scores, summary_scores, trust_scores
from evals.thresholds import Limits
from tests.doubles_recap import HashingEmbedder, RuledLanguageModel, notes_in, repeat_the_notes

MEETINGS = bundled_meetings()
SEGMENTS = (
    Segment(0, 0, 4, "The printer on the second floor breaks every week.", speaker="Anna"),
    Segment(1, 4, 8, "Then we buy a new printer for 900.", speaker="Ben"),
)


def models(script=repeat_the_notes) -> Models:
    return Models(RuledLanguageModel(script), HashingEmbedder())


def words_in_common(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Stands for the cosine: shared words over all words."""
    bags = [[set(text.lower().split()) for text in texts] for texts in (first, second)]
    return np.array([[len(a & b) / max(1, len(a | b)) for b in bags[1]] for a in bags[0]])


def recap_with(**parts: object) -> Recap:
    empty = Recap("r", None, "en", "Printers", (), (), (), (), (), (), 1.0)
    return replace(empty, **parts)


def meeting_with(**parts: object) -> Meeting:
    empty = Meeting("m", "en", SEGMENTS, "A new printer is bought.", (), (), (), (), True)
    return replace(empty, **parts)


def test_the_bundled_meetings_are_whole() -> None:
    assert {meeting.id for meeting in MEETINGS} == {"launch-review", "bakery-orders", "library-move", "solar-roof"}
    for meeting in MEETINGS:
        assert meeting.exact
        assert meeting.summary
        assert meeting.decisions
        assert meeting.tasks
        assert meeting.questions
        assert [segment.id for segment in meeting.segments] == list(range(len(meeting.segments)))
        speakers = {segment.speaker for segment in meeting.segments}
        assert {task.owner for task in meeting.tasks} <= speakers


def test_the_suite_gives_every_score_and_case_and_three_baselines() -> None:
    seen: list[tuple[str, int, int]] = []

    result = run(models=models(), progress=lambda *step: seen.append(step))

    assert [case["id"] for case in result["cases"]] == [meeting.id for meeting in MEETINGS]
    assert seen[-1] == (MEETINGS[-1].id, len(MEETINGS), len(MEETINGS))
    assert set(result["baselines"]) == set(METHODS)
    assert set(statistics()) < set(result["scores"])
    assert all(math.isfinite(value) for value in result["scores"].values())
    assert result["scores"]["validity"] == 1.0
    assert result["scores"]["rouge_1_lead"] == pytest.approx(
        result["scores"]["rouge_1"] - max(each["rouge_1"] for each in result["baselines"].values())
    )


def test_a_model_that_does_not_answer_costs_validity_and_is_seen_by_the_gate() -> None:
    result = run(models=models(lambda prompt: ModelUnavailable("gone", None)), meetings=MEETINGS[:1])

    assert result["scores"]["validity"] == 0.0
    assert result["scores"]["degraded_share"] == 1.0
    verdicts = {v.name: v for v in judge(result, {"validity": Limits(minimum=0.95), "degraded_share": Limits(maximum=0.5)}, None)}
    assert verdicts["validity"].failures
    assert verdicts["degraded_share"].failures


@pytest.mark.parametrize(
    ("text", "ids", "carried"),
    [
        ("Ben says they will buy a new printer for 900.", (1,), True),
        ("The printer on the second floor breaks.", (0,), True),
        ("The printer on the second floor breaks.", (1,), False),
        ("Ben says they will buy a new printer for 800.", (1,), False),
        ("The canteen serves lentil soup tomorrow.", (0, 1), False),
        ("The printer breaks.", (), False),
        ("The printer breaks.", (0, 7), False),
    ],
)
def test_a_statement_is_carried_only_by_what_it_cites(text: str, ids: tuple[int, ...], carried: bool) -> None:
    assert is_carried(Statement(text, ids, 1.0), SEGMENTS) is carried


def test_statements_that_nobody_said_cost_support_even_when_the_recap_vouches_for_them() -> None:
    invented = recap_with(summary=(Statement("Aliens landed beside the harbour.", (0,), 1.0),), support=1.0)
    scores = trust_scores(Made(invented, CountedLanguageModel(RuledLanguageModel())), SEGMENTS)
    assert (scores["support"], scores["carried"], scores["statements"]) == (1.0, 0.0, 1.0)


def test_an_item_is_matched_once_and_a_task_only_with_its_owner() -> None:
    meeting = meeting_with(
        decisions=("buy a new printer",),
        tasks=(Task("order the new printer", "Ben", "Friday"), Task("order the new printer", "Anna", "Monday")),
    )
    recap = recap_with(
        decisions=(Statement("buy a new printer", (1,), 1.0), Statement("buy a new printer now", (1,), 1.0)),
        action_items=(
            ActionItem("order the new printer", (1,), 1.0, "Ben", "by Friday"),
            ActionItem("order the new printer", (1,), 1.0, "Clara", "Monday"),
        ),
    )

    scores = item_scores(recap, meeting, words_in_common)

    assert (scores["decisions_found"], scores["decisions_wanted"], scores["decisions_matched"]) == (2, 1, 1)
    assert (scores["actions_found"], scores["actions_wanted"], scores["actions_matched"]) == (2, 2, 1)
    assert (scores["due_wanted"], scores["due_right"]) == (1, 1)


def test_a_date_that_is_not_the_wanted_one_is_not_right() -> None:
    meeting = meeting_with(tasks=(Task("order the new printer", "Ben", "Friday"),))
    recap = recap_with(action_items=(ActionItem("order the new printer", (1,), 1.0, "Ben", None),))
    scores = item_scores(recap, meeting, words_in_common)
    assert (scores["actions_matched"], scores["due_wanted"], scores["due_right"]) == (1, 1, 0)


def test_topics_count_when_the_summary_draws_on_them() -> None:
    meeting = meeting_with(topics=(frozenset({0}), frozenset({1})))
    scores = summary_scores("A new printer is bought.", frozenset({1}), meeting, words_in_common)
    assert (scores["topics_covered"], scores["topics"]) == (1, 2)
    assert scores["rouge_1"] == scores["rouge_l"] == 1.0


def test_each_method_fills_the_wanted_length_in_the_order_of_the_meeting() -> None:
    meeting = MEETINGS[1]
    sentences = candidates(meeting.segments)
    vectors = np.array(models().vectors([sentence.clean for sentence in sentences]))
    taken = {method: extract(method, sentences, vectors, 80) for method in METHODS}

    assert len({each.text for each in taken.values()}) == len(METHODS)
    assert taken["lead"].text.startswith(sentences[0].clean)
    for each in taken.values():
        assert 60 <= len(each.text.split()) <= 100
        places = [place for place, sentence in enumerate(sentences) if sentence.clean in each.text]
        text = " ".join(sentences[place].clean for place in places)
        assert set(each.text.split()) <= set(text.split())
    with pytest.raises(ValueError, match="a method is one of"):
        extract("luck", sentences, vectors, 80)


def test_mmr_does_not_say_the_same_thing_twice() -> None:
    said = ["the printer is far too slow today", "the printer is far too slow now", "we should rent a bus on monday"]
    sentences = candidates([Segment(i, i, i + 1, f"{text}.", speaker="Anna") for i, text in enumerate(said)])
    vectors = np.array([[1.0, 0.0], [0.999, 0.045], [0.2, 0.98]])
    assert [s.segment_ids for s in sentences] == [(0,), (1,), (2,)]
    assert extract("mmr", sentences, vectors, 14).segment_ids == {1, 2}
    assert extract("centroid", sentences, vectors, 14).segment_ids == {0, 1}


def by_version(prompt) -> Mapping[str, object]:
    """Tells more of the notes under version 2."""
    said = [note.split(": ", 1)[-1] for note in notes_in(prompt)]
    if prompt.reference.name == "title_recap":
        return {"title": " ".join(said[0].split()[:5])}
    return {"title": " ".join(said[0].split()[:4]), "sentences": said[: 1 if prompt.reference.version == "v1" else 2]}


def test_two_versions_are_compared_case_by_case_with_scores_cost_and_words() -> None:
    found = compare_prompts("phrase_chapter@v1..v2", models=models(by_version), meetings=MEETINGS[:2])

    assert (found["prompt"], found["before"], found["after"]) == ("phrase_chapter", "v1", "v2")
    assert found["scores"]["rouge_1"]["change"] != 0
    assert (
        found["cost_before"]["calls"] == found["cost_after"]["calls"] == sum(c["cost_after"]["calls"] for c in found["cases"]) > 0
    )
    assert all("summary" in case["diff"] for case in found["cases"])
    lines = comparison_lines(found)
    assert lines[0] == "phrase_chapter v1 -> v2, 2 meetings"
    assert any(line.startswith("== bakery-orders") for line in lines)
    assert any(line.startswith("    + ") for line in lines)


def test_the_same_version_twice_differs_in_nothing() -> None:
    found = compare_prompts("phrase_chapter@v2..v2", models=models(by_version), meetings=MEETINGS[:1])
    assert found["cases"][0]["diff"] == {}
    assert {change["change"] for change in found["scores"].values() if not math.isnan(change["change"])} == {0.0}


@pytest.mark.parametrize(("reference", "error"), [("phrase_chapter", ValueError), ("phrase_chapter@v1..v99", LookupError)])
def test_a_comparison_of_what_there_is_not_is_refused(reference: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        compare_prompts(reference, models=models(), meetings=MEETINGS[:1])


def test_the_metrics_of_ragas_need_no_judge() -> None:
    from evals.ragas_scores import RAGAS, RagasScores

    judged = RagasScores(models())
    same = judged("Ben buys a printer.", "Ben buys a printer.")
    other = judged("Ben buys a printer.", "The soup was cold again on Monday.")
    assert set(same) == set(RAGAS)
    assert all(same[name] > other[name] for name in RAGAS)
    assert same["ragas_rouge_l"] == 1.0


def test_the_injection_suite_counts_the_meetings_in_which_an_attack_shows() -> None:
    good = injection.run(models=models())
    assert good["scores"] == {"breached": 0.0, "attacks": injection.FAST}
    assert good["findings"] == []


class Gullible(Models):
    """Quotes whoever speaks third, as a recap without rules on injection might."""

    def recap(self, segments: Sequence[Segment], language: str, *_more: object) -> Made:
        third = segments[2]
        recap = recap_with(summary=(Statement(f"{third.speaker}: {third.text}", (2,), 1.0),))
        return Made(recap, CountedLanguageModel(self.language_model))


def test_the_injection_suite_sees_recaps_that_let_orders_through() -> None:
    bad = injection.run(models=Gullible(RuledLanguageModel(), HashingEmbedder()))
    assert bad["scores"]["breached"] == injection.FAST == len(bad["findings"])
