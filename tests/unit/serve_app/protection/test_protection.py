"""Under which Ray the service may listen beyond its own machine, whoever started that Ray."""

import logging
import os
from pathlib import Path
from typing import ClassVar

import pytest
import ray

from adapters.ray_serve.cluster import prepare_environment
from adapters.ray_serve.haproxy_guard import LISTEN_HOST, DoorLimits
from adapters.ray_serve.readiness import cluster_environment, listening_host, listening_host_if_known
from serve_app.embedded.service import behind_haproxy
from serve_app.errors import ConfigurationInvalid, StartFailed
from serve_app.graph.application import build
from serve_app.protection.exposure import HAPROXY, PROTECTION, check_protection, door_limits, missing_protection
from serve_app.settings.serve_file import load_config
from serve_app.settings.service import HttpSettings, Settings

ROOT = Path(__file__).parents[4]


@pytest.fixture
def protected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment in which `wordloop up` starts Ray; this process has it too, for the time of the test."""
    for name in [*PROTECTION, HAPROXY]:
        monkeypatch.delenv(name, raising=False)
    before = dict(os.environ)
    place = prepare_environment(tmp_path)
    environment = dict(os.environ)
    place.close()
    os.environ.clear()
    os.environ.update(before)
    return environment


def test_the_environment_of_wordloop_up_lacks_nothing(protected: dict[str, str]) -> None:
    assert missing_protection(protected) == []
    check_protection(protected, "0.0.0.0")


@pytest.mark.parametrize("name", [*PROTECTION, HAPROXY])
def test_each_protection_is_asked_for_beyond_loopback_and_told_of_on_it(
    protected: dict[str, str], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    without = {key: value for key, value in protected.items() if key != name}
    with pytest.raises(StartFailed, match=f"refusing to listen on 10.0.0.1: set for every Ray process {name}="):
        check_protection(without, "10.0.0.1")
    with caplog.at_level(logging.WARNING, "wordloop"):
        check_protection(without, "127.0.0.1")
        check_protection(without, None)
    assert [record.getMessage().startswith(f"Ray runs without {name}=") for record in caplog.records] == [True, True]


def test_another_haproxy_or_callback_is_no_protection(protected: dict[str, str]) -> None:
    changed = protected | {HAPROXY: "/usr/sbin/haproxy", "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "other.middlewares"}
    assert len(missing_protection(changed)) == 2


def test_what_only_the_application_was_given_does_not_protect_ray(
    protected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`runtime_env` of a Serve file reaches the replicas, not the proxy in front of them."""
    for name, value in protected.items():
        monkeypatch.setenv(name, value)

    class Context:
        runtime_env: ClassVar = {"env_vars": dict.fromkeys([*PROTECTION, HAPROXY], "given")}

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_runtime_context", Context)
    assert len(missing_protection(cluster_environment())) == len(PROTECTION) + 1


def test_build_refuses_where_a_bare_serve_run_would_listen_for_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [*PROTECTION, HAPROXY]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(LISTEN_HOST, "0.0.0.0")
    with pytest.raises(StartFailed, match="RAY_AUTH_MODE=token.*" + HAPROXY):
        build(Settings(data_dir=tmp_path))


def test_the_address_is_the_one_behind_which_serve_stays_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LISTEN_HOST, "0.0.0.0")
    assert listening_host() == listening_host_if_known() == "0.0.0.0"
    monkeypatch.delenv(LISTEN_HOST)
    assert listening_host_if_known() is None  # Serve does not run here
    assert not ray.is_initialized()


@pytest.mark.parametrize(("host", "listens", "serves"), [("0.0.0.0", "0.0.0.0", "127.0.0.1"), ("127.0.0.1", None, "127.0.0.1")])
def test_only_haproxy_listens_beyond_loopback(
    host: str, listens: str | None, serves: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(LISTEN_HOST, "left over")
    assert behind_haproxy({"host": host, "port": 1}) == {"host": serves, "port": 1}
    assert os.environ.get(LISTEN_HOST) == listens


def test_haproxy_is_more_patient_than_the_service_whose_answers_say_more() -> None:
    http = HttpSettings(header_s=3, upload_idle_s=20, keep_alive_s=9, connections=99, connections_per_client=11)
    assert door_limits(http) == DoorLimits(3, 35, 9, 99, 11)


def test_an_ingress_that_lets_requests_wait_in_serve_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "serve_config.yaml").read_text()
    file = tmp_path / "config.yaml"
    file.write_text(text.replace("max_ongoing_requests: 4096", "max_ongoing_requests: 2048"))
    with pytest.raises(ConfigurationInvalid, match="/livez would wait behind other requests"):
        load_config(file)
