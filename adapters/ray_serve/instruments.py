"""Recording what the table of metrics names, on Ray's own endpoint for Prometheus."""

from abc import abstractmethod
from collections.abc import Collection
from typing import Any, Final, Protocol

from adapters.ray_serve.metric_table import REPLICA, Metric, MetricKind

OTHER: Final = "other"
"""The label of whatever there is no room for."""


class Instruments(Protocol):
    """Takes values of the metrics of the table; labels that Ray Serve adds by itself are not given."""

    @abstractmethod
    def count(self, metric: Metric, amount: float, **labels: str) -> None:
        """Add to a counter; nothing when there is nothing to add."""

    @abstractmethod
    def set(self, metric: Metric, value: float, **labels: str) -> None: ...

    @abstractmethod
    def observe(self, metric: Metric, value: float, **labels: str) -> None: ...


class RayInstruments(Instruments):
    """Ray's metrics, each made when it is first used. Those that tell replicas apart are Ray Serve's, which add the replica."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def count(self, metric: Metric, amount: float, **labels: str) -> None:
        if amount:
            self._of(metric).inc(amount, labels)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self._of(metric).set(value, labels)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self._of(metric).observe(value, labels)

    def _of(self, metric: Metric) -> Any:
        if metric.name not in self._made:
            self._made[metric.name] = _made(metric)
        return self._made[metric.name]


def _made(metric: Metric) -> Any:
    from ray.serve import metrics as of_replicas
    from ray.util import metrics as of_processes

    family = of_replicas if set(REPLICA) <= set(metric.labels) else of_processes
    own = tuple(label for label in metric.labels if label not in REPLICA)
    if metric.kind is MetricKind.HISTOGRAM:
        return family.Histogram(metric.name, metric.help, list(metric.buckets), own)
    return {MetricKind.COUNTER: family.Counter, MetricKind.GAUGE: family.Gauge}[metric.kind](metric.name, metric.help, own)


class BoundedLabel:
    """A label whose values come from outside: `always`, the first `most` others that are seen here, and `OTHER` for the rest."""

    def __init__(self, most: int, always: Collection[str] = ()) -> None:
        self._most = most
        self._always = frozenset(always)
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        """Return the value, or what stands for it where there is no room."""
        if value not in self._always and value not in self._seen:
            if len(self._seen) >= self._most:
                return OTHER
            self._seen.add(value)
        return value
