"""The board of breakers and demand in the database. One row a breaker that ever opened, one a process that calls."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from adapters.sql.engine import Database
from adapters.sql.plain import from_text, to_text, upsert
from adapters.sql.tables import breakers, call_demand
from ports.call_board import CallBoard, News, Notice
from ports.clock import Clock

DEAD_DEMAND_S = 86_400.0
"""Seconds after which what a process posted last is swept; it counts for nothing long before."""


class SqlCallBoard(CallBoard):
    """Times are the server's own on PostgreSQL where the store is so set, so that machines need not agree."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
        if demand is not None:
            posted = to_text(demand)

            def post(connection: Connection) -> None:
                now = self._now(connection)
                connection.execute(delete(call_demand).where(call_demand.c.until < now - DEAD_DEMAND_S))
                row = {"demand": posted, "until": now + for_s}
                statement = upsert(connection.dialect.name, call_demand).values(owner=owner, **row)
                connection.execute(statement.on_conflict_do_update(index_elements=["owner"], set_=row))

            await self._database.write(post)

        def look(connection: Connection) -> News:
            now = self._now(connection)
            live = select(call_demand.c.owner, call_demand.c.demand).where(call_demand.c.until > now)
            posts = {row.owner: from_text(row.demand) for row in connection.execute(live)}
            return News({row.target: _notice(row, now) for row in connection.execute(select(breakers))}, posts)

        return await self._database.read(look)

    async def open(self, target: str, owner: str, open_for_s: float, doubt_s: float) -> Notice | None:
        def work(connection: Connection) -> Notice | None:
            now, row = self._now(connection), _row(connection, target)
            if row is None:
                connection.execute(insert(breakers).values(target=target, serial=0, opened_by=owner, changed_at=now))
                return _opened(connection, target, now, open_for_s, owner)
            if row.open_for is not None and (row.open_until > now or (row.probed_by and row.probed_until > now)):
                return _notice(row, now)
            if row.open_for is None and row.opened_by == owner and row.closed_by != owner and now < row.changed_at + doubt_s:
                return None
            return _opened(connection, target, now, open_for_s, owner)

        return await self._database.write(work)

    async def probe(self, target: str, owner: str, hold_s: float) -> bool:
        def work(connection: Connection) -> bool:
            now, row = self._now(connection), breakers.c
            free = row.probed_by.is_(None) | (row.probed_by == owner) | (row.probed_until <= now)
            due = and_(row.target == target, row.open_for.is_not(None), row.open_until <= now, free)
            claim = update(breakers).where(due).values(probed_by=owner, probed_until=now + hold_s)
            return connection.execute(claim).rowcount == 1

        return await self._database.write(work)

    async def drop_probe(self, target: str, owner: str) -> None:
        await self._database.write(lambda c: c.execute(update(breakers).where(_is_probe(target, owner)).values(probed_by=None)))

    async def reopen(self, target: str, owner: str, open_for_s: float) -> Notice | None:
        def work(connection: Connection) -> Notice | None:
            if not _is_probed(connection, target, owner):
                return None
            return _opened(connection, target, self._now(connection), open_for_s, None)

        return await self._database.write(work)

    async def close(self, target: str, owner: str) -> Notice | None:
        def work(connection: Connection) -> Notice | None:
            if not _is_probed(connection, target, owner):
                return None
            closed: dict[str, Any] = {"open_for": None, "open_until": None, "probed_by": None, "closed_by": owner}
            return _changed(connection, target, self._now(connection), closed)

        return await self._database.write(work)

    def _now(self, connection: Connection) -> float:
        return self._database.now(connection, self._clock)


def _row(connection: Connection, target: str) -> Row[Any] | None:
    return connection.execute(select(breakers).where(breakers.c.target == target)).one_or_none()


def _notice(row: Row[Any], now: float) -> Notice:
    return Notice(row.serial, row.open_for, max(0.0, row.open_until - now) if row.open_for is not None else 0.0)


def _is_probe(target: str, owner: str) -> ColumnElement[bool]:
    return and_(breakers.c.target == target, breakers.c.open_for.is_not(None), breakers.c.probed_by == owner)


def _is_probed(connection: Connection, target: str, owner: str) -> bool:
    return connection.execute(select(breakers.c.target).where(_is_probe(target, owner))).first() is not None


def _opened(connection: Connection, target: str, now: float, open_for_s: float, owner: str | None) -> Notice:
    values: dict[str, Any] = {"open_for": open_for_s, "open_until": now + open_for_s, "probed_by": None}
    return _changed(connection, target, now, values if owner is None else {**values, "opened_by": owner})


def _changed(connection: Connection, target: str, now: float, values: Mapping[str, Any]) -> Notice:
    changed = update(breakers).where(breakers.c.target == target)
    connection.execute(changed.values(serial=breakers.c.serial + 1, changed_at=now, **values))
    row = _row(connection, target)
    assert row is not None
    return _notice(row, now)
