"""The simulator on paper: it keeps the time it was given, asks for more when there is more to do, and says what gives first."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import capacity
from benchmarks.capacity import TWO_CORES, Demand, Stage, fitted
from benchmarks.capacity_limits import Day, split_limits
from benchmarks.line_plot import Line, line_plot
from domain.call import CallKind
from serve_app.settings.service import Settings

ONE = CallKind.TRANSCRIBE


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "JOBS", 600)


def test_a_fleet_keeps_the_time_and_grows_with_the_work_and_the_haste() -> None:
    settings = Settings()
    demand = Demand(settings, TWO_CORES)
    fleets = [fitted(demand, settings, hours, within) for hours, within in ((300, 1800), (3000, 1800), (3000, 700))]
    for fleet, within in zip(fleets, (1800, 1800, 700), strict=True):
        assert fleet.p95_s <= within
    few, many, fast = (sum(fleet.replicas.values()) for fleet in fleets)
    assert few < many < fast
    assert fleets[1].usd_day < 24 * fleets[1].usd_peak_hour


def test_what_no_fleet_reaches_is_told_as_it_is() -> None:
    settings = Settings()
    assert fitted(Demand(settings, TWO_CORES), settings, 1000, 1.0).p95_s > 1.0


def test_jobs_wait_for_those_before_them_and_share_replicas() -> None:
    job = {ONE: Stage(work_s=100.0, calls=10, at_once=10, call_s=10.0)}
    jobs = [(float(second), job) for second in (0, 0, 0)]
    assert capacity.time_p95(jobs, {ONE: 1}) == 300.0
    assert capacity.time_p95(jobs, {ONE: 10}) == 30.0
    assert capacity.time_p95([(0.0, job)], {ONE: 1000}) == 10.0, "no call is faster than one call"


def test_limits_are_told_in_the_order_in_which_they_give() -> None:
    beyond, coming = split_limits(Day(10_000, 2.5, 1800, 180, 400))
    assert [limit.hours for limit in beyond] == sorted(limit.hours for limit in beyond)
    assert "one SQLite file" in {limit.name for limit in beyond}
    assert all(limit.hours > 10_000 for limit in coming)
    assert split_limits(Day(1, 2.5, 1800, 180, 6))[0] == []


def test_rates_of_a_service_that_runs_take_the_place_of_the_tables(tmp_path: Path) -> None:
    rate = {"input_per_s": 1e6, "output_per_s": 1e6, "speedup": 1.0}
    kinds = [kind.value for kind in TWO_CORES if kind is not CallKind.ENTAIL]
    (tmp_path / "models.json").write_text(json.dumps({"data": [{"kind": kind, "rate": rate} for kind in kinds]}))
    figures = capacity.capacity(hours=1000, rates=tmp_path / "models.json", plots=tmp_path)
    assert figures["1,000 h a day: p95, s"] < 30
    for name in ("capacity-replicas.svg", "capacity-cost.svg"):
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")


def test_a_plot_has_a_line_and_a_name_for_each() -> None:
    drawn = line_plot("T", "x", "y", [Line("a<b", [(1, 1), (1000, 100)]), Line("c", [(1, 2), (1000, 5)])])
    root = ElementTree.fromstring(drawn)
    assert {element.text for element in root.iter() if element.tag.endswith("text")} >= {"a<b", "c", "T", "1,000", "100"}
