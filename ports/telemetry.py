"""What is told about model calls to whoever watches: never content, keys or headers."""

from abc import abstractmethod
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from domain.call import CallContext, CallSpec, ModelIdentity, Provenance
from domain.errors import InvalidModelOutput


class BreakerState(StrEnum):
    """Whether calls to a backend pass (`closed`), one probe passes (`half_open`), or none does (`open`)."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class CallEvent(StrEnum):
    """Something worth a mark on the span of a call."""

    RETRIED = "retried"
    WAITED_FOR_FLIGHT = "waited_for_flight"
    CACHE_UNREADABLE = "cache_unreadable"
    REFUSAL_REMEMBERED = "refusal_remembered"
    CACHE_WRITE_LOST = "cache_write_lost"
    CACHE_WRITE_FAILED = "cache_write_failed"
    BUDGET_WRITE_FAILED = "budget_write_failed"


class CallSpan(Protocol):
    """The open span of one call."""

    @property
    @abstractmethod
    def traceparent(self) -> str | None:
        """The W3C trace parent that the backend continues, or None when nothing is recorded."""

    @abstractmethod
    def happened(self, event: CallEvent) -> None: ...

    @abstractmethod
    def refused(self, error: InvalidModelOutput) -> None:
        """Record that an answer broke a rule, which `error` names; the call may be tried again."""

    @abstractmethod
    def answered(self, provenance: Provenance, finish_reason: str | None) -> None: ...

    @abstractmethod
    def failed(self, error: BaseException, spent: Provenance) -> None:
        """Record the kind of `error` (never its text) and what the failed attempts used and cost."""


class Telemetry(Protocol):
    """Spans and metrics of model calls."""

    @abstractmethod
    def call(self, spec: CallSpec, backend: str, context: CallContext) -> AbstractContextManager[CallSpan]:
        """Open the one span of a call, a child of `context.traceparent` or of the current span. Never raises."""

    @abstractmethod
    def breaker_changed(self, backend: str, model: ModelIdentity, state: BreakerState) -> None: ...
