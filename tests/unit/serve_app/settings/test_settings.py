"""Configuration files are read strictly: what Serve would drop in silence is refused here."""

from pathlib import Path

import pytest
import yaml

from adapters.ray_serve.recycling import RecycleLimits
from adapters.ray_serve.watchdog import HealthLimits
from domain.call import ModelIdentity
from serve_app.composition.ingress import aliases
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.serve_file import load_config, parse_settings
from serve_app.settings.service import Settings

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("name", ["serve_config.yaml", "serve_config.gpu.yaml", "tests/data/serve_config.smollm2.yaml"])
def test_the_shipped_files_are_valid(name: str) -> None:
    config = load_config(ROOT / name)
    assert set(config.deployments) == {"Ingress", "JobWorker", "Transcriber", "LanguageModel", "Embedder", "Reader", "Diarizer"}


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


def test_a_model_is_hung_beyond_the_longest_of_its_timeouts_and_recycled_only_where_that_is_set() -> None:
    settings = Settings(
        guard={"timeouts": {"find": 20, "entail": 30}},
        health={"slow_factor": 4, "bad_in_a_row": 5, "recycle": {"reader": {"calls": 1000}}},
    )
    reader, embedder = (settings.health.rules(model, settings.guard.timeouts) for model in ("reader", "embedder"))
    assert reader.limits == HealthLimits(timeout_s=30, slow_factor=4, bad_in_a_row=5)
    assert (reader.recycle, embedder.recycle) == (RecycleLimits(calls=1000), RecycleLimits())
    with pytest.raises(ConfigurationInvalid, match=r"health\.recycle"):
        parse_settings({"health": {"recycle": {"raeder": {"calls": 1}}}}, "here")


SERVED = {
    "transcriber": ModelIdentity("Systran/faster-whisper-base", "1", "e", "p"),
    "language_model": ModelIdentity("Qwen/Qwen2.5-1.5B", "1", "e", "p"),
    "embedder": ModelIdentity("all-MiniLM-L6-v2", "1", "e", "p"),
}


def test_a_model_answers_to_the_names_that_openais_clients_bring_and_to_short_ones() -> None:
    names = aliases(Settings(language_model={"model": "qwen2.5-coder-1.5b-instruct:q4_k_m"}), SERVED)

    assert {names["whisper-1"], names["gpt-4o-transcribe"], names["gpt-4o-mini-transcribe"]} == {SERVED["transcriber"].id}
    assert names["faster-whisper-base"] == names["whisper-base"] == SERVED["transcriber"].id
    assert {names["text-embedding-3-small"], names["text-embedding-ada-002"]} == {"all-MiniLM-L6-v2"}
    assert names["qwen2.5-coder-1.5b-instruct"] == names["Qwen2.5-1.5B"] == SERVED["language_model"].id
    assert "all-MiniLM-L6-v2" not in names, "an id is no alias of itself"


def test_configured_names_replace_the_usual_ones_and_no_folder_is_told() -> None:
    settings = Settings(openai={"aliases": {"gpt-4o-mini": "language_model"}}, embedder={"model": "/srv/models/e5"})
    names = aliases(settings, SERVED)

    assert names["gpt-4o-mini"] == SERVED["language_model"].id
    assert "whisper-1" not in names
    assert not any("/" in name for name in names)


def test_a_name_for_no_model_of_ours_is_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"openai\.aliases\.gpt-5"):
        parse_settings({"openai": {"aliases": {"gpt-5": "reader"}}}, "here")


def test_a_file_that_is_not_there_is_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"missing\.yaml"):
        load_config(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_hosts", "ml.example.com:8000"),
        ("allowed_hosts", "*"),
        ("trusted_origins", "localhost:3000"),
        ("trusted_origins", "http://a/b"),
    ],
)
def test_a_host_has_no_port_and_an_origin_no_path(name: str, value: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=name):
        parse_settings({"security": {name: [value]}}, "here")
    assert parse_settings(
        {"security": {"allowed_hosts": ["ml.example.com"], "trusted_origins": ["http://localhost:3000"]}}, "here"
    )


def test_a_setting_under_its_name_of_before_still_counts() -> None:
    assert parse_settings({"http": {"place_wait_s": 0.5}}, "args").http.slot_wait_s == 0.5
    assert parse_settings({"http": {"slot_wait_s": 0.5}}, "args").http.slot_wait_s == 0.5
