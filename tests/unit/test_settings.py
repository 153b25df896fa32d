"""Configuration files are read strictly: what Serve would drop in silence is refused here."""

from pathlib import Path

import pytest
import yaml

from serve_app.errors import ConfigurationInvalid
from serve_app.settings import load_config

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["serve_config.yaml", "serve_config.gpu.yaml", "tests/data/serve_config.smollm2.yaml"])
def test_the_shipped_files_are_valid(name: str) -> None:
    config = load_config(ROOT / name)
    assert set(config.deployments) == {"Ingress", "JobWorker", "Transcriber", "LanguageModel", "Embedder"}


@pytest.mark.parametrize(
    "where",
    [
        (),
        ("http_options",),
        ("logging_config",),
        ("applications", 0),
        ("applications", 0, "deployments", 2),
        ("applications", 0, "args"),
        ("applications", 0, "args", "transcriber"),
        ("applications", 0, "args", "limits"),
    ],
)
def test_a_misspelt_key_is_refused_wherever_it_stands(tmp_path: Path, where: tuple[str | int, ...]) -> None:
    raw = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    section = raw
    for step in where:
        section = section[step]
    section["max_ongoing_request"] = 1
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigurationInvalid, match="max_ongoing_request"):
        load_config(file)


def test_a_value_of_the_wrong_kind_names_its_place(tmp_path: Path) -> None:
    raw = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    raw["applications"][0]["args"]["worker"]["concurrency"] = 0
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(raw))
    with pytest.raises(ConfigurationInvalid, match=r"args\.worker\.concurrency"):
        load_config(file)


def test_a_file_that_is_not_there_is_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")
