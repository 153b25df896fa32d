"""The running service at its door: what no library sends, the series that it leaves, and who can look at those and at files."""

import re
import stat
import time
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.listening import listening
from tests.made_up_requests import KINDS, KNOWN_METHODS, Surface
from tests.raw_http import RawRequest, Rules, exchange
from tests.running_service import RunningService

pytestmark = [pytest.mark.serve, pytest.mark.timeout(1500)]

SERVES = re.compile(r"^ray_serve_\w*http\w*\{(?P<labels>[^}]*)\}", re.MULTILINE)
REPORTED_S = 60.0
"""Seconds within which Ray has told its page what replicas counted: they tell it every ten."""
CASES = 20


def series(service: RunningService) -> set[tuple[str, str]]:
    """(method, route) of every series of Serve's that has either."""
    page = httpx.get(service.described["metrics_url"], trust_env=False, timeout=10).text
    found = [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in SERVES.findall(page)]
    return {(each.get("method", ""), each.get("route", "")) for each in found if {"method", "route"} & set(each)}


def send(port: int, requests: SearchStrategy[RawRequest], rules: Rules) -> None:
    """Send a few requests of a kind, and hold each answer against the rules."""

    @given(requests)
    @settings(
        max_examples=CASES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def one(request: RawRequest) -> None:
        answer = exchange(port, request)
        assert list(rules.broken(request, answer)) == [], (request, answer)

    one()


def test_no_made_up_bytes_break_the_running_service_or_leave_series(service: RunningService) -> None:
    with service.client() as client:
        surface = Surface.of(client.get("/openapi.json").json(), service.url.removeprefix("http://"))
    port, rules = int(service.url.rsplit(":", 1)[1]), Rules(frozenset({surface.host}))

    for kind in KINDS:
        send(port, KINDS[kind](surface), rules)

    give_up = time.monotonic() + REPORTED_S
    while not any("/v1/" in route for _, route in series(service)) and time.monotonic() < give_up:
        time.sleep(1)
    methods, routes = zip(*series(service), strict=True)
    assert set(methods) <= {"", *KNOWN_METHODS}
    assert any("/v1/" in route for route in routes), routes
    assert not any("job_0" in route for route in routes), routes


def test_the_page_for_prometheus_and_all_of_ray_listen_on_loopback(service: RunningService) -> None:
    page = int(service.described["metrics_url"].split(":")[2].split("/")[0])
    of_ray = [each for each in listening(service.processes()) if "haproxy" not in each.process]

    assert page in {each.port for each in of_ray}
    assert [each for each in of_ray if not each.on_loopback] == []


def test_no_other_user_can_look_into_rays_files(service: RunningService) -> None:
    session = Path(service.described["log_dir"]).parent
    assert any(not stat.S_IMODE(folder.stat().st_mode) & 0o077 for folder in session.parents), "Ray opens the session itself"
    assert stat.S_IMODE(service.data_dir.stat().st_mode) == 0o700
