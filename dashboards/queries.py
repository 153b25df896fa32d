"""PromQL over metrics of the table, so that no query can name a metric that is not recorded."""

from typing import Final

from adapters.ray_serve.metric_table import Metric, MetricKind

OVER: Final = "5m"
"""Ray reports every 10 s and Prometheus scrapes every 15 s by habit: twenty samples, and a change shows within minutes."""


def selector(metric: Metric, where: str = "", over: str = "", offset: str = "") -> str:
    """Return the series of a metric: `where` is PromQL's list of matchers, `over` a range, `offset` how long ago."""
    name = f"{metric.exposed}_bucket" if metric.kind is MetricKind.HISTOGRAM else metric.exposed
    return name + (f"{{{where}}}" if where else "") + (f"[{over}]" if over else "") + (f" offset {offset}" if offset else "")


def per_second(metric: Metric, by: str = "", where: str = "", over: str = OVER) -> str:
    """Return how fast a counter grows, over all processes."""
    _expect(metric, MetricKind.COUNTER)
    return f"sum{_by(by, metric)} (rate({selector(metric, where, over)}))"


def added(metric: Metric, by: str = "", where: str = "", over: str = "1h") -> str:
    """Return by how much a counter grew."""
    _expect(metric, MetricKind.COUNTER)
    return f"sum{_by(by, metric)} (increase({selector(metric, where, over)}))"


def now(metric: Metric, by: str = "", where: str = "", offset: str = "", how: str = "max") -> str:
    """Return a gauge; the greatest, where many processes tell the same."""
    return f"{how}{_by(by, metric)} ({selector(metric, where, offset=offset)})"


def share(part: str, whole: str) -> str:
    """Return a part of a whole, 0 to 1; nothing where there is no whole."""
    return f"{part} / ({whole} > 0)"


def quantile(metric: Metric, q: float, by: str = "", where: str = "", over: str = OVER) -> str:
    """Return a quantile as the buckets of a histogram tell it."""
    _expect(metric, MetricKind.HISTOGRAM)
    labels = ", ".join(part for part in ("le", by) if part)
    return f"histogram_quantile({q}, sum{_by(labels, metric)} (rate({selector(metric, where, over)})))"


def _by(labels: str, metric: Metric) -> str:
    unknown = {label.strip() for label in labels.split(",") if label} - {*metric.labels, "le"}
    if unknown:
        raise ValueError(f"{metric.name} has no label {', '.join(sorted(unknown))}")
    return f" by ({labels})" if labels else ""


def _expect(metric: Metric, kind: MetricKind) -> None:
    if metric.kind is not kind:
        raise ValueError(f"{metric.name} is a {metric.kind}, not a {kind}")
