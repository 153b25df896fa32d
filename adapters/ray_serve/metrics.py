"""Model calls and jobs as Prometheus metrics on Ray's own endpoint, around whatever else listens to the calls."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

from adapters.ray_serve import metric_table as table
from adapters.ray_serve.instruments import BoundedLabel, Instruments
from domain.call import CallContext, CallSpec, ModelIdentity, Provenance
from domain.errors import InvalidModelOutput
from domain.job import Job, QueueStanding
from domain.search import SpaceStanding
from domain.webhook import WebhookBacklog
from ports.job_metrics import JobMetrics, JobOutcome
from ports.telemetry import BreakerState, CallEvent, CallSpan, Telemetry

BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
MOST_REASONS: Final = 40
"""Rules that answers break, told apart by one process: the guard knows about as many, and providers may add to them."""
POINTER: Final = re.compile(r" at /\S*")
NUMBER: Final = re.compile(r"\d[\d.,]*")


class RayMetrics(Telemetry):
    """Counts every call for Prometheus and passes it on to `inner`. Labels are names of models, kinds and tenants, never content.

    `tenants` are always told apart, and the first `most_tenants` others that are seen here.
    """

    def __init__(self, inner: Telemetry, instruments: Instruments, most_tenants: int, tenants: Collection[str] = ()) -> None:
        self._inner = inner
        self._to = instruments
        self.tenant = BoundedLabel(most_tenants, tenants)
        self.reason = BoundedLabel(MOST_REASONS)
        self._breakers: dict[tuple[str, str], BreakerState] = {}

    @contextmanager
    def call(self, spec: CallSpec, backend: str, context: CallContext) -> Iterator[CallSpan]:
        labels = {"operation": spec.kind.value, "model": spec.model.id, "backend": backend}
        with self._inner.call(spec, backend, context) as span:
            yield _Counted(self, self._to, span, labels, context.tenant)

    def breaker_changed(self, backend: str, model: ModelIdentity, state: BreakerState) -> None:
        self._breakers[model.id, backend] = state
        self.tell_breakers()
        self._inner.breaker_changed(backend, model, state)

    def tell_breakers(self) -> None:
        """Set the states again: Ray drops a gauge that is not set for a while."""
        for (model, backend), state in self._breakers.items():
            self._to.set(table.BREAKER, BREAKER_VALUES[state], model=model, backend=backend)


class _Counted(CallSpan):
    def __init__(
        self, metrics: RayMetrics, instruments: Instruments, inner: CallSpan, labels: dict[str, str], tenant: str
    ) -> None:
        self._metrics = metrics
        self._to = instruments
        self._inner = inner
        self._labels = labels
        self._tenant = tenant

    @property
    def traceparent(self) -> str | None:
        return self._inner.traceparent

    def happened(self, event: CallEvent) -> None:
        if event is CallEvent.REFUSAL_REMEMBERED:
            self._to.count(table.REMEMBERED, 1, **self._labels)
        self._inner.happened(event)

    def refused(self, error: InvalidModelOutput) -> None:
        self._to.count(table.REFUSED, 1, **self._labels, reason=self._metrics.reason(rule_of(error)))
        self._inner.refused(error)

    def answered(self, provenance: Provenance, finish_reason: str | None) -> None:
        self._count(provenance, "ok")
        self._inner.answered(provenance, finish_reason)

    def failed(self, error: BaseException, spent: Provenance) -> None:
        self._count(spent, type(error).__name__)
        self._inner.failed(error, spent)

    def _count(self, provenance: Provenance, outcome: str) -> None:
        labels, usage, count = self._labels, provenance.usage, self._to.count
        self._metrics.tell_breakers()
        count(table.CALLS, 1, **labels, outcome=outcome)
        self._to.observe(table.CALL_TIME, provenance.latency_s, **labels, outcome=outcome)
        count(table.CACHE_HITS, int(provenance.cache_hit), **labels)
        count(table.RETRIES, max(0, provenance.attempts - 1), **labels)
        count(table.TOKENS, usage.input_tokens, **labels, direction="input")
        count(table.TOKENS, usage.output_tokens, **labels, direction="output")
        count(table.AUDIO, usage.audio_seconds, **labels)
        if provenance.cost_usd:
            count(table.COST, provenance.cost_usd, **labels, tenant=self._metrics.tenant(self._tenant))


def rule_of(error: InvalidModelOutput) -> str:
    """Return the rule that an answer broke, the same for every answer: without the numbers and places of this one."""
    return NUMBER.sub("N", POINTER.sub("", error.detail))


class RayJobMetrics(JobMetrics):
    """Jobs, their stages and the queue."""

    def __init__(self, instruments: Instruments) -> None:
        self._to = instruments

    def taken_over(self, job: Job) -> None:
        self._to.count(table.TAKEOVERS, 1, kind=job.request.kind.value)

    def stage_ended(self, job: Job, stage: str, seconds: float) -> None:
        self._to.observe(table.STAGE_TIME, seconds, kind=job.request.kind.value, stage=stage)

    def attempt_ended(self, job: Job, outcome: JobOutcome, since_submitted_s: float) -> None:
        labels = {"kind": job.request.kind.value, "lane": job.lane.value}
        self._to.count(table.JOBS_ENDED, 1, **labels, outcome=outcome.value)
        if outcome is JobOutcome.COMPLETED:
            self._to.observe(table.JOB_TIME, since_submitted_s, **labels)

    def standing(self, queue: QueueStanding, webhooks: WebhookBacklog) -> None:
        for lane, now in queue.lanes.items():
            self._to.set(table.WAITING, now.waiting, lane=lane.value)
            self._to.set(table.RUNNING, now.running, lane=lane.value)
            self._to.set(table.OLDEST, now.oldest_waiting_s, lane=lane.value)
        self._to.set(table.DEAD, queue.dead)
        self._to.set(table.HOOKS_BEHIND, webhooks.behind)
        self._to.set(table.HOOKS_LATE, webhooks.late_s)

    def to_embed(self, standing: SpaceStanding) -> None:
        self._to.set(table.PASSAGES, standing.passages)
        self._to.set(table.TO_EMBED, standing.unplaced)
