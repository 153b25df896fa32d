"""Budgets: whole numbers of the smallest units, so that sums are exact under any order of calls."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from adapters.sql.engine import Database
from adapters.sql.plain import upsert
from adapters.sql.tables import budget_accounts, budget_reservations
from domain.errors import BudgetExceeded
from ports.call_metering import Amounts, BudgetLedger, Reservation
from ports.clock import Clock

UNITS = {"audio_seconds": 1_000_000, "tokens": 1_000, "money_usd": 1_000_000_000}
"""Smallest units per second of audio, token and US dollar: microseconds, thousandths, nano-dollars."""
NAMES = {"audio_seconds": "audio_seconds", "tokens": "tokens", "money_usd": "money"}
"""What BudgetExceeded calls each amount."""
HELD, SETTLED, RELEASED = "held", "settled", "released"
REMEMBER_S = 86_400.0
"""Seconds that an ended reservation is remembered, so that settling twice charges once."""


class SqlLedger(BudgetLedger):
    """Accounts in two tables: what was used, and what is set aside.

    A reservation whose holder died counts for `reservation_s` seconds at most; one that is settled after that is charged all the
    same. A limit of infinity is no limit.
    """

    def __init__(self, database: Database, clock: Clock, reservation_s: float) -> None:
        self._database = database
        self._clock = clock
        self._reservation_s = reservation_s

    async def reserve(self, accounts: Mapping[str, Amounts], amounts: Amounts) -> Reservation:
        if not all(math.isfinite(amount) and amount >= 0 for amount in astuple(amounts)):
            raise BudgetExceeded("What is no amount can not be set aside.", "money", 0.0)
        reservation = Reservation(f"res_{secrets.token_hex(16)}", tuple(sorted(accounts)), amounts)
        await self._database.write(lambda c: _reserve(c, reservation, accounts, self._clock.now(), self._reservation_s))
        return reservation

    async def settle(self, reservation: Reservation, used: Amounts) -> None:
        await self._database.write(lambda c: _settle(c, reservation, used, self._clock.now()))

    async def release(self, reservation: Reservation) -> None:
        await self._database.write(lambda c: _end(c, reservation.id, RELEASED))

    async def left(self, account: str, limits: Amounts) -> Amounts:
        def work(connection: Connection) -> Amounts:
            taken = _taken(connection, account, self._clock.now())
            return Amounts(**{name: max(0.0, _left(name, limits, taken)) for name in UNITS})

        return await self._database.read(work)


def _reserve(connection: Connection, reservation: Reservation, accounts: Mapping[str, Amounts], now: float, ttl_s: float) -> None:
    old = budget_reservations.c.until < now - REMEMBER_S
    connection.execute(delete(budget_reservations).where(old))
    wanted = _units(reservation.amounts)
    for account in reservation.accounts:
        _lock(connection, account)
        taken = _taken(connection, account, now)
        for name, amount in wanted.items():
            limit = getattr(accounts[account], name)
            if amount > 0 and not math.isinf(limit) and taken[name] + amount > round(limit * UNITS[name]):
                left = max(0.0, _left(name, accounts[account], taken))
                raise BudgetExceeded(f"The budget of {account} does not cover the call.", NAMES[name], left)
    rows = [
        {"id": reservation.id, "account": account, "state": HELD, "until": now + ttl_s, **wanted}
        for account in reservation.accounts
    ]
    if rows:
        connection.execute(insert(budget_reservations), rows)


def _settle(connection: Connection, reservation: Reservation, used: Amounts, now: float) -> None:
    if not _end(connection, reservation.id, SETTLED):
        return
    for account in reservation.accounts:
        _lock(connection, account)
        added = {name: budget_accounts.c[name] + amount for name, amount in _units(used).items()}
        connection.execute(update(budget_accounts).where(budget_accounts.c.account == account).values(**added))


def _end(connection: Connection, reservation_id: str, state: str) -> bool:
    """Move a reservation to its end; False when it had ended before (or is long forgotten)."""
    mine = (budget_reservations.c.id == reservation_id, budget_reservations.c.state == HELD)
    return connection.execute(update(budget_reservations).where(*mine).values(state=state)).rowcount > 0


def _lock(connection: Connection, account: str) -> None:
    """Make the account's row exist and hold it until the transaction ends, accounts in order of their names."""
    zero: dict[str, Any] = dict.fromkeys(UNITS, 0)
    new = upsert(connection.dialect.name, budget_accounts).values(account=account, **zero)
    connection.execute(new.on_conflict_do_nothing())
    connection.execute(select(budget_accounts.c.account).where(budget_accounts.c.account == account).with_for_update())


def _taken(connection: Connection, account: str, now: float) -> dict[str, int]:
    """Return what is used and set aside, in smallest units."""
    used = connection.execute(select(budget_accounts).where(budget_accounts.c.account == account)).mappings().one_or_none()
    aside = budget_reservations.c
    sums = [func.coalesce(func.sum(aside[name]), 0).label(name) for name in UNITS]
    live = (aside.account == account, aside.state == HELD, aside.until > now)
    held = connection.execute(select(*sums).where(*live)).mappings().one()
    return {name: (int(used[name]) if used else 0) + int(held[name]) for name in UNITS}


def _left(name: str, limits: Amounts, taken: Mapping[str, int]) -> float:
    limit: float = getattr(limits, name)
    return limit if math.isinf(limit) else (round(limit * UNITS[name]) - taken[name]) / UNITS[name]


def _units(amounts: Amounts) -> dict[str, int]:
    """Return whole units, rounded up: a call is never cheaper than it was."""
    return {name: math.ceil(round(getattr(amounts, name) * unit, 6)) for name, unit in UNITS.items()}
