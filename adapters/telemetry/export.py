"""Where spans and metrics go: to an OTLP collector when one is configured, else to whatever the process has set up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opentelemetry import metrics, trace

from adapters.telemetry.otel import OpenTelemetry
from adapters.telemetry.tracer import OpenTelemetryTracer

METRIC_INTERVAL_S = 15.0
"""Seconds between two exports of the metrics: what Prometheus scrapes at by habit."""
SERVICE_NAME = "wordloop-ml"


@dataclass(frozen=True, slots=True)
class Exported:
    """The telemetry of model calls, the tracer of what is around them, and `close`, which sends what is held back at the end."""

    telemetry: OpenTelemetry
    tracer: OpenTelemetryTracer
    close: Callable[[], None]


def build_telemetry(
    otlp_endpoint: str | None = None, *, resource: Mapping[str, str] | None = None, service_name: str = SERVICE_NAME
) -> Exported:
    """Build the telemetry of this process.

    `otlp_endpoint` is the base address of a collector that speaks OTLP over HTTP (`http://host:4318`); headers and
    certificates come from the standard OTEL_EXPORTER_OTLP_* variables. Without it the global providers are used, which do
    nothing until somebody installs real ones (Ray Serve's tracing does). The global providers are never replaced here:
    that can be done once per process, and Serve does it.
    """
    if otlp_endpoint is None:
        tracer_provider = trace.get_tracer_provider()
        telemetry = OpenTelemetry(tracer_provider, metrics.get_meter_provider())
        return Exported(telemetry, OpenTelemetryTracer(tracer_provider), lambda: None)

    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    base = otlp_endpoint.rstrip("/")
    described = Resource.create({"service.name": service_name, **(resource or {})})
    tracers = TracerProvider(resource=described, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{base}/v1/traces")))
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{base}/v1/metrics"), export_interval_millis=METRIC_INTERVAL_S * 1000
    )
    meters = MeterProvider([reader], resource=described, shutdown_on_exit=False)

    def close() -> None:
        tracers.shutdown()
        meters.shutdown()

    return Exported(OpenTelemetry(tracers, meters), OpenTelemetryTracer(tracers), close)
