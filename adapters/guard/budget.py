"""What a call may cost is set aside before it is made, and replaced by what it did cost."""

import math
from datetime import UTC, datetime
from typing import Any

from adapters.guard.attempt import GRACE_S
from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.retry import TRIES_AT_VALID_OUTPUT
from adapters.guard.settings import AttemptTimeouts, BudgetSettings, Limits
from adapters.guard.waiting import taken_or_undone, to_the_end
from domain.call import Answer, CallKind, Usage
from domain.errors import StorageFailed
from ports.call_metering import Amounts, BudgetLedger, PriceTable, Reservation
from ports.clock import Clock
from ports.telemetry import CallEvent

_PERIODS = {"day": "%Y-%m-%d", "month": "%Y-%m", "ever": "ever"}


class Budget:
    """Reserves the most a call can use, on the accounts of its tenant and its job, before anything is made.

    Fails closed: a ledger that can not answer (StorageFailed) means no call. A call that fails after the model has answered
    (an invalid output) has used what it used; otherwise all is released.
    """

    def __init__(
        self, ledger: BudgetLedger, settings: BudgetSettings, timeouts: AttemptTimeouts, prices: PriceTable, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._timeouts = timeouts
        self._prices = prices
        self._clock = clock

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises BudgetExceeded with what was left."""
        accounts = self._accounts(call)
        if not accounts:
            return await proceed(call)
        reservation = await self._reserve(accounts, self._most(call))
        try:
            return await proceed(call)
        finally:
            await to_the_end(self._close(call, reservation))

    async def left(self, tenant: str) -> Amounts:
        """Return what the tenant may still use in this period; infinite where it has no limit."""
        account, limits = self._tenant_account(tenant)
        if limits == Limits():
            return amounts_of(limits)
        return await self._ledger.left(account, amounts_of(limits))

    async def _reserve(self, accounts: dict[str, Amounts], amounts: Amounts) -> Reservation:
        return await taken_or_undone(self._ledger.reserve(accounts, amounts), undo=self._ledger.release)

    async def _close(self, call: GuardedCall[Any], reservation: Reservation) -> None:
        try:
            if call.record.answers == 0:
                await self._ledger.release(reservation)
            else:
                await self._ledger.settle(reservation, self._used(call))
        except StorageFailed:
            # What was set aside stays set aside: the account errs on the side of having used more.
            if call.record.span is not None:
                call.record.span.happened(CallEvent.BUDGET_WRITE_FAILED)

    def _accounts(self, call: GuardedCall[Any]) -> dict[str, Amounts]:
        """Name -> limits of the accounts that this call draws on; an account without any limit is not kept."""
        job_id = call.context.job_id
        account, limits = self._tenant_account(call.context.tenant)
        accounts = {account: limits}
        if job_id is not None:
            accounts[f"job:{job_id}"] = self._settings.per_job
        return {name: amounts_of(limits) for name, limits in accounts.items() if limits != Limits()}

    def _tenant_account(self, tenant: str) -> tuple[str, Limits]:
        """Name and limits of a tenant's account in the current period."""
        period = datetime.fromtimestamp(self._clock.now(), UTC).strftime(_PERIODS[self._settings.period])
        return f"tenant:{tenant}:{period}", self._settings.tenants.get(tenant, self._settings.per_tenant)

    def _most(self, call: GuardedCall[Any]) -> Amounts:
        """The most that all attempts can be billed for: those that answer, and no more than that many do."""
        tries = TRIES_AT_VALID_OUTPUT if call.left_to_chance else 1
        timeout: float = getattr(self._timeouts, call.spec.kind.value)
        return self._amounts(call, _times(call.at_most, tries), (timeout + GRACE_S) * tries)

    def _used(self, call: GuardedCall[Any]) -> Amounts:
        return self._amounts(call, counted(call), call.record.model_seconds)

    def _amounts(self, call: GuardedCall[Any], usage: Usage, seconds: float) -> Amounts:
        cost = self._prices.cost_usd(call.spec.kind, call.spec.model, usage, seconds)
        return Amounts(usage.audio_seconds, usage.input_tokens + usage.output_tokens, cost)


def counted(call: GuardedCall[Any]) -> Usage:
    """Return the usage to charge; a backend that reports none is charged the most it can have used."""
    used, most = call.record.usage, _times(call.at_most, call.record.answers)
    if call.spec.kind is CallKind.TRANSCRIBE:
        return used if used.audio_seconds > 0 else used + most
    return used if used.input_tokens + used.output_tokens > 0 else used + most


def amounts_of(limits: Limits) -> Amounts:
    """Return limits as the ledger reads them, infinite where there is none."""
    return Amounts(*(math.inf if limit is None else limit for limit in (limits.audio_seconds, limits.tokens, limits.money_usd)))


def _times(usage: Usage, times: int) -> Usage:
    total = Usage()
    for _ in range(times):
        total = total + usage
    return total
