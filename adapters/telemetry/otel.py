"""Model calls as OpenTelemetry spans and metrics: numbers, hashes and names, never content, keys or headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from adapters.telemetry import names
from domain.call import CallContext, CallSpec, ModelIdentity, Provenance
from domain.errors import InvalidModelOutput
from ports.telemetry import BreakerState, CallEvent, CallSpan, Telemetry

INSTRUMENTATION = "wordloop.model_calls"
BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}

_W3C = TraceContextTextMapPropagator()


class OpenTelemetry(Telemetry):
    """Reports through the given providers; with the API's own defaults nothing is recorded and little is spent."""

    def __init__(self, tracer_provider: TracerProvider, meter_provider: MeterProvider) -> None:
        self._tracer = tracer_provider.get_tracer(INSTRUMENTATION)
        meter = meter_provider.get_meter(INSTRUMENTATION)
        self._duration = meter.create_histogram(names.DURATION, "s", explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS_S)
        self._tokens = meter.create_histogram(names.TOKENS, "{token}", explicit_bucket_boundaries_advisory=names.TOKEN_BUCKETS)
        self._calls = meter.create_counter(names.CALLS, "{call}")
        self._audio = meter.create_counter(names.AUDIO, "s")
        self._cost = meter.create_counter(names.COST, "{USD}")
        self._hits = meter.create_counter(names.CACHE_HITS, "{call}")
        self._retries = meter.create_counter(names.RETRIES, "{attempt}")
        self._remembered = meter.create_counter(names.REMEMBERED, "{call}")
        self._breaker = meter.create_gauge(names.BREAKER, description="0 closed, 1 half open, 2 open")

    @contextmanager
    def call(self, spec: CallSpec, backend: str, context: CallContext) -> Iterator[CallSpan]:
        parent = _W3C.extract({"traceparent": context.traceparent}) if context.traceparent else None
        operation = names.OPERATIONS[spec.kind]
        # Errors are recorded by kind (`failed`): the text of an unexpected one may quote its input.
        with self._tracer.start_as_current_span(
            f"{operation} {spec.model.id}",
            context=parent,
            kind=SpanKind.CLIENT,
            attributes={**_who(spec.model, backend), **_what(spec), **_whom(context)},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield _OpenSpan(self, span, {**_who(spec.model, backend), names.OPERATION_NAME: operation})

    def breaker_changed(self, backend: str, model: ModelIdentity, state: BreakerState) -> None:
        self._breaker.set(BREAKER_VALUES[state], _who(model, backend))

    def remembered(self, labels: dict[str, Any]) -> None:
        """Count a call that was refused from memory."""
        self._remembered.add(1, labels)

    def count(self, provenance: Provenance, labels: dict[str, Any], outcome: str) -> None:
        """Add one finished call to the metrics."""
        usage = provenance.usage
        self._calls.add(1, {**labels, names.OUTCOME: outcome})
        self._duration.record(provenance.latency_s, {**labels, names.OUTCOME: outcome})
        if provenance.cache_hit:
            self._hits.add(1, labels)
        if provenance.attempts > 1:
            self._retries.add(provenance.attempts - 1, labels)
        if usage.audio_seconds:
            self._audio.add(usage.audio_seconds, labels)
        if provenance.cost_usd:
            self._cost.add(provenance.cost_usd, labels)
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens:
                self._tokens.record(tokens, {**labels, names.TOKEN_TYPE: kind})


class _OpenSpan(CallSpan):
    def __init__(self, telemetry: OpenTelemetry, span: trace.Span, labels: dict[str, Any]) -> None:
        self._telemetry = telemetry
        self._span = span
        self._labels = labels

    @property
    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(self._span))
        return carrier.get("traceparent")

    def happened(self, event: CallEvent) -> None:
        self._span.add_event(event.value)
        if event is CallEvent.REFUSAL_REMEMBERED:
            self._span.set_attribute(names.FROM_MEMORY, True)
            self._telemetry.remembered(self._labels)

    def refused(self, error: InvalidModelOutput) -> None:
        self._span.add_event(names.REFUSED, {names.RULE: error.detail})

    def answered(self, provenance: Provenance, finish_reason: str | None) -> None:
        self._span.set_attributes(_spent(provenance))
        if finish_reason is not None:
            self._span.set_attribute(names.FINISH_REASONS, [finish_reason])
        self._telemetry.count(provenance, self._labels, "ok")

    def failed(self, error: BaseException, spent: Provenance) -> None:
        kind = type(error).__name__
        self._span.set_attributes({**_spent(spent), names.ERROR_TYPE: kind})
        self._span.set_status(Status(StatusCode.ERROR))
        self._telemetry.count(spent, self._labels, kind)


def _who(model: ModelIdentity, backend: str) -> dict[str, Any]:
    return {names.PROVIDER_NAME: model.engine, names.REQUEST_MODEL: model.id, names.BACKEND: backend}


def _what(spec: CallSpec) -> dict[str, Any]:
    shown = {
        name: spec.parameters[parameter]
        for parameter, name in names.PARAMETERS.items()
        if isinstance(spec.parameters.get(parameter), bool | int | float | str)
    }
    prompt: dict[str, Any] = {}
    if spec.prompt is not None:
        prompt = {
            names.PROMPT_NAME: spec.prompt.name,
            names.PROMPT_VERSION: spec.prompt.version,
            names.PROMPT_SHA256: spec.prompt.digest,
        }
    return {
        names.OPERATION_NAME: names.OPERATIONS[spec.kind],
        names.CALL_KEY: spec.key,
        names.INPUT_SHA256: spec.input_sha256,
        names.MODEL_REVISION: spec.model.revision,
        names.MODEL_PRECISION: spec.model.precision,
        **prompt,
        **shown,
    }


def _whom(context: CallContext) -> dict[str, Any]:
    ids = {names.TENANT: context.tenant, names.JOB_ID: context.job_id, names.CONVERSATION_ID: context.conversation_id}
    return {name: value for name, value in ids.items() if value is not None}


def _spent(provenance: Provenance) -> dict[str, Any]:
    usage = provenance.usage
    return {
        names.RESPONSE_MODEL: provenance.model.id,
        names.CACHE_HIT: provenance.cache_hit,
        names.ATTEMPTS: provenance.attempts,
        names.LATENCY_S: provenance.latency_s,
        names.INPUT_TOKENS: usage.input_tokens,
        names.OUTPUT_TOKENS: usage.output_tokens,
        names.CACHED_INPUT_TOKENS: usage.cached_input_tokens,
        names.AUDIO_SECONDS: usage.audio_seconds,
        names.COST_USD: provenance.cost_usd,
    }
