"""`wordloop up --scripted`: who it listens to, that others find it, how it ends, and that no configured provider is asked."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from adapters.sql import SqlStore
from serve_app.composition.database import database_url
from serve_app.embedded.scripted import run_scripted, scripted_composition
from serve_app.embedded.service import ServiceFile, running_service
from serve_app.errors import ArgumentWrong, StartFailed
from serve_app.settings.service import Settings
from tests.docs.scripted_process import scripted_service

ROOT = Path(__file__).parents[4]


def test_it_is_ready_with_scripted_models_and_other_commands_find_it(tmp_path: Path) -> None:
    with scripted_service(tmp_path / "data") as url:
        ready = httpx.get(f"{url}/readyz").json()
        running = running_service(tmp_path / "data")
        assert running is not None
        assert running.url == url
        with pytest.raises(StartFailed, match="already runs"):
            run_scripted(host=None, port=0, data_dir=tmp_path / "data", config=None)

    assert ready["status"] == "ready"
    assert {model["id"].partition("/")[0] for model in ready["models"]} == {"scripted"}
    assert ServiceFile.read(tmp_path / "data") is None


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_ending_signal_ends_it_in_order(tmp_path: Path, ending: signal.Signals) -> None:
    command = [sys.executable, "-m", "serve_app", "up", "--scripted", "--port", "0", "--data-dir", str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ))
    assert process.stdout is not None
    while b"ctrl-c" not in (line := process.stdout.readline()):
        assert line, "it ended before it was ready"

    process.send_signal(ending)
    told, _ = process.communicate(timeout=30)

    assert (process.returncode, told.decode().strip()) == (0, "stopped")
    assert not (tmp_path / "service.json").exists()


def test_it_listens_on_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(ArgumentWrong, match="this machine only"):
        run_scripted(host="0.0.0.0", port=0, data_dir=tmp_path, config=None)
    assert not list(tmp_path.iterdir())


def test_a_provider_of_the_configuration_is_not_asked(tmp_path: Path) -> None:
    remote = {"base_url": "http://127.0.0.1:1/v1", "model": "some-model"}
    settings = Settings.model_validate({"data_dir": tmp_path, "language_model": {"remote": remote}})
    SqlStore.migrate(database_url(settings))

    composition = scripted_composition(settings)

    assert composition.language_model.identity.id == "scripted/generate"
    composition.store.close()


def test_made_up_results_do_not_lie_among_real_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORDLOOP_DATA_DIR", str(tmp_path / "real"))
    with scripted_service(tmp_path / "real-scripted"), pytest.raises(StartFailed, match="real-scripted"):
        run_scripted(host=None, port=0, data_dir=None, config=None)
