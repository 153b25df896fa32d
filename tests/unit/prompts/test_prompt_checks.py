"""What stops a changed prompt from landing, and what each refusal tells to do."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import prompts
from evals.prompt_scores import record
from prompts.checks import problems, score_problems, translation_problems, unused_problems, used
from prompts.library import in_use
from prompts.lock import lock_problems, write_lock

NAME = "write_summary"


def test_nothing_stands_against_the_prompts_of_this_repository() -> None:
    assert problems() == ()


def test_changed_words_are_refused_with_the_next_version_to_use(tmp_path: Path) -> None:
    newest = prompts.load(NAME)
    write_lock(tmp_path / "lock")
    (tmp_path / "lock").write_text((tmp_path / "lock").read_text().replace(newest.digest, "0" * 64))

    (problem,) = lock_problems(tmp_path / "lock")

    assert problem.startswith(f"{NAME} {newest.version}: words, schema or sampling changed without a new version")
    assert f"prompts/{NAME}/v{int(newest.version[1:]) + 1}.md" in problem
    assert "`python -m prompts lock`" in problem


def test_a_new_version_that_is_not_recorded_says_how_to_record_it(tmp_path: Path) -> None:
    newest = prompts.load(NAME)
    write_lock(tmp_path / "lock")
    entry = f'[[prompt]]\nname = "{NAME}"\nversion = "{newest.version}"\ndigest = "{newest.digest}"\n'
    words = (tmp_path / "lock").read_text()
    assert entry in words
    (tmp_path / "lock").write_text(words.replace(entry, ""))

    (problem,) = lock_problems(tmp_path / "lock")

    assert problem == f"{NAME} {newest.version}: not recorded yet. Run `python -m prompts lock` and commit prompts/lock."


def test_a_prompt_that_no_code_loads_is_refused(tmp_path: Path) -> None:
    first, *others = prompts.names()
    (tmp_path / "application").mkdir()
    loads = "".join(f'prompts.load("{name}")\n' for name in others)
    (tmp_path / "application" / "case.py").write_text(f'{loads}name = "{first}"\n')

    assert used(tmp_path) == set(others)
    (problem,) = unused_problems(tmp_path)
    assert problem.startswith(f"{first}: no code loads it. Delete prompts/{first}/")


def test_a_translation_that_asks_for_another_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def hotter(name: str, version: str) -> prompts.Prompt:
        prompt = prompts.load(name, version)
        return replace(prompt, sampling=replace(prompt.sampling, temperature=0.7)) if version.endswith(".fr") else prompt

    assert translation_problems() == ()
    monkeypatch.setattr("prompts.checks.load", hotter)

    refused = translation_problems()

    assert [problem.split(":")[0] for problem in refused] == ["write_chapter v1.fr", "write_summary v2.fr"]
    assert "until only its words differ" in refused[0]


def test_a_version_in_use_without_recorded_scores_is_refused(tmp_path: Path) -> None:
    record({"rouge_1": 0.4}, "fast", tmp_path / "recap.json")
    held = json.loads((tmp_path / "recap.json").read_text())
    newest = prompts.load(NAME)
    del held[newest.digest]
    (tmp_path / "recap.json").write_text(json.dumps(held))

    (problem,) = score_problems(tmp_path / "recap.json")

    assert problem.startswith(f"{NAME} {newest.version}: no evaluation scores are recorded for these words.")
    assert "`python -m evals.prompt_scores`" in problem
    assert len(score_problems(tmp_path / "none.json")) == sum(len(in_use(name)) for name in prompts.names())


def test_recording_keeps_the_scores_of_earlier_words(tmp_path: Path) -> None:
    path = tmp_path / "scores" / "recap.json"
    path.parent.mkdir()
    path.write_text('{"0": {"prompt": "write_summary v0", "tier": "fast", "scores": {"rouge_1": 0.1}}}')

    record({"rouge_1": 0.41234567}, "fast", path)

    assert score_problems(path) == ()
    held = json.loads(path.read_text())
    assert held["0"]["scores"] == {"rouge_1": 0.1}
    assert held[prompts.load(NAME).digest] == {
        "prompt": f"{NAME} {prompts.load(NAME).version}",
        "tier": "fast",
        "scores": {"rouge_1": 0.412346},
    }


@pytest.mark.parametrize("scores", [{}, {"rouge_1": float("nan")}])
def test_a_missing_score_is_not_recorded(scores: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no scores to record"):
        record(scores, "fast", tmp_path / "recap.json")
