"""Answers of model calls and single flight over every process that shares a Redis server."""

import json
import zlib
from collections.abc import Awaitable
from typing import Any, cast

from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from adapters.redis_calls import scripts
from domain.canonical import Json
from domain.errors import StorageFailed
from ports.call_cache import CallCache, Claimed, Hit, InFlight, Lookup
from ports.clock import Clock

DEAD_FLIGHT_S = 86_400
"""Seconds after which Redis drops a flight that nobody ended: no model call lasts a day."""
DELETED_MARK_S = 30 * 86_400
"""Seconds for which a deleted conversation is remembered: no job that could still bring an answer of it lasts that long."""
KEYS_PER_QUERY = 500
ENTRIES_PER_TRIM = 200
"""Answers removed per script: Redis does nothing else meanwhile."""
COMPRESS_FROM_BYTES = 1024
COMPRESSION_LEVEL = 3
"""zlib level: most of the gain on JSON at a third of the time of the default."""
TIMEOUT_S = 5.0


class RedisCalls(CallCache):
    """Answers as compressed JSON. A claim's fence is a number that no other claim ever gets.

    Time is the caller's clock, as on SQL. Redis keeps what its own persistence keeps: with `appendonly yes` and
    `appendfsync everysec` a crash costs at most the answers of the last second, which are paid for again. Run it with
    `maxmemory-policy noeviction`: any other would drop flights and marks. Every method raises StorageFailed when the server can
    not be reached or refuses (memory full).
    """

    def __init__(self, url: str, clock: Clock, prefix: str = "wordloop") -> None:
        self._clock = clock
        self._tag = f"{{{prefix}}}"
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        named = {name: getattr(scripts, name) for name in dir(scripts) if name.isupper() and name != "COMMON"}
        self._scripts: dict[str, AsyncScript] = {name: self._redis.register_script(lua) for name, lua in named.items()}

    async def begin(self, scope: str, key: str, owner: str, claim_s: float, conversation_id: str | None) -> Lookup:
        arguments = (_cache_key(scope, key), scope, owner, self._now(), claim_s, conversation_id or "", DEAD_FLIGHT_S)
        said, *rest = await self._run("BEGIN", *arguments)
        if said == b"flying":
            return InFlight(float(rest[0]))
        if said == b"claimed":
            return Claimed(int(rest[0]), float(rest[1]))
        try:
            return Hit(_unpack(rest[0]))
        except ValueError:  # unreadable: as good as no answer
            await self.discard(scope, key)
            return await self.begin(scope, key, owner, claim_s, conversation_id)

    async def renew(self, scope: str, key: str, owner: str, fence: int, claim_s: float) -> bool:
        until = repr(self._clock.now() + claim_s)
        return bool(await self._run("RENEW", _cache_key(scope, key), owner, fence, until, DEAD_FLIGHT_S))

    async def put(self, scope: str, key: str, owner: str, fence: int, answer: Json, conversation_id: str | None) -> bool:
        packed = _pack(answer)
        cache_key = _cache_key(scope, key)
        return bool(await self._run("PUT", cache_key, scope, owner, fence, self._now(), packed, conversation_id or ""))

    async def release(self, scope: str, key: str, owner: str, fence: int) -> None:
        await self._run("RELEASE", _cache_key(scope, key), scope, owner, fence)

    async def discard(self, scope: str, key: str) -> None:
        await self._run("DISCARD", _cache_key(scope, key))

    async def peek(self, scope: str, keys: list[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(keys), KEYS_PER_QUERY):
            some = keys[start : start + KEYS_PER_QUERY]
            asked = self._redis.pipeline(transaction=False)
            for key in some:
                asked.exists(self._answer(scope, key))
            there = await answered(asked.execute())
            found.update(key for key, exists in zip(some, there, strict=True) if exists)
        return found

    async def read(self, scope: str, key: str) -> Json | None:
        packed = await answered(cast(Awaitable[Any], self._redis.hget(self._answer(scope, key), "packed")))
        try:
            return None if packed is None else _unpack(packed)
        except ValueError:
            return None

    async def forget_conversation(self, scope: str, conversation_id: str) -> int:
        return int(await self._run("FORGET_CONVERSATION", f"{scope}/{conversation_id}", DELETED_MARK_S))

    async def forget_scope(self, scope: str) -> int:
        return int(await self._run("FORGET_SCOPE", scope))

    async def trim(self, max_bytes: int, max_age_s: float) -> int:
        removed = 0
        while some := int(await self._run("TRIM", repr(self._clock.now() - max_age_s), max_bytes, ENTRIES_PER_TRIM)):
            removed += some
        return removed

    async def size(self) -> int:
        """Return the bytes that all answers take, as stored."""
        return int(await answered(self._redis.get(f"{self._tag}:bytes")) or 0)

    async def check(self) -> None:
        """Raises StorageFailed unless the server answers."""
        await answered(cast(Awaitable[Any], self._redis.ping()))

    async def close(self) -> None:
        """End the connections."""
        await self._redis.aclose()

    def _now(self) -> str:
        return repr(self._clock.now())

    def _answer(self, scope: str, key: str) -> str:
        return f"{self._tag}:a:{_cache_key(scope, key)}"

    async def _run(self, script: str, *arguments: str | bytes | float) -> Any:
        return await answered(self._scripts[script](keys=[self._tag], args=list(arguments)))


async def answered(asked: Awaitable[Any]) -> Any:
    """Return what the server says. Raises StorageFailed when it can not be reached or refuses."""
    try:
        return await asked
    except (RedisError, OSError) as error:
        raise StorageFailed(f"Redis does not answer ({type(error).__name__})") from error


def _cache_key(scope: str, key: str) -> str:
    return f"{scope}\n{key}"


def _pack(answer: Json) -> bytes:
    """Return JSON, compressed when it is large: zlib's first byte, an x, begins no JSON."""
    raw = json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return raw if len(raw) < COMPRESS_FROM_BYTES else zlib.compress(raw, COMPRESSION_LEVEL)


def _unpack(packed: bytes) -> Json:
    try:
        value: Json = json.loads(zlib.decompress(packed) if packed[:1] == b"x" else packed)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return value
