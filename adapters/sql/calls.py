"""Answers of model calls, and single flight over every process that shares the database."""

from sqlalchemy import Connection, delete, func, select, update

from adapters.sql import call_rows
from adapters.sql.engine import Database
from adapters.sql.plain import pack, to_text
from adapters.sql.tables import call_answers, call_flights
from domain.canonical import Json
from ports.call_cache import CallCache, Lookup
from ports.clock import Clock

KEYS_PER_QUERY = 500
DEAD_FLIGHT_S = 86_400.0
"""Seconds after which a flight that nobody took over is swept: no model call lasts a day."""


class SqlCalls(CallCache):
    """Answers as packed JSON under (scope, key). A claim's fence is a number that no other claim ever gets."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def begin(self, scope: str, key: str, owner: str, claim_s: float, conversation_id: str | None) -> Lookup:
        seen = await self._database.read(lambda c: call_rows.look(c, scope, key, conversation_id, self._clock.now()))
        if seen is not None:  # a hit that needs no note of its use, or somebody else's flight: nothing to write
            return seen
        return await self._database.write(
            lambda c: call_rows.look_or_claim(c, scope, key, owner, claim_s, conversation_id, self._clock.now())
        )

    async def renew(self, scope: str, key: str, owner: str, fence: int, claim_s: float) -> bool:
        def work(connection: Connection) -> bool:
            mine = update(call_flights).where(call_rows.is_flight(scope, key, owner, fence))
            return connection.execute(mine.values(until=self._clock.now() + claim_s)).rowcount == 1

        return await self._database.write(work)

    async def put(self, scope: str, key: str, owner: str, fence: int, answer: Json, conversation_id: str | None) -> bool:
        packed = pack(to_text(answer))
        return await self._database.write(
            lambda c: call_rows.store(c, scope, key, owner, fence, packed, conversation_id, self._clock.now())
        )

    async def release(self, scope: str, key: str, owner: str, fence: int) -> None:
        await self._database.write(lambda c: c.execute(delete(call_flights).where(call_rows.is_flight(scope, key, owner, fence))))

    async def discard(self, scope: str, key: str) -> None:
        await self._database.write(lambda c: c.execute(delete(call_answers).where(call_rows.is_answer(scope, key))))

    async def peek(self, scope: str, keys: list[str]) -> set[str]:
        def work(connection: Connection) -> set[str]:
            found: set[str] = set()
            for start in range(0, len(keys), KEYS_PER_QUERY):
                some = call_answers.c.key.in_(keys[start : start + KEYS_PER_QUERY])
                found.update(connection.execute(select(call_answers.c.key).where(call_answers.c.scope == scope, some)).scalars())
            return found

        return await self._database.read(work)

    async def read(self, scope: str, key: str) -> Json | None:
        hit = await self._database.read(lambda c: call_rows.read(c, scope, key))
        return None if hit is None else hit.answer

    async def forget_conversation(self, scope: str, conversation_id: str) -> int:
        removed = await self._database.write(
            lambda c: call_rows.forget_conversation(c, scope, conversation_id, self._clock.now())
        )
        await self._database.scrub()
        return removed

    async def forget_scope(self, scope: str) -> int:
        def work(connection: Connection) -> int:
            connection.execute(delete(call_flights).where(call_flights.c.scope == scope))
            return connection.execute(delete(call_answers).where(call_answers.c.scope == scope)).rowcount

        return await self._database.write(work)

    async def trim(self, max_bytes: int, max_age_s: float) -> int:
        removed = 0
        await self._database.write(
            lambda c: c.execute(delete(call_flights).where(call_flights.c.until < self._clock.now() - DEAD_FLIGHT_S))
        )
        while some := await self._database.write(lambda c: call_rows.trim_some(c, max_bytes, self._clock.now() - max_age_s)):
            removed += some
        return removed

    async def size(self) -> int:
        """Return the bytes that all answers take, as stored."""
        total = select(func.coalesce(func.sum(call_answers.c.size), 0))
        return await self._database.read(lambda c: int(c.execute(total).scalar_one()))
