"""The recap suite: its meetings, and what the scores of items are made of."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ModelUnavailable
from domain.recap import ActionItem, Statement
from domain.transcript import Segment
from evals.compare_finders import compare, markdown, named
from evals.extractive import METHODS
from evals.gate import judge
from evals.item_matching import FoundItems, match
from evals.recap import prose_scores, run
from evals.recap_items import breakdown, case_of, counts, item_cases, item_statistics, reliability
from evals.recap_material import bundled_meetings, drawn, labelled, told
from evals.recap_models import served_items
from evals.report import html
from evals.runner import Where, judged, record
from evals.scoring import case_value, case_weight, scores
from evals.tables import show
from evals.thresholds import Limits, limits
from tests.evals.scripted_recaps import ScriptedFinder, nothing, scripted_models
from training.meetings import Item, LabelledMeeting, Turn, meetings

OWN = bundled_meetings()
LABELLED = [meeting for meeting in labelled() if meeting.id in ("de-mieterin-balkon", "en-food-bank", "real-icsi-bed004")]
LECTURE = [meeting for meeting in labelled() if meeting.id == "en-barcode-lecture"]
TOLD = [told(meeting) for meeting in LABELLED[:1]]
SEGMENTS = (
    Segment(0, 0, 4, "The printer on the second floor breaks every week.", speaker="Anna"),
    Segment(1, 4, 8, "Then we buy a new printer for 900.", speaker="Ben"),
)
TURNS = tuple(Turn(each.speaker or "", each.start, each.end, each.text) for each in SEGMENTS)


# --- material ---


def test_the_meetings_of_the_gate_are_those_that_nothing_was_learnt_from() -> None:
    gated = {meeting.id for meeting in labelled()}
    assert len(gated) >= 40
    assert not gated & {meeting.id for split in ("train", "tune") for meeting in meetings(split)}
    assert {meeting.real for meeting in labelled()} == {True, False}


def test_the_drawn_meetings_are_of_different_languages_and_the_same_every_time() -> None:
    known = [told(meeting) for meeting in labelled()]
    first = drawn(known)
    assert first == drawn(known)
    assert len({meeting.language for meeting in first}) == len(first) == 3
    assert {meeting.sort for meeting in first} == {"written"}
    assert drawn(known, seed=1) != first


def test_the_bundled_meetings_are_whole() -> None:
    assert {meeting.id for meeting in OWN} == {"launch-review", "bakery-orders", "library-move", "solar-roof"}
    for meeting in OWN:
        assert meeting.summary
        assert [segment.id for segment in meeting.segments] == list(range(len(meeting.segments)))


def test_every_bound_is_of_a_score_that_the_suite_gives() -> None:
    known = labelled()
    languages = {meeting.language for meeting in known if not meeting.real}
    given = run(models=scripted_models(), items_of=ScriptedFinder(known), meetings=known, told=TOLD)["scores"]
    assert set(limits("recap", "fast")) <= set(given)
    assert {f"outcomes_f1/{language}" for language in languages} <= set(limits("recap", "fast"))


# --- the suite ---


def test_the_suite_gives_every_score_case_table_and_three_baselines() -> None:
    seen: list[tuple[str, int, int]] = []

    result = run(
        models=scripted_models(),
        items_of=ScriptedFinder(LABELLED),
        meetings=LABELLED,
        told=TOLD,
        progress=lambda *step: seen.append(step),
    )

    ids = [f"{part}/{meeting.id}" for part in ("items", "statements") for meeting in LABELLED]
    ids += [f"recap/{meeting.id}" for meeting in TOLD]
    assert [case["id"] for case in result["cases"]] == ids
    assert sorted(name for name, _, _ in seen) == sorted(ids)
    assert seen[-1][1:] == (7, 7)
    assert set(result["baselines"]) == set(METHODS)
    assert all(math.isfinite(value) for value in result["scores"].values())
    assert result["scores"]["validity"] == 1.0
    assert result["scores"]["rouge_1_lead"] == pytest.approx(
        result["scores"]["rouge_1"] - max(each["rouge_1"] for each in result["baselines"].values())
    )
    assert set(result["tables"]) == {
        "Items by language and kind", "Items by language", "Statements judged, by kind", "Full recaps by language", "Cost",
    }  # fmt: skip
    assert sum(each["items"] for each in result["reliability"]) == sum(
        c["scores"].get("items_reported", 0) for c in result["cases"]
    )


def test_tables_and_reliability_are_shown_beside_the_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thresholds.toml").write_text("")
    result = run(models=scripted_models(), items_of=ScriptedFinder(LABELLED), meetings=LABELLED, told=TOLD)
    outcome = judged("recap", "fast", result, {}, Where(tmp_path / "thresholds.toml", tmp_path / "baselines"))

    show(outcome)
    page = html(list(record([outcome])["suites"].values()))

    printed = capsys.readouterr().out
    for title in result["tables"]:
        assert title in printed
        assert title in page
    assert page.count("<svg") == page.count("</svg>") == 2
    assert "How sure, and how right" in page
    assert json.dumps(record([outcome]))


def test_the_items_of_the_gate_are_found_without_a_language_model() -> None:
    def refuses(_prompt: object) -> Exception:
        raise AssertionError("asked")

    found = scripted_models(refuses).items(TOLD[0].segments, "de")
    assert (found.decisions, found.action_items, found.open_questions) == ((), (), ())


def test_a_finder_that_fails_fails_the_suite() -> None:
    from adapters.scripted.item_finder import ScriptedItemFinder

    broken = replace(scripted_models(), item_finder=ScriptedItemFinder(failure=ModelUnavailable("gone", None)))
    with pytest.raises(ModelUnavailable):
        broken.items(TOLD[0].segments, "de")


def test_a_model_that_does_not_answer_costs_validity_and_is_seen_by_the_gate() -> None:
    models = scripted_models(lambda prompt: ModelUnavailable("gone", None))
    result = run(models=models, items_of=ScriptedFinder(LABELLED), meetings=LABELLED, told=TOLD)

    assert result["scores"]["validity"] == 0.0
    assert result["scores"]["degraded_share"] == result["scores"]["quoted_share"] == 1.0
    verdicts = {v.name: v for v in judge(result, {"validity": Limits(minimum=0.95), "degraded_share": Limits(maximum=0.5)}, None)}
    assert verdicts["validity"].failures
    assert verdicts["degraded_share"].failures


def test_prompts_are_scored_by_the_prose_alone() -> None:
    found = prose_scores("fast", models=scripted_models())
    assert {"rouge_1", "rouge_1_lead", "support_rate", "quoted_share"} <= set(found)
    assert not {"decisions_f1", "owner"} & set(found)
    assert all(math.isfinite(value) for value in found.values())


# --- items ---


def labelled_with(**parts: Any) -> LabelledMeeting:
    empty = LabelledMeeting("m", "en", False, TURNS, "A new printer is bought.", (), (), (), ())
    return replace(empty, **parts)


def test_counts_are_by_kind_and_together_with_owners_dates_look_alikes_and_wrong_kinds() -> None:
    meeting = labelled_with(
        decisions=(Item("Buy a new printer.", (1,)),),
        tasks=(Item("Buy the printer.", (1,), ("Ben",), "Friday"), Item("Repair the printer.", (0,), ("Anna",))),
        look_alikes=(Item("The printer breaks every week.", (0,)),),
    )
    found = FoundItems(
        decisions=(Statement("So it is.", (1,), 1.0),),
        action_items=(
            ActionItem("Buy the printer.", (1,), 1.0, "ben", "by Friday"),
            ActionItem("Buy.", (1,), 1.0, "Carl", None),
        ),
        open_questions=(Statement("A new printer breaks?", (0,), 1.0),),
    )

    counted = counts(meeting, match(found, meeting))

    assert [counted[f"decisions_{part}"] for part in ("wanted", "reported", "matched", "matched_own")] == [1, 1, 1, 0]
    assert [counted[f"actions_{part}"] for part in ("wanted", "reported", "matched", "matched_own")] == [2, 2, 2, 1]
    assert [counted[f"questions_{part}"] for part in ("wanted", "reported", "matched")] == [0, 1, 0]
    assert [counted[f"items_{part}"] for part in ("wanted", "reported", "matched")] == [3, 4, 3]
    assert [counted[f"outcomes_{part}"] for part in ("wanted", "reported", "matched")] == [3, 3, 3]
    assert (counted["owners_right"], counted["dues_right"]) == (1, 2)
    assert (counted["look_alikes_reported"], counted["look_alikes"], counted["wrong_kinds"]) == (1, 1, 1)


def test_what_is_reported_where_there_is_nothing_costs_precision_and_no_recall() -> None:
    decided = labelled_with(decisions=(Item("Buy a new printer.", (1,)),))
    nothing = labelled_with(id="none")
    report = FoundItems(decisions=(Statement("Buy a new printer.", (1,), 1.0),))
    cases = [case_of(each, match(report, each)) for each in (decided, nothing)]

    found = scores({name: each for name, each in item_statistics(["en"]).items() if name.startswith("decisions_")}, cases)

    assert (found["decisions_precision"], found["decisions_recall"]) == (0.5, 1.0)
    assert found["decisions_f1"] == pytest.approx(2 / 3)


def test_calibration_is_the_distance_of_each_bin_from_its_share_of_right_items() -> None:
    meeting = labelled_with(decisions=(Item("Buy a new printer.", (1,)),))
    sure = [Statement("Buy a new printer.", (1,), 1.0, confidence=each) for each in (0.9, 0.95, 0.2, 1.0)]
    case = case_of(meeting, match(FoundItems(decisions=tuple(sure)), meeting))
    statistic = item_statistics([])["calibration_error"]

    bins = reliability([case])

    assert [(each["items"], each["right"]) for each in bins if each["items"]] == [(1, 0.0), (3, pytest.approx(1 / 3))]
    assert (bins[2]["low"], bins[2]["high"], bins[2]["confidence"]) == (0.2, 0.3, 0.2)
    assert bins[0]["confidence"] is bins[0]["right"] is None
    assert scores({"error": statistic}, [case])["error"] == pytest.approx((0.2 + (0.9 + 0.95 + 1.0 - 1)) / 4)
    assert case_value(statistic, case) == pytest.approx((0.2 + 1.85) / 4)
    assert case_weight(statistic, case) == 4


def test_the_breakdown_has_a_row_for_each_language_and_kind() -> None:
    rows = breakdown(item_cases(LABELLED, ScriptedFinder(LABELLED))[0])
    places = [("written", "de"), ("written", "en"), ("written", "all"), ("real", "all")]
    assert [(row["origin"], row["language"]) for row in rows[::3]] == places
    assert [row["kind"] for row in rows[:3]] == ["decisions", "actions", "questions"]
    (lecture, *_) = breakdown(item_cases(LECTURE, ScriptedFinder(LECTURE))[0])
    assert (lecture["wanted"], lecture["reported"], lecture["recall"], lecture["F1"]) == (0, 0, "", "")


def test_finders_stand_side_by_side_in_one_table() -> None:
    known = [*LABELLED, *LECTURE]
    rows = compare({"first": ScriptedFinder(known), "none": ScriptedFinder(known, nothing)}, known)
    table = markdown(rows).splitlines()
    assert [(row["finder"], row["meetings"]) for row in rows[:4]] == [
        ("first", "all (4)"),
        ("first", "written (3)"),
        ("first", "real (1)"),
        ("none", "all (4)"),
    ]
    assert table[0].startswith(
        "| finder | meetings | decisions P / R / F1 | actions P / R / F1 | questions P / R / F1 | F1 by own words |"
    )
    assert "outcomes F1 de | outcomes F1 en" in table[0]
    assert {line.count("|") for line in table} == {table[0].count("|")}
    assert rows[3]["decisions P / R / F1"] == "- / 0.000 / 0.000"


def test_a_finder_to_compare_is_named_by_its_place() -> None:
    assert named("own=evals.recap_models:served_items") == ("own", served_items)
    with pytest.raises(ValueError, match="is not of the form NAME=MODULE:FUNCTION"):
        named("evals.recap_models")
