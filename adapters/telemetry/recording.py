"""Telemetry that keeps what it was told: the double, and the choice when nobody watches."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from domain.call import CallContext, CallSpec, ModelIdentity, Provenance
from domain.errors import InvalidModelOutput
from ports.telemetry import BreakerState, CallEvent, CallSpan, Telemetry


@dataclass(slots=True)
class RecordedSpan(CallSpan):
    """One call as it was reported."""

    spec: CallSpec
    backend: str
    context: CallContext
    events: list[CallEvent] = field(default_factory=list)
    refusals: list[InvalidModelOutput] = field(default_factory=list)
    provenance: Provenance | None = None
    finish_reason: str | None = None
    error: BaseException | None = None

    @property
    def traceparent(self) -> str | None:
        return self.context.traceparent

    def happened(self, event: CallEvent) -> None:
        self.events.append(event)

    def refused(self, error: InvalidModelOutput) -> None:
        self.refusals.append(error)

    def answered(self, provenance: Provenance, finish_reason: str | None) -> None:
        self.provenance, self.finish_reason = provenance, finish_reason

    def failed(self, error: BaseException, spent: Provenance) -> None:
        self.error, self.provenance = error, spent


class RecordingTelemetry(Telemetry):
    """Keeps the last `keep` spans and breaker changes."""

    def __init__(self, keep: int = 1000) -> None:
        self.spans: deque[RecordedSpan] = deque(maxlen=keep)
        self.breakers: deque[tuple[str, ModelIdentity, BreakerState]] = deque(maxlen=keep)

    @contextmanager
    def call(self, spec: CallSpec, backend: str, context: CallContext) -> Iterator[CallSpan]:
        span = RecordedSpan(spec, backend, context)
        self.spans.append(span)
        yield span

    def breaker_changed(self, backend: str, model: ModelIdentity, state: BreakerState) -> None:
        self.breakers.append((backend, model, state))
