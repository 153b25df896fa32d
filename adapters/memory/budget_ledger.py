"""A budget ledger in memory."""

import math
from collections.abc import Mapping
from itertools import count

from domain.errors import BudgetExceeded
from ports.call_metering import Amounts, BudgetLedger, Reservation

UNITS = {"audio_seconds": 1_000_000, "tokens": 1_000, "money_usd": 1_000_000_000}
"""Smallest units per second of audio, token and US dollar, so that sums are exact whatever their order."""
NAMES = {"audio_seconds": "audio_seconds", "tokens": "tokens", "money_usd": "money"}
"""Field of `Amounts` -> what BudgetExceeded calls it."""


class MemoryBudgetLedger(BudgetLedger):
    """Accounts of one process. Every method is atomic: none of them waits."""

    def __init__(self) -> None:
        self._used: dict[str, dict[str, int]] = {}
        self._reserved: dict[str, Reservation] = {}
        self._ids = count(1)

    async def reserve(self, accounts: Mapping[str, Amounts], amounts: Amounts) -> Reservation:
        wanted = _units(amounts)
        for account, limits in accounts.items():
            taken = self._taken(account)
            for name, amount in wanted.items():
                limit = getattr(limits, name)
                if amount > 0 and not math.isinf(limit) and taken[name] + amount > round(limit * UNITS[name]):
                    left = _left(name, limits, taken)
                    raise BudgetExceeded(f"the {NAMES[name]} budget of {account} does not cover the call", NAMES[name], left)
        reservation = Reservation(f"reservation-{next(self._ids)}", tuple(accounts), amounts)
        self._reserved[reservation.id] = reservation
        return reservation

    async def settle(self, reservation: Reservation, used: Amounts) -> None:
        if self._reserved.pop(reservation.id, None) is None:
            return
        for account in reservation.accounts:
            sums = self._used.setdefault(account, dict.fromkeys(UNITS, 0))
            for name, amount in _units(used).items():
                sums[name] += amount

    async def release(self, reservation: Reservation) -> None:
        self._reserved.pop(reservation.id, None)

    async def left(self, account: str, limits: Amounts) -> Amounts:
        taken = self._taken(account)
        return Amounts(**{name: _left(name, limits, taken) for name in UNITS})

    def _taken(self, account: str) -> dict[str, int]:
        taken = dict(self._used.get(account, dict.fromkeys(UNITS, 0)))
        for reservation in self._reserved.values():
            if account in reservation.accounts:
                for name, amount in _units(reservation.amounts).items():
                    taken[name] += amount
        return taken


def _units(amounts: Amounts) -> dict[str, int]:
    """Return amounts in smallest units, rounded up. Raises BudgetExceeded for what can not be counted: budgets fail closed."""
    units = {}
    for name, scale in UNITS.items():
        amount = getattr(amounts, name)
        if not (math.isfinite(amount) and amount >= 0):
            raise BudgetExceeded("an amount that is not a number can not be reserved", NAMES[name], 0.0)
        units[name] = math.ceil(round(amount * scale, 3))
    return units


def _left(name: str, limits: Amounts, taken: Mapping[str, int]) -> float:
    limit: float = getattr(limits, name)
    return limit if math.isinf(limit) else max(0.0, limit - taken[name] / UNITS[name])
