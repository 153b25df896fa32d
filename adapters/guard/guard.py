"""The layers around a model call, in order, and the one place where they are put together."""

from functools import partial
from random import Random
from typing import Any

from adapters.guard.attempt import BackendAttempt, Validate
from adapters.guard.cache import Cached
from adapters.guard.call import GuardedCall, Layer, Proceed
from adapters.guard.deadline import Deadline
from adapters.guard.flights import SharedFlights
from adapters.guard.retry import Retry
from adapters.guard.settings import GuardSettings
from adapters.guard.tracing import Trace
from domain.call import Answer
from ports.call_cache import CallCache
from ports.call_metering import BudgetLedger, PriceTable
from ports.clock import Clock
from ports.telemetry import BreakerState, Telemetry


class CallGuard:
    """Runs model calls through all layers."""

    def __init__(self, run: Proceed, clock: Clock) -> None:
        self._run = run
        self.clock = clock

    async def __call__(self, call: GuardedCall[Any]) -> Answer[Any]:
        return await self._run(call)


def build_guard(
    settings: GuardSettings,
    *,
    cache: CallCache,
    ledger: BudgetLedger | None,
    prices: PriceTable,
    clock: Clock,
    telemetry: Telemetry,
    owner: str,
    random: Random,
) -> CallGuard:
    """Build the guard of this process. `owner` names the process in the call cache and must be unique in the cluster."""
    run = around(
        partial(Validate(prices, clock), proceed=BackendAttempt(settings.timeouts, clock)),
        Trace(telemetry, prices, clock),
        Deadline(clock),
        SharedFlights(clock),
        Cached(cache, settings.cache, clock, owner, random),
        Retry(settings.retry, clock, random),
    )
    return CallGuard(run, clock)


def around(innermost: Proceed, *layers: Layer) -> Proceed:
    """Wrap `innermost` into the layers, the first one outermost."""
    proceed = innermost
    for layer in reversed(layers):
        proceed = partial(layer, proceed=proceed)
    return proceed


__all__ = ["BreakerState", "CallGuard", "build_guard"]
