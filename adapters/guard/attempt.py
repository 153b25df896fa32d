"""One attempt at the backend, bounded in time, and the check of what it returned."""

from dataclasses import replace
from typing import Any

from adapters.guard.call import Attempt, GuardedCall
from adapters.guard.checks import checked_usage
from adapters.guard.deadline import SHORTEST_USEFUL_S
from adapters.guard.settings import AttemptTimeouts
from adapters.guard.waiting import TimeIsUp, within
from domain.call import Answer, Provenance
from domain.errors import DeadlineExceeded, InvalidModelOutput, ModelTimeout, ModelUnavailable, WordloopError
from ports.call_metering import PriceTable
from ports.clock import Clock
from ports.model_backend import CallMeta, RawOutput

GRACE_S = 1.0
"""Seconds that a backend gets beyond its timeout to report it itself, before it is cut off."""


class BackendAttempt:
    """Calls the backend once. Whatever it raises leaves as one of our errors, its text unquoted."""

    def __init__(self, timeouts: AttemptTimeouts, clock: Clock) -> None:
        self._timeouts = timeouts
        self._clock = clock

    async def __call__(self, call: GuardedCall[Any]) -> RawOutput:
        timeout: float = getattr(self._timeouts, call.spec.kind.value)
        left = float("inf") if call.context.deadline is None else call.context.deadline - self._clock.now()
        if left < SHORTEST_USEFUL_S:
            raise DeadlineExceeded("the deadline passed between two attempts")
        call.record.attempts += 1
        started = self._clock.monotonic()
        try:
            raw = await self._ask(call, min(timeout, left))
        except ModelTimeout as error:
            if left < timeout:  # The job ran out of time, not the model: no mark against the backend.
                raise DeadlineExceeded("the deadline passed before the model answered") from error
            raise
        call.record.answers += 1
        call.record.model_seconds += self._clock.monotonic() - started
        return raw

    async def _ask(self, call: GuardedCall[Any], timeout: float) -> RawOutput:
        span = call.record.span
        traceparent = (span.traceparent if span else None) or call.context.traceparent
        meta = CallMeta(key=call.spec.key, tenant=call.context.tenant, traceparent=traceparent)
        try:
            return await within(self._clock, timeout + GRACE_S, _call(call, meta, timeout))
        except TimeIsUp:
            raise ModelTimeout(f"no answer within {timeout:.1f} s") from None
        except WordloopError:
            raise
        except Exception as error:
            raise ModelUnavailable(f"the backend {call.backend.name} failed with {type(error).__name__}", None) from error


async def _call(call: GuardedCall[Any], meta: CallMeta, timeout: float) -> RawOutput:
    return await call.backend.call(call.request, meta, timeout)


class Validate:
    """Turns raw output into a domain value with its provenance; nothing unchecked gets past here."""

    def __init__(self, prices: PriceTable, clock: Clock) -> None:
        self._prices = prices
        self._clock = clock

    async def __call__(self, call: GuardedCall[Any], proceed: Attempt) -> Answer[Any]:
        """Raises InvalidModelOutput with the broken rule."""
        try:
            raw = await proceed(call)
            try:
                call.record.usage = call.record.usage + checked_usage(raw)
                value = call.rules.check(raw)
            except InvalidModelOutput as error:
                call.record.refusal = error
                raise
        except InvalidModelOutput as error:
            if call.record.span is not None:
                call.record.span.refused(error)
            raise
        reason = raw.payload.get("finish_reason")
        call.record.finish_reason = reason if isinstance(reason, str) else None
        return Answer(value, spent(call, self._prices, self._clock))


def spent(call: GuardedCall[Any], prices: PriceTable, clock: Clock) -> Provenance:
    """Return the provenance of a call with all that its attempts have used so far."""
    record = call.record
    return replace(
        Provenance.of(call.spec),
        attempts=record.attempts,
        latency_s=clock.monotonic() - record.started,
        usage=record.usage,
        cost_usd=prices.cost_usd(call.spec.kind, call.spec.model, record.usage, record.model_seconds),
    )
