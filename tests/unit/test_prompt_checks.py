"""What stops a changed prompt from landing, and what each refusal tells to do."""

import json
from pathlib import Path

import pytest

import prompts
from evals.prompt_scores import record
from prompts.checks import SCORES, problems, score_problems, unused_problems, used
from prompts.lock import LOCK, lock_problems


def test_nothing_stands_against_the_prompts_of_this_repository() -> None:
    assert problems() == ()


def test_changed_words_are_refused_with_the_next_version_to_use(tmp_path: Path) -> None:
    digest = prompts.load("phrase_chapter", "v2").digest
    (tmp_path / "lock").write_text(LOCK.read_text().replace(digest, "0" * 64))

    (problem,) = lock_problems(tmp_path / "lock")

    assert problem.startswith("phrase_chapter v2: words, schema or sampling changed without a new version")
    assert "prompts/phrase_chapter/v3.md" in problem
    assert "`python -m prompts lock`" in problem


def test_a_new_version_that_is_not_recorded_says_how_to_record_it(tmp_path: Path) -> None:
    entries = LOCK.read_text().split("\n[[prompt]]")
    (tmp_path / "lock").write_text("\n[[prompt]]".join(entries[:-1]))

    (problem,) = lock_problems(tmp_path / "lock")

    assert problem == "title_recap v1: not recorded yet. Run `python -m prompts lock` and commit prompts/lock."


def test_a_prompt_that_no_code_loads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "application").mkdir()
    (tmp_path / "application" / "case.py").write_text('first = prompts.load("title_recap")\nname = "phrase_chapter"\n')

    assert used(tmp_path) == {"title_recap"}
    (problem,) = unused_problems(tmp_path)
    assert problem.startswith("phrase_chapter: no code loads it. Delete prompts/phrase_chapter/")


def test_a_version_in_use_without_recorded_scores_is_refused(tmp_path: Path) -> None:
    held = json.loads(SCORES.read_text())
    del held[prompts.load("title_recap").digest]
    (tmp_path / "recap.json").write_text(json.dumps(held))

    (problem,) = score_problems(tmp_path / "recap.json")

    assert problem.startswith("title_recap v1: no evaluation scores are recorded for these words.")
    assert "`python -m evals.prompt_scores`" in problem
    assert len(score_problems(tmp_path / "none.json")) == len(prompts.names())


def test_recording_keeps_the_scores_of_earlier_words(tmp_path: Path) -> None:
    path = tmp_path / "scores" / "recap.json"
    path.parent.mkdir()
    path.write_text('{"0": {"prompt": "title_recap v0", "tier": "fast", "scores": {"rouge_1": 0.1}}}')

    record({"rouge_1": 0.41234567}, "fast", path)

    assert score_problems(path) == ()
    held = json.loads(path.read_text())
    assert held["0"]["scores"] == {"rouge_1": 0.1}
    assert held[prompts.load("title_recap").digest] == {
        "prompt": "title_recap v1",
        "tier": "fast",
        "scores": {"rouge_1": 0.412346},
    }


@pytest.mark.parametrize("scores", [{}, {"rouge_1": float("nan")}])
def test_a_missing_score_is_not_recorded(scores: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no scores to record"):
        record(scores, "fast", tmp_path / "recap.json")
