"""The layers around a model call, in order, and the one place where they are put together."""

import math
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Any

from adapters.guard.answers import unpack
from adapters.guard.attempt import BackendAttempt, Validate
from adapters.guard.breaker import CircuitBreaker
from adapters.guard.budget import Budget
from adapters.guard.bulkhead import Bulkhead
from adapters.guard.cache import Cached
from adapters.guard.call import GuardedCall, Layer, Proceed
from adapters.guard.deadline import Deadline
from adapters.guard.flights import SharedFlights
from adapters.guard.others import Others, Target
from adapters.guard.rate_limit import RateLimit
from adapters.guard.retry import Retry
from adapters.guard.settings import BudgetSettings, CacheSettings, GuardSettings
from adapters.guard.tracing import Trace
from domain.call import Answer
from domain.errors import InvalidModelOutput
from ports.call_board import CallBoard
from ports.call_cache import CallCache
from ports.call_metering import Amounts, BudgetLedger, PriceTable
from ports.clock import Clock
from ports.telemetry import BreakerState, Telemetry


class CallGuard:
    """Runs model calls through all layers, and tells what it knows of the backends."""

    def __init__(
        self,
        run: Proceed,
        breaker: CircuitBreaker,
        others: Others,
        budget: Budget | None,
        cache: CallCache,
        settings: CacheSettings,
        clock: Clock,
    ) -> None:
        self._run = run
        self._breaker = breaker
        self._others = others
        self._budget = budget
        self._cache = cache
        self._settings = settings
        self.clock = clock

    async def __call__(self, call: GuardedCall[Any]) -> Answer[Any]:
        return await self._run(call)

    def breaker_states(self) -> Mapping[Target, BreakerState]:
        """State per (backend name, model id, model revision), of those that were called from this process."""
        return self._breaker.states()

    async def states_of_all(self) -> Mapping[Target, BreakerState]:
        """State per (backend name, model id, model revision) as the whole service has it."""
        return await self._breaker.states_of_all()

    def share(self, thing: str) -> float:
        """Count one use of what all processes share, and return this process's part of it: above 0 to 1."""
        return self._others.share(thing, self._others.asks(thing))

    async def known(self, call: GuardedCall[Any]) -> Answer[Any] | None:
        """Return the cached answer of a call without making it and without a trace; None when there is none that can be used."""
        if call.cache_key is None or (stored := await self._cache.read(*call.cache_key)) is None:
            return None
        try:
            answer = unpack(stored, call, oldest=self.clock.now() - self._settings.max_age_s)
        except InvalidModelOutput:
            return None
        return Answer(answer.value, answer.provenance.served_from_cache(0.0))

    async def budget_left(self, tenant: str) -> Amounts:
        """Return what a tenant may still use; infinite where there is no limit. Raises StorageFailed."""
        return Amounts(math.inf, math.inf, math.inf) if self._budget is None else await self._budget.left(tenant)

    async def trim_cache(self) -> int:
        """Hold the call cache to its limits of size and age; return how many answers went. For a periodic sweep."""
        return await self._cache.trim(self._settings.max_bytes, self._settings.max_age_s)


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
    board: CallBoard | None = None,
) -> CallGuard:
    """Build the guard of this process. `owner` names the process in the call cache and must be unique in the cluster.

    `board`: where the processes of one service meet; None for a process that is alone.

    Raises ValueError when budgets are set and there is no ledger to hold them: budgets fail closed.
    """
    others = Others(board, owner, settings.shared, clock)
    breaker = CircuitBreaker(settings.breaker, clock, telemetry, others)
    budget = _budget(settings, ledger, prices, clock)
    run = around(
        partial(Validate(prices, clock), proceed=BackendAttempt(settings.timeouts, clock)),
        Trace(telemetry, prices, clock),
        Deadline(clock),
        SharedFlights(clock),
        Cached(cache, settings.cache, clock, owner, random),
        *([budget] if budget is not None else []),
        RateLimit(settings.rate, clock, others),
        Bulkhead(settings.bulkhead, clock, others),
        breaker,
        Retry(settings.retry, clock, random),
    )
    return CallGuard(run, breaker, others, budget, cache, settings.cache, clock)


def _budget(settings: GuardSettings, ledger: BudgetLedger | None, prices: PriceTable, clock: Clock) -> Budget | None:
    if ledger is not None:
        return Budget(ledger, settings.budget, settings.timeouts, prices, clock)
    if settings.budget != BudgetSettings(period=settings.budget.period):
        raise ValueError("budgets are set, but there is no ledger to hold them")
    return None


def around(innermost: Proceed, *layers: Layer) -> Proceed:
    """Wrap `innermost` into the layers, the first one outermost."""
    proceed = innermost
    for layer in reversed(layers):
        proceed = partial(layer, proceed=proceed)
    return proceed
