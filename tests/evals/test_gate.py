"""The gate: what is out of bounds, missing, or fell too far turns it red, and it names the cases that moved."""

import json
import math
import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from evals import baseline as baselines
from evals.fingerprint import changed_parts, fingerprint
from evals.report import html
from evals.runner import Outcome, Where, judged, record, run
from evals.scoring import interval, mean_of, paired_change, score
from evals.suite import Result
from evals.tables import show
from evals.thresholds import limits
from tests.evals.scripted_suite import result

HONEST = {f"case {place}": 1.0 if place % 4 else 0.5 for place in range(40)}
LIMITS = "[scripted]\nmin_right = 0.5\n[scripted.worse_by]\nright = 0.02\n"


@pytest.fixture
def where(tmp_path: Path) -> Where:
    (tmp_path / "thresholds.toml").write_text(LIMITS)
    return Where(tmp_path / "thresholds.toml", tmp_path / "baselines")


@pytest.fixture
def accepted(where: Where) -> Where:
    baselines.write("scripted", "fast", result(HONEST, dict.fromkeys(HONEST, "as it was")), {}, where.baselines)
    return where


def gate(scored: Result, where: Where) -> Outcome:
    return judged("scripted", "fast", scored, {}, where)


def test_the_same_scores_stand(accepted: Where) -> None:
    assert gate(result(HONEST), accepted).failures == []


def test_a_score_below_its_floor_fails(accepted: Where) -> None:
    outcome = gate(result(dict.fromkeys(HONEST, 0.4)), accepted)
    assert "right is 0.4, at least 0.5 is asked for" in outcome.failures
    assert outcome.unacceptable


@pytest.mark.parametrize("value", [math.nan, math.inf, None], ids=str)
def test_a_score_that_is_no_number_fails(accepted: Where, value: float) -> None:
    outcome = gate({**result(HONEST), "scores": {"right": value}}, accepted)
    assert "right is missing" in outcome.failures
    assert outcome.unacceptable


def test_a_score_that_a_limit_names_and_the_suite_does_not_give_fails(accepted: Where) -> None:
    assert "right is missing" in gate({"scores": {"other": 1.0}, "findings": []}, accepted).failures


def test_a_score_that_only_the_baseline_had_fails(accepted: Where) -> None:
    accepted.thresholds.write_text("")
    assert "right is missing" in gate({"scores": {"other": 1.0}, "findings": []}, accepted).failures


def test_a_case_that_is_not_a_number_fails(accepted: Where) -> None:
    scored = result(HONEST)
    scored["cases"][3]["scores"]["right"] = math.nan  # type: ignore[index]
    assert "case 3 right is not a number" in gate(scored, accepted).failures


def test_a_case_that_is_gone_fails(accepted: Where) -> None:
    fewer = {name: value for name, value in HONEST.items() if name != "case 8"}
    assert "case case 8 of the baseline is gone" in gate(result(fewer), accepted).failures


def test_a_finding_of_the_suite_fails(accepted: Where) -> None:
    assert "leaked" in gate({**result(HONEST), "findings": ["leaked"]}, accepted).failures


def test_a_fall_fails_and_names_the_cases_that_moved_before_and_after(accepted: Where) -> None:
    worse = {**HONEST, "case 1": 0.0, "case 2": 0.6, "case 4": 0.6}
    outcome = gate(result(worse, {"case 1": "as it is"}), accepted)
    (verdict,) = outcome.verdicts
    assert outcome.failures[0].startswith("right changed by -0.0325")
    assert not outcome.unacceptable
    assert [(moved.id, moved.worse) for moved in verdict.moved] == [("case 1", True), ("case 2", True), ("case 4", False)]
    assert verdict.moved[0].texts == {"answer": ("as it was", "as it is")}


def test_a_fall_within_what_is_allowed_stands(accepted: Where) -> None:
    assert gate(result({**HONEST, "case 1": 0.3}), accepted).failures == []


def test_a_small_fall_of_every_case_alike_fails_and_the_same_fall_of_one_case_stands(accepted: Where) -> None:
    steady = {name: value - 0.015 for name, value in HONEST.items()}
    (failure,) = gate(result(steady), accepted).failures
    assert failure.endswith("the whole interval is more than 0.01 worse, so it is no chance")
    assert gate(result({**HONEST, "case 1": 0.4}), accepted).failures == []
    slight = {name: value - 0.009 for name, value in HONEST.items()}
    assert gate(result(slight), accepted).failures == []


def test_a_small_steady_rise_of_an_error_fails_too(accepted: Where) -> None:
    accepted.thresholds.write_text("[scripted]\nmax_right = 1.1\n[scripted.worse_by]\nright = 0.02\n")
    worse = {name: value + 0.015 for name, value in HONEST.items()}
    assert len(gate(result(worse), accepted).failures) == 1
    assert gate(result({name: value - 0.015 for name, value in HONEST.items()}), accepted).failures == []


def test_a_table_that_is_piped_is_not_cut(accepted: Where, capsys: pytest.CaptureFixture[str]) -> None:
    show(gate(result({name: value - 0.015 for name, value in HONEST.items()}), accepted))
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert "-0.015 to -0.015" in printed


