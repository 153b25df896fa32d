"""What docs/operate.md tells to type, to set and to look at is there."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

from adapters.ray_serve.metric_table import OWN
from dashboards.pages import PAGES
from serve_app.cli import app
from serve_app.settings.serve_file import load_config
from serve_app.settings.service import Settings
from tests.manifests import of_kind

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "operate.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", GUIDE, re.M | re.S)
LINES = [shlex.split(line, comments=True) for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
ASSIGNED = re.compile(r"[A-Z_]+=.*")
PANELS = {panel.title for page in PAGES for row in page.rows.values() for panel in row}


def commands() -> Iterator[list[str]]:
    """Every line that runs wordloop, without the environment that is set before it."""
    for words in LINES:
        typed = list(dropwhile(ASSIGNED.fullmatch, words))
        if typed[:1] == ["wordloop"]:
            yield typed[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_every_command_line_of_wordloop_is_understood(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0, result.stderr


def test_every_recipe_and_file_that_is_named_is_there() -> None:
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:(?!=)", (ROOT / "justfile").read_text(), re.M))
    named = set(re.findall(r"\./just ([a-z-]+)", GUIDE))
    assert {"serve", "alerts", "check-deploy"} <= named <= recipes
    links = re.findall(r"\]\(((?!http)[^)#]+)", GUIDE)
    assert len(links) > 7
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert [name for name in re.findall(r"`(deploy/[\w.]+|adapters/[\w/.]+)`", GUIDE) if not (ROOT / name).exists()] == []


def is_setting(place: str) -> bool:
    """Whether a dotted name is a setting, or a group of them."""
    group: Any = Settings
    for name in place.split("."):
        if group is None or name not in group.model_fields:
            return False
        kinds = [group.model_fields[name].annotation, *get_args(group.model_fields[name].annotation)]
        group = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
    return True


def test_every_setting_that_is_named_is_there() -> None:
    groups = "|".join(Settings.model_fields)
    named = set(re.findall(rf"`((?:{groups})\.[a-z_.0-9]+)", GUIDE))
    assert len(named) > 12
    assert {name for name in named if not is_setting(name)} == set()
    assert not is_setting("worker.concurrency.most")


def test_the_models_of_the_production_file_are_in_the_table_and_fetched() -> None:
    settings = load_config(ROOT / "serve_config.gpu.yaml").settings
    fetched = next(words for words in commands() if words[:2] == ["models", "fetch"])
    assert settings.reader.model in fetched
    for port in ("transcriber", "language_model", "embedder"):
        reference = getattr(settings, port).model
        owner, commit = reference.removeprefix("hub:").split("@")
        assert reference in fetched
        assert re.search(rf"^\| [^|]*shipped \| `{re.escape(owner)}` `{commit}` \| [\w.-]+ \|", GUIDE, re.M)


def test_the_secrets_that_the_manifests_read_are_made_with_their_keys() -> None:
    made = {
        words[6]: {word.split("=")[1] for word in words if word.startswith("--from-literal")}
        for words in LINES
        if words[3:6] == ["create", "secret", "generic"]
    }
    text = " ".join(str(one) for kind in ("RayService", "StatefulSet") for one in of_kind(kind))
    read = set(re.findall(r"'secretKeyRef': \{'name': '([\w-]+)', 'key': '(\w+)'\}", text))
    assert read
    for name, key in read | {("wordloop-ray", "auth_token")}:
        assert key in made[name]


def test_panels_and_metrics_that_are_named_are_there() -> None:
    spoken = {title for title in PANELS if title in GUIDE}
    assert {"Calls", "Refused answers", "Healthy replicas", "Jobs that wait", "Time to answer", "Cost by tenant"} <= spoken
    assert set(re.findall(r"ray_wordloop_\w+", GUIDE)) <= {metric.exposed for metric in OWN}
