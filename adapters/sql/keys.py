"""Keys of callers as rows: digests only."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, RowMapping, insert, select, update

from adapters.sql.engine import Database
from adapters.sql.tables import api_keys
from domain.api_key import NO_LIMITS, ApiKey, KeyLimits, Scope, digest_of, fits, id_of, new_key
from domain.errors import NotFound
from ports.api_keys import ApiKeys
from ports.clock import Clock

_k = api_keys.c


class SqlApiKeys(ApiKeys):
    """All keys in one table. A key is found by its public id, and then held against its digest."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def create(
        self, tenant: str, scopes: frozenset[Scope], name: str, expires_at: float | None, limits: KeyLimits = NO_LIMITS
    ) -> tuple[ApiKey, str]:
        key_id, text = new_key()

        def work(connection: Connection) -> ApiKey:
            now = self._database.now(connection, self._clock)
            return _insert(connection, ApiKey(key_id, tenant, scopes, name, now, expires_at, None, limits), text)

        return await self._database.write(work), text

    async def verify(self, key: str) -> ApiKey | None:
        key_id = id_of(key)
        if key_id is None:
            return None

        def work(connection: Connection) -> ApiKey | None:
            row = _find(connection, key_id)
            if row is None or not fits(key, row["digest"]):
                return None
            found = _key(row)
            return found if found.live(self._database.now(connection, self._clock)) else None

        return await self._database.read(work)

    async def list(self, tenant: str | None = None) -> Sequence[ApiKey]:
        chosen = select(api_keys).order_by(_k.created_at, _k.id)
        if tenant is not None:
            chosen = chosen.where(_k.tenant == tenant)
        return [_key(row) for row in await self._database.read(lambda c: c.execute(chosen).mappings().all())]

    async def rotate(self, key_id: str, overlap_s: float) -> tuple[ApiKey, str]:
        new_id, text = new_key()

        def work(connection: Connection) -> ApiKey:
            now = self._database.now(connection, self._clock)
            row = _find(connection, key_id)
            if row is None or not (old := _key(row)).live(now):
                raise NotFound(f"There is no live key {key_id}.")
            ends = now + overlap_s if old.expires_at is None else min(old.expires_at, now + overlap_s)
            connection.execute(update(api_keys).where(_k.id == key_id).values(expires_at=ends))
            return _insert(connection, replace(old, id=new_id, created_at=now), text)

        return await self._database.write(work), text

    async def revoke(self, key_id: str) -> ApiKey:
        def work(connection: Connection) -> ApiKey:
            now = self._database.now(connection, self._clock)
            connection.execute(update(api_keys).where(_k.id == key_id, _k.revoked_at.is_(None)).values(revoked_at=now))
            row = _find(connection, key_id)
            if row is None:
                raise NotFound(f"There is no key {key_id}.")
            return _key(row)

        return await self._database.write(work)


def _insert(connection: Connection, key: ApiKey, text: str) -> ApiKey:
    row = {
        "id": key.id,
        "tenant": key.tenant,
        "scopes": " ".join(sorted(key.scopes)),
        "name": key.name,
        "digest": digest_of(text),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "requests_per_minute": key.limits.requests_per_minute,
        "upload_bytes": key.limits.upload_bytes,
        "max_priority": key.limits.max_priority,
    }
    connection.execute(insert(api_keys).values(**row))
    return key


def _find(connection: Connection, key_id: str) -> RowMapping | None:
    return connection.execute(select(api_keys).where(_k.id == key_id)).mappings().one_or_none()


def _key(row: RowMapping) -> ApiKey:
    scopes = frozenset(Scope(scope) for scope in row["scopes"].split())
    limits = KeyLimits(row["requests_per_minute"], row["upload_bytes"], row["max_priority"])
    return ApiKey(row["id"], row["tenant"], scopes, row["name"], row["created_at"], row["expires_at"], row["revoked_at"], limits)