def test_a_limit_on_falls_needs_a_baseline(where: Where) -> None:
    assert gate(result(HONEST), where).failures == ["right has no baseline; accept one with --accept-baseline"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[scripted]\nat_least = 1\n", "at_least"),
        ('[scripted]\nmin_right = "high"\n', "min_right"),
        ("[scripted.worse_by]\nright = 1\n", "which way"),
    ],
    ids=["an unknown key", "no number", "a fall without a direction"],
)
def test_thresholds_that_can_not_be_read_are_refused(where: Where, text: str, message: str) -> None:
    where.thresholds.write_text(text)
    with pytest.raises(ValueError, match=message):
        limits("scripted", "fast", where.thresholds)


def test_a_tier_has_bounds_of_its_own_beside_the_common_ones(where: Where) -> None:
    where.thresholds.write_text("[s]\nmin_a = 1\nmax_b = 2\n[s.full]\nmin_a = 3\n[s.full.worse_by]\na = 0.5\n")
    fast, full = limits("s", "fast", where.thresholds), limits("s", "full", where.thresholds)
    assert (fast["a"].minimum, fast["a"].worse_by, fast["b"].maximum) == (1, None, 2)
    assert (full["a"].minimum, full["a"].worse_by, full["b"].maximum) == (3, 0.5, 2)


def test_the_paired_interval_of_a_steady_change_is_narrow_where_the_scores_vary_widely() -> None:
    statistic = mean_of("right")
    before = result({str(place): float(place) for place in range(40)})["cases"]
    now = result({str(place): place - 0.5 for place in range(40)})["cases"]
    low, high = interval(statistic, before)
    assert low < score(statistic, before) < high
    assert high - low > 5
    change, (least, most) = paired_change(statistic, before, now)
    assert change == least == most == -0.5


def test_a_correlation_of_ranks_is_one_for_the_same_order_and_missing_for_a_constant() -> None:
    def cases(second: list[float]) -> Result:
        rows = [{"id": str(place), "scores": {"a": place**3, "b": value}} for place, value in enumerate(second)]
        return {"scores": {}, "findings": [], "cases": rows}  # type: ignore[typeddict-item]

    same, constant = cases([1, 2, 5, 9]), cases([1, 1, 1, 1])
    assert score({"kind": "spearman", "of": ("a", "b")}, same["cases"]) == pytest.approx(1.0)
    assert math.isnan(score({"kind": "spearman", "of": ("a", "b")}, constant["cases"]))


def entry(function: str) -> dict[str, EntryPoint]:
    return {"scripted": EntryPoint("scripted", f"tests.evals.scripted_suite:{function}", "wordloop.evals")}


def test_a_run_is_red_without_a_baseline_and_green_with_the_one_it_accepted(where: Where) -> None:
    assert run(entry("stands"), tier="fast", where=where) == 1
    assert run(entry("stands"), tier="fast", where=where, accept_baseline=True) == 0
    assert run(entry("stands"), tier="fast", where=where) == 0


def test_a_run_below_its_floor_is_not_accepted(where: Where) -> None:
    where.thresholds.write_text("[scripted]\nmin_right = 0.99\n")
    assert run(entry("stands"), tier="fast", where=where, accept_baseline=True) == 1
    assert not where.baselines.exists()


def test_a_suite_that_raises_is_red_and_says_so(where: Where, tmp_path: Path) -> None:
    assert run(entry("raises"), tier="fast", where=where, json_file=tmp_path / "record.json") == 1
    written = json.loads((tmp_path / "record.json").read_text())
    assert written["passed"] is False
    assert written["suites"]["scripted"]["failures"][0] == "the suite ended with ZeroDivisionError: no luck"


def test_the_full_tier_runs_again_only_when_what_it_rests_on_has_changed(where: Where, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    run(entry("stands"), tier="full", where=where, accept_baseline=True)
    run(entry("stands"), tier="full", where=where, if_changed=True, json_file=file)
    assert json.loads(file.read_text())["suites"] == {}

    stored = json.loads((where.baselines / "scripted.json").read_text())
    stored["full"]["fingerprint"]["engines"] = "of last year"
    (where.baselines / "scripted.json").write_text(json.dumps(stored))
    run(entry("stands"), tier="full", where=where, if_changed=True, json_file=file)
    assert json.loads(file.read_text())["suites"]["scripted"]["full_tier_due"] == ["engines"]


def test_a_fingerprint_holds_the_parts_that_a_suite_rests_on() -> None:
    speech, all_parts = fingerprint("evals.transcription"), fingerprint("evals.suite")
    assert "prompts" not in speech
    assert "prompts" in all_parts
    assert changed_parts(speech, fingerprint("evals.transcription")) == []
    assert set(changed_parts(speech, fingerprint("evals.embedding"))) == {"code", "engines", "models", "parameters"}


def test_the_report_needs_nothing_from_outside_and_shows_texts_as_text(accepted: Where) -> None:
    outcome = gate(result({**HONEST, "case 1": 0.0, "case 2": 0.0}, {"case 1": "<script>alert(1)</script>"}), accepted)
    page = html([record([outcome])["suites"]["scripted"]])
    assert not re.search(r"<script|<link|<img|url\(|https?://(?!www\.w3\.org/2000/svg)", page)
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<svg") == page.count("</svg>") == 2
