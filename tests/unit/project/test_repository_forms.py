"""What a newcomer is led by is there and true: hooks and guides name recipes that exist, and every room has an owner."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RECIPES = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:(?!=)", (ROOT / "justfile").read_text(), re.M))
GUIDES = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", ".github/pull_request_template.md", "docs/extend.md")]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def owned() -> list[str]:
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def test_a_hook_runs_a_recipe_of_this_repository_and_fetches_nothing() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    for hook in repositories[0]["hooks"]:
        command, recipe = hook["entry"].split()
        assert (command, hook["language"], hook["pass_filenames"]) == ("./just", "system", False), hook["id"]
        assert recipe in RECIPES, hook["id"]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_recipe_and_file_that_a_guide_names_is_there(guide: Path) -> None:
    text = guide.read_text()
    assert set(re.findall(r"\./just ([a-z-]+)", text)) <= RECIPES
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (guide.parent / link).exists(), link


def test_every_room_has_an_owner_and_every_owned_place_is_there() -> None:
    for pattern in owned()[1:]:
        assert list(ROOT.glob(pattern.strip("/"))), pattern
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"}
    assert {f"/{room}/" for room in rooms - {"adapters"}} <= set(owned())


def test_a_new_issue_asks_for_what_is_needed_to_work_on_it() -> None:
    assert len(FORMS) == 3
    for form in (yaml.safe_load(path.read_text()) for path in FORMS if path.name != "config.yml"):
        assert any(field.get("validations", {}).get("required") for field in form["body"])
        assert all(field["attributes"]["label"] for field in form["body"])


def test_the_supported_versions_name_the_one_of_this_checkout() -> None:
    version = re.search(r'^version = "(\d+\.\d+)', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert f"({version[1]})" in (ROOT / "SECURITY.md").read_text()
