"""Who counts on stored bytes, and who is removing them: two states that exclude one another."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, literal, select, union

from adapters.sql.engine import Database
from adapters.sql.plain import upsert
from adapters.sql.tables import blob_holds, blob_tombstones, blob_uses
from domain.errors import QuotaExceeded
from ports.blob_store import HOLD_S, TAKE_OVER_S, BlobReferences
from ports.clock import Clock


class SqlBlobReferences(BlobReferences):
    """Uses by jobs, holds of uploads and tombstones as rows; each question and its answer are one transaction."""

    def __init__(self, database: Database, clock: Clock, max_tenant_bytes: int | None = None) -> None:
        self._database = database
        self._clock = clock
        self._max_tenant_bytes = max_tenant_bytes

    async def check_room(self, tenant: str, size: int) -> None:
        if self._max_tenant_bytes is not None:
            await self._database.read(lambda c: check_room(c, tenant, None, size, self._max_tenant_bytes))

    async def blob_in_use(self, tenant: str, blob_id: str) -> bool:
        used = select(literal(1)).where(blob_uses.c.tenant == tenant, blob_uses.c.blob_id == blob_id)
        return await self._database.read(lambda c: c.execute(used.limit(1)).first() is not None)

    async def hold(self, tenant: str, blob_id: str, holder: str) -> bool:
        def work(connection: Connection) -> bool:
            if has_tombstone(connection, tenant, blob_id):
                return False
            until = self._database.now(connection, self._clock) + HOLD_S
            row = {"tenant": tenant, "blob_id": blob_id, "holder": holder, "until": until}
            statement = upsert(connection.dialect.name, blob_holds).values(**row)
            kept = {"until": until}
            connection.execute(statement.on_conflict_do_update(index_elements=["tenant", "blob_id", "holder"], set_=kept))
            return True

        return await self._database.write(work)

    async def let_go(self, tenant: str, blob_id: str, holder: str) -> None:
        await self._database.write(lambda c: _let_go(c, tenant, blob_id, holder))

    async def set_tombstone(self, tenant: str, blob_id: str, holder: str | None = None) -> bool:
        def work(connection: Connection) -> bool:
            if holder is not None:
                _let_go(connection, tenant, blob_id, holder)
            return set_tombstone(connection, tenant, blob_id, self._database.now(connection, self._clock))

        return await self._database.write(work)

    async def clear_tombstone(self, tenant: str, blob_id: str) -> None:
        tombstone = (blob_tombstones.c.tenant == tenant, blob_tombstones.c.blob_id == blob_id)
        await self._database.write(lambda c: c.execute(delete(blob_tombstones).where(*tombstone)))

    async def left_behind(self, limit: int = 100) -> Sequence[tuple[str, str]]:
        def is_some(connection: Connection) -> bool:
            return bool(_left_behind(connection, self._database.now(connection, self._clock), 1))

        def work(connection: Connection) -> Sequence[tuple[str, str]]:
            now = self._database.now(connection, self._clock)
            found = _left_behind(connection, now, limit)
            return [each for each in found if set_tombstone(connection, *each, now)]

        return await self._database.write(work) if await self._database.read(is_some) else ()


def check_room(connection: Connection, tenant: str, blob_id: str | None, size: int, most: int | None) -> None:
    """Raise QuotaExceeded when the tenant's recordings, and `size` bytes under `blob_id`, would be more than `most`."""
    if most is None:
        return
    mine = select(func.max(blob_uses.c.size).label("size")).where(
        blob_uses.c.tenant == tenant, blob_uses.c.blob_id != (blob_id or "")
    )
    each = mine.group_by(blob_uses.c.blob_id).subquery()
    used = int(connection.execute(select(func.coalesce(func.sum(each.c.size), 0))).scalar_one())
    if used + size > most:
        raise QuotaExceeded(
            f"Your recordings take {used} of {most} bytes; nothing was stored. Delete conversations to make room."
        )


def has_tombstone(connection: Connection, tenant: str, blob_id: str) -> bool:
    """Say whether somebody is removing the bytes."""
    tombstone = select(literal(1)).where(blob_tombstones.c.tenant == tenant, blob_tombstones.c.blob_id == blob_id)
    return connection.execute(tombstone).first() is not None


def set_tombstone(connection: Connection, tenant: str, blob_id: str, now: float) -> bool:
    """Set a tombstone on the bytes unless a job names them or an upload holds them; anew where there is one already."""
    used = select(literal(1)).where(blob_uses.c.tenant == tenant, blob_uses.c.blob_id == blob_id)
    mine = (blob_holds.c.tenant == tenant, blob_holds.c.blob_id == blob_id)
    connection.execute(delete(blob_holds).where(*mine, blob_holds.c.until <= now))
    held = select(literal(1)).where(*mine)
    if any(connection.execute(question.limit(1)).first() for question in (used, held)):
        return False
    statement = upsert(connection.dialect.name, blob_tombstones).values(tenant=tenant, blob_id=blob_id, since=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant", "blob_id"], set_={"since": now}))
    return True


def _let_go(connection: Connection, tenant: str, blob_id: str, holder: str) -> None:
    mine = (blob_holds.c.tenant == tenant, blob_holds.c.blob_id == blob_id, blob_holds.c.holder == holder)
    connection.execute(delete(blob_holds).where(*mine))


def _left_behind(connection: Connection, now: float, limit: int) -> Sequence[tuple[str, str]]:
    held = select(blob_holds.c.tenant, blob_holds.c.blob_id).where(blob_holds.c.until <= now)
    marked = select(blob_tombstones.c.tenant, blob_tombstones.c.blob_id).where(blob_tombstones.c.since <= now - TAKE_OVER_S)
    return [(row.tenant, row.blob_id) for row in connection.execute(union(held, marked).limit(limit))]
