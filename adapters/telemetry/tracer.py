"""Spans of our own work as OpenTelemetry."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.telemetry import names
from ports.tracer import Tracer

INSTRUMENTATION = "wordloop"

_W3C = TraceContextTextMapPropagator()


class OpenTelemetryTracer(Tracer):
    """Opens spans on the given provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(INSTRUMENTATION)

    @contextmanager
    def span(
        self, name: str, traceparent: str | None, attributes: Mapping[str, str | int | float | bool]
    ) -> Iterator[str | None]:
        parent = _W3C.extract({"traceparent": traceparent}) if traceparent else None
        with self._tracer.start_as_current_span(
            name, context=parent, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            carrier: dict[str, str] = {}
            _W3C.inject(carrier, trace.set_span_in_context(span))
            try:
                yield carrier.get("traceparent", traceparent)
            except BaseException as error:
                span.set_attribute(names.ERROR_TYPE, type(error).__name__)
                span.set_status(Status(StatusCode.ERROR))
                raise
