"""What operators look at is made from the table of metrics, and every alert has a part in the guide."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from adapters.ray_serve import metric_table as table
from adapters.ray_serve.metric_table import FROM_RAY, OWN
from dashboards.__main__ import FOLDER, files
from dashboards.alerts import ALERTS
from dashboards.queries import now, per_second

GUIDE = Path(__file__).parents[3] / "docs" / "operate.md"
CASES = Path(__file__).parents[2] / "data" / "alert_cases.yml"
KNOWN = {name: metric for metric in (*OWN, *FROM_RAY) for name in metric.series}
PARTS = ("lhs", "rhs", "expr", "args", "vector_selector", "param")


def queries(name: str, text: str) -> Iterator[str]:
    """Every query of a committed file."""
    if name.endswith(".yml"):
        yield from (rule["expr"] for group in yaml.safe_load(text)["groups"] for rule in group["rules"])
    if not name.endswith(".json"):
        return
    for panel in json.loads(text)["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))


def selectors(node: Any) -> Iterator[Any]:
    """Every selector of series in a parsed query."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in PARTS:
        inner = getattr(node, part, None)
        for each in inner if isinstance(inner, list) else [inner] * (inner is not None):
            yield from selectors(each)


def named(query: str) -> set[str]:
    """The metrics that a query names. Raises ValueError for what is no PromQL."""
    return {selector.name for selector in selectors(promql_parser.parse(query))}


def committed() -> list[tuple[str, str]]:
    """Every query, with the file it stands in."""
    return [(name, query) for name in files() for query in queries(name, (FOLDER / name).read_text())]


def test_the_committed_files_are_what_the_code_makes() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(files())
    for name, text in files().items():
        assert (FOLDER / name).read_text() == text, f"{name}: run `just dashboards`"


def test_every_query_is_promql_and_names_metrics_of_the_table_only() -> None:
    found = committed()
    assert len(found) > 40
    for name, query in found:
        metrics = named(query)
        assert metrics, query
        assert metrics <= set(KNOWN), f"{name}: {query}"
        for selector in selectors(promql_parser.parse(query)):
            assert {matcher.name for matcher in selector.matchers.matchers} <= set(KNOWN[selector.name].labels), query


def test_every_metric_of_ours_is_shown_or_alerted_on() -> None:
    shown = {metric for _, query in committed() for metric in named(query)}
    assert [metric.name for metric in OWN if not shown & set(metric.series)] == []


def test_a_metric_that_nobody_records_is_seen() -> None:
    assert named("sum(rate(ray_wordloop_jobs_lost_total[5m]))") - set(KNOWN) == {"ray_wordloop_jobs_lost_total"}
    with pytest.raises(ValueError, match="no label tenant"):
        now(table.WAITING, "tenant")
    with pytest.raises(ValueError, match="is a gauge"):
        per_second(table.WAITING)


def test_every_alert_is_told_apart_and_has_its_part_in_the_guide() -> None:
    headings = re.findall(r"^#### (\w+)$", GUIDE.read_text(), re.M)
    assert headings == [alert.name for alert in ALERTS]
    parts = re.split(r"^#{2,4} .*$", GUIDE.read_text(), flags=re.M)
    told = dict(zip(re.findall(r"^#{2,4} (.*)$", GUIDE.read_text(), re.M), parts[1:], strict=True))
    for alert in ALERTS:
        words = told[alert.name]
        assert re.search(r"\*\*Means:\*\* \S", words), alert.name
        assert re.search(r"\*\*Do:\*\* \S", words), alert.name


def test_every_alert_is_tried_where_it_fires_and_where_it_does_not() -> None:
    """`just alerts` has Prometheus itself evaluate the cases."""
    tests = yaml.safe_load(CASES.read_text())["tests"]
    fires = {sample["labels"] for case in tests for sample in case["promql_expr_test"][0]["exp_samples"]}
    assert fires == {f'{{alertname="{alert.name}"}}' for alert in ALERTS}
    fed = {re.split(r"[{ ]", series["series"])[0] for case in tests for series in case["input_series"]}
    assert fed == {metric for alert in ALERTS for metric in named(alert.expr)}
