"""Voices as rows: a vector of float32 each, under the tenant and the name."""

import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    RowMapping,
    Table,
    Text,
    UniqueConstraint,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from adapters.sql.engine import Database
from adapters.sql.plain import floats_from_bytes, floats_to_bytes
from adapters.sql.tables import metadata
from domain.errors import InvalidRequest, NotFound
from domain.speakers import SpokenVoice
from domain.voice_profiles import MOST_VOICES, VoiceModel, VoiceProfile
from ports.clock import Clock
from ports.voice_profiles import VoiceProfiles

voice_profiles = Table(
    "voice_profiles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("vector", LargeBinary, nullable=False),
    Column("dimensions", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("model_id", Text, nullable=False),  # of the speaker model: vectors of different ones never meet
    Column("model_revision", Text, nullable=False),
    Column("remembered_at", Double, nullable=False),
    UniqueConstraint("tenant", "name"),
)
Index("voice_profiles_by_age", voice_profiles.c.remembered_at)
_v = voice_profiles.c


class SqlVoiceProfiles(VoiceProfiles):
    """All voices in one table. After a deletion the pages that held them are overwritten."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def remember(self, tenant: str, name: str, voice: SpokenVoice, model: VoiceModel) -> VoiceProfile:
        def work(connection: Connection) -> VoiceProfile:
            return _remember(connection, tenant, name, voice, model, self._database.now(connection, self._clock))

        profile = await self._database.write(work)
        await self._database.scrub()  # the vector that was replaced
        return profile

    async def list(self, tenant: str) -> Sequence[VoiceProfile]:
        mine = select(voice_profiles).where(_v.tenant == tenant)
        rows = await self._database.read(lambda c: c.execute(mine).mappings().all())
        return sorted(map(_profile, rows), key=lambda profile: profile.name)

    async def forget(self, tenant: str, voice_id: str) -> None:
        if not await self._forget(and_(_v.tenant == tenant, _v.id == voice_id)):
            raise NotFound(f"There is no voice {voice_id}.")

    async def forget_all(self, tenant: str) -> int:
        return await self._forget(_v.tenant == tenant)

    async def forget_remembered_before(self, default: float | None, tenants: Mapping[str, float | None]) -> int:
        old = [and_(_v.tenant == tenant, _v.remembered_at < before) for tenant, before in tenants.items() if before is not None]
        if default is not None:
            old.append(and_(_v.tenant.not_in(list(tenants)), _v.remembered_at < default))
        return await self._forget(or_(*old)) if old else 0

    async def _forget(self, which: ColumnElement[bool]) -> int:
        count: int = await self._database.write(lambda c: c.execute(delete(voice_profiles).where(which)).rowcount)
        if count:
            await self._database.scrub()
        return count


def _remember(connection: Connection, tenant: str, name: str, voice: SpokenVoice, model: VoiceModel, now: float) -> VoiceProfile:
    named = and_(_v.tenant == tenant, _v.name == name)
    values = {
        "vector": floats_to_bytes(voice.vector),
        "dimensions": len(voice.vector),
        "seconds": voice.seconds,
        "model_id": model.id,
        "model_revision": model.revision,
        "remembered_at": now,
    }
    row = connection.execute(update(voice_profiles).where(named).values(**values).returning(*_v)).mappings().one_or_none()
    if row is not None:
        return _profile(row)
    if connection.execute(select(func.count()).where(_v.tenant == tenant)).scalar_one() >= MOST_VOICES:
        raise InvalidRequest(f"There are {MOST_VOICES} voices already; delete one first.")
    new = {"id": f"voice_{secrets.token_hex(16)}", "tenant": tenant, "name": name}
    statement = insert(voice_profiles).values(**new, **values).returning(*_v)
    return _profile(connection.execute(statement).mappings().one())


def _profile(row: RowMapping) -> VoiceProfile:
    vector = tuple(float(value) for value in floats_from_bytes(row["vector"], row["dimensions"])[0])
    voice = SpokenVoice(vector, row["seconds"])
    return VoiceProfile(row["id"], row["name"], voice, VoiceModel(row["model_id"], row["model_revision"]), row["remembered_at"])
