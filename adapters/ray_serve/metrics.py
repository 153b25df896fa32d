"""Model calls as Prometheus metrics on Ray's own endpoint, around whatever else listens to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from ray.util.metrics import Counter, Gauge, Histogram

from domain.call import CallContext, CallSpec, ModelIdentity, Provenance
from ports.telemetry import BreakerState, CallEvent, CallSpan, Telemetry

LABELS = ("operation", "model", "backend")
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
"""The buckets that the GenAI conventions advise for durations."""
BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


class RayMetrics(Telemetry):
    """Counts every call for Prometheus and passes it on to `inner`. Labels are names of models and kinds, never content."""

    def __init__(self, inner: Telemetry) -> None:
        self._inner = inner
        outcome = (*LABELS, "outcome")
        self.calls = Counter("wordloop_model_calls", "Model calls by outcome.", outcome)
        self.seconds = Histogram("wordloop_model_call_seconds", "Seconds of a model call.", SECONDS, outcome)
        self.hits = Counter("wordloop_cache_hits", "Calls answered from the cache.", LABELS)
        self.retries = Counter("wordloop_retries", "Attempts after the first.", LABELS)
        self.tokens = Counter("wordloop_tokens", "Tokens in and out.", (*LABELS, "direction"))
        self.audio = Counter("wordloop_audio_seconds", "Seconds of audio transcribed.", LABELS)
        self.cost = Counter("wordloop_cost_usd", "Cost by the price table, in US dollars.", LABELS)
        self.breaker = Gauge("wordloop_breaker_state", "0 closed, 1 half open, 2 open.", ("model", "backend"))

    @contextmanager
    def call(self, spec: CallSpec, backend: str, context: CallContext) -> Iterator[CallSpan]:
        labels = {"operation": spec.kind.value, "model": spec.model.id, "backend": backend}
        with self._inner.call(spec, backend, context) as span:
            yield _Counted(self, span, labels)

    def breaker_changed(self, backend: str, model: ModelIdentity, state: BreakerState) -> None:
        self.breaker.set(BREAKER_VALUES[state], {"model": model.id, "backend": backend})
        self._inner.breaker_changed(backend, model, state)


class _Counted(CallSpan):
    def __init__(self, metrics: RayMetrics, inner: CallSpan, labels: dict[str, str]) -> None:
        self._metrics = metrics
        self._inner = inner
        self._labels = labels

    @property
    def traceparent(self) -> str | None:
        return self._inner.traceparent

    def happened(self, event: CallEvent) -> None:
        self._inner.happened(event)

    def answered(self, provenance: Provenance, finish_reason: str | None) -> None:
        self._count(provenance, "ok")
        self._inner.answered(provenance, finish_reason)

    def failed(self, error: BaseException, spent: Provenance) -> None:
        self._count(spent, type(error).__name__)
        self._inner.failed(error, spent)

    def _count(self, provenance: Provenance, outcome: str) -> None:
        metrics, labels, usage = self._metrics, self._labels, provenance.usage
        metrics.calls.inc(1, {**labels, "outcome": outcome})
        metrics.seconds.observe(provenance.latency_s, {**labels, "outcome": outcome})
        if provenance.cache_hit:
            metrics.hits.inc(1, labels)
        if provenance.attempts > 1:
            metrics.retries.inc(provenance.attempts - 1, labels)
        for direction, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens:
                metrics.tokens.inc(tokens, {**labels, "direction": direction})
        if usage.audio_seconds:
            metrics.audio.inc(usage.audio_seconds, labels)
        if provenance.cost_usd:
            metrics.cost.inc(provenance.cost_usd, labels)
