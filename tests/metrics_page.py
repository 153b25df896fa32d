"""`python -m tests.metrics_page`: what is recorded, as Ray's own agent shows it to Prometheus; every metric of the table once.

In a process of its own, since Ray's recorder takes the meter provider of its process for itself.
"""

from adapters.ray_serve.instruments import Instruments
from adapters.ray_serve.metric_table import FROM_RAY, OWN, Metric, MetricKind

VALUE = 2.0


class AgentInstruments(Instruments):
    """Hands values to the recorder of Ray's agent, which is where those of `RayInstruments` arrive too."""

    def __init__(self) -> None:
        from ray._private.telemetry.open_telemetry_metric_recorder import OpenTelemetryMetricRecorder

        self._agent = OpenTelemetryMetricRecorder(gauge_metric_ttl_seconds=60.0)

    def count(self, metric: Metric, amount: float, **labels: str) -> None:
        self._agent.register_counter_metric(metric.name, metric.help)
        self._agent.set_metric_value(metric.name, labels, amount)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self._agent.register_gauge_metric(metric.name, metric.help)
        self._agent.set_metric_value(metric.name, labels, value)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self._agent.register_histogram_metric(metric.name, metric.help, list(metric.buckets or (1.0, 10.0)))
        self._agent.set_metric_value(metric.name, labels, value)


def page() -> str:
    """Return the page for Prometheus of this process."""
    from prometheus_client import generate_latest

    return generate_latest().decode()


def record(instruments: Instruments, metric: Metric) -> None:
    """Record one value with every label."""
    ways = {MetricKind.COUNTER: instruments.count, MetricKind.GAUGE: instruments.set, MetricKind.HISTOGRAM: instruments.observe}
    ways[metric.kind](metric, VALUE, **dict.fromkeys(metric.labels, "x"))


if __name__ == "__main__":
    agent = AgentInstruments()
    for one in (*OWN, *FROM_RAY):
        record(agent, one)
    print(page())
