"""A call cache in memory."""

import json
from dataclasses import dataclass, field

from domain.canonical import Json
from ports.call_cache import CallCache, Claimed, Hit, InFlight, Lookup
from ports.clock import Clock

ANY_CONVERSATION = ""
"""Stands for a caller that named no conversation: its answer is not deleted with any."""


@dataclass(slots=True)
class _Row:
    """`answer` as JSON text, so that what is read is what was written and not the same object."""

    owner: str = ""
    fence: int = 0
    until: float = 0.0
    answer: str | None = None
    stored_at: float = 0.0
    used_at: float = 0.0
    conversations: set[str] = field(default_factory=set)


class MemoryCallCache(CallCache):
    """Keeps answers and flights of one process. Every method is atomic: none of them waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, str], _Row] = {}
        self._last_fence = 0

    async def begin(self, scope: str, key: str, owner: str, claim_s: float, conversation_id: str | None) -> Lookup:
        now = self._clock.now()
        row = self._rows.setdefault((scope, key), _Row())
        if row.answer is not None:
            row.used_at = now
            row.conversations.add(conversation_id or ANY_CONVERSATION)
            return Hit(json.loads(row.answer))
        if row.until > now:
            return InFlight(row.until)
        self._last_fence += 1
        row.owner, row.fence, row.until = owner, self._last_fence, now + claim_s
        return Claimed(row.fence, row.until)

    async def renew(self, scope: str, key: str, owner: str, fence: int, claim_s: float) -> bool:
        row = self._held(scope, key, owner, fence)
        if row is None:
            return False
        row.until = self._clock.now() + claim_s
        return True

    async def put(self, scope: str, key: str, owner: str, fence: int, answer: Json, conversation_id: str | None) -> bool:
        row = self._held(scope, key, owner, fence)
        if row is None:
            return False
        row.answer, row.until = json.dumps(answer), 0.0
        row.stored_at = row.used_at = self._clock.now()
        row.conversations.add(conversation_id or ANY_CONVERSATION)
        return True

    async def release(self, scope: str, key: str, owner: str, fence: int) -> None:
        if self._held(scope, key, owner, fence) is not None:
            del self._rows[scope, key]

    async def discard(self, scope: str, key: str) -> None:
        row = self._rows.get((scope, key))
        if row is not None and row.answer is not None:
            del self._rows[scope, key]

    async def peek(self, scope: str, keys: list[str]) -> set[str]:
        return {key for key in keys if (row := self._rows.get((scope, key))) and row.answer is not None}

    async def read(self, scope: str, key: str) -> Json | None:
        row = self._rows.get((scope, key))
        return json.loads(row.answer) if row is not None and row.answer is not None else None

    async def forget_conversation(self, scope: str, conversation_id: str) -> int:
        gone = []
        for cache_key, row in self._rows.items():
            if cache_key[0] == scope and conversation_id in row.conversations:
                row.conversations.discard(conversation_id)
                if row.answer is not None and not row.conversations:
                    gone.append(cache_key)
        return self._remove(gone)

    async def forget_scope(self, scope: str) -> int:
        return self._remove(
            [cache_key for cache_key, row in self._rows.items() if cache_key[0] == scope and row.answer is not None]
        )

    async def trim(self, max_bytes: int, max_age_s: float) -> int:
        oldest = self._clock.now() - max_age_s
        kept = {cache_key: row for cache_key, row in self._rows.items() if row.answer is not None}
        gone = [cache_key for cache_key, row in kept.items() if row.stored_at < oldest]
        for cache_key in gone:
            del kept[cache_key]
        size = sum(len(row.answer or "") for row in kept.values())
        for cache_key, row in sorted(kept.items(), key=lambda item: item[1].used_at):
            if size <= max_bytes:
                break
            size -= len(row.answer or "")
            gone.append(cache_key)
        return self._remove(gone)

    def _held(self, scope: str, key: str, owner: str, fence: int) -> _Row | None:
        """Return the row while this owner holds the flight: not answered, and not claimed by a successor.

        A claim that ran out and that nobody took over is still the holder's.
        """
        row = self._rows.get((scope, key))
        if row is None or row.answer is not None or row.owner != owner or row.fence != fence:
            return None
        return row

    def _remove(self, cache_keys: list[tuple[str, str]]) -> int:
        for cache_key in cache_keys:
            del self._rows[cache_key]
        return len(cache_keys)
