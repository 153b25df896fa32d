"""A budget ledger in memory."""

import math
from collections.abc import Mapping
from dataclasses import astuple, fields
from itertools import count

from domain.errors import BudgetExceeded
from ports.call_metering import Amounts, BudgetLedger, Reservation

NAMES = {"audio_seconds": "audio_seconds", "tokens": "tokens", "money_usd": "money"}
"""Field of `Amounts` -> what BudgetExceeded calls it."""


class MemoryBudgetLedger(BudgetLedger):
    """Accounts of one process. Every method is atomic: none of them waits."""

    def __init__(self) -> None:
        self._used: dict[str, Amounts] = {}
        self._reserved: dict[str, Reservation] = {}
        self._ids = count(1)

    async def reserve(self, accounts: Mapping[str, Amounts], amounts: Amounts) -> Reservation:
        if not all(math.isfinite(amount) and amount >= 0 for amount in astuple(amounts)):
            raise BudgetExceeded("an amount that is not a number can not be reserved", "money", 0.0)
        for account, limits in accounts.items():
            left = await self.left(account, limits)
            for field in fields(Amounts):
                wanted, there = getattr(amounts, field.name), getattr(left, field.name)
                if wanted > there:
                    what = NAMES[field.name]
                    raise BudgetExceeded(f"the {what} budget has {there:g} left; the call may need {wanted:g}", what, there)
        reservation = Reservation(f"reservation-{next(self._ids)}", tuple(accounts), amounts)
        self._reserved[reservation.id] = reservation
        return reservation

    async def settle(self, reservation: Reservation, used: Amounts) -> None:
        if self._reserved.pop(reservation.id, None) is None:
            return
        for account in reservation.accounts:
            self._used[account] = _sum(self._used.get(account, Amounts()), used)

    async def release(self, reservation: Reservation) -> None:
        self._reserved.pop(reservation.id, None)

    async def left(self, account: str, limits: Amounts) -> Amounts:
        taken = self._used.get(account, Amounts())
        for reservation in self._reserved.values():
            if account in reservation.accounts:
                taken = _sum(taken, reservation.amounts)
        return Amounts(*(max(0.0, limit - gone) for limit, gone in zip(astuple(limits), astuple(taken), strict=True)))


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return Amounts(*(math.fsum(pair) for pair in zip(astuple(one), astuple(other), strict=True)))
