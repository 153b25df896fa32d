"""Answers that are known are read, refusals too; calls in flight anywhere in the cluster are waited for."""

import asyncio
import json
from random import Random
from typing import Any

from adapters.guard.answers import is_refusal, pack, pack_refusal, refusal_in, unpack
from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.retry import TRIES_AT_VALID_OUTPUT
from adapters.guard.settings import CacheSettings
from adapters.guard.waiting import taken_or_undone, to_the_end
from domain.call import Answer
from domain.canonical import Json
from domain.errors import InvalidModelOutput, StorageFailed
from ports.call_cache import CallCache, Claimed, Hit, Lookup
from ports.clock import Clock
from ports.telemetry import CallEvent

RENEWALS_PER_CLAIM = 3
"""A claim survives two lost heartbeats."""


class Cached:
    """Cache and single flight over all processes that share the store.

    A store that can not be read fails the call (StorageFailed, transient): going on without it would pay twice. A store that
    can not be written does not: the answer is made and paid, so it is handed out.

    An output that its rules refused is remembered for `refusal_s`, a sampled one when its second try was refused too: the same
    call meets the same error, and pays nothing. What the provider fails at (a timeout, a server that is away, an answer that can
    not be read) is not.
    """

    def __init__(self, cache: CallCache, settings: CacheSettings, clock: Clock, owner: str, random: Random) -> None:
        self._cache = cache
        self._settings = settings
        self._clock = clock
        self._owner = owner
        self._random = random

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises InvalidModelOutput for a call whose output was refused lately, and StorageFailed."""
        cache_key = call.cache_key
        if cache_key is None:
            return await proceed(call)
        found = await self._read_or_claim(cache_key, call)
        if isinstance(found, Answer):
            return found
        heartbeat = asyncio.create_task(self._hold(cache_key, found.fence))
        try:
            answer = await proceed(call)
            await to_the_end(self._keep(cache_key, found.fence, call, answer))
            return answer
        except InvalidModelOutput as error:
            await to_the_end(self._keep_refusal(cache_key, found.fence, call, error))
            raise
        except BaseException:
            # Releasing after a put that was cut short by cancellation does no harm: the flight has ended or the fence is old.
            await to_the_end(self._release(cache_key, found.fence))
            raise
        finally:
            heartbeat.cancel()

    async def _read_or_claim(self, cache_key: tuple[str, str], call: GuardedCall[Any]) -> Answer[Any] | Claimed:
        pause = self._settings.poll_first_s
        unreadable = 0
        while True:
            found = await self._begin(cache_key, call.context.conversation_id)
            if isinstance(found, Claimed):
                return found
            if isinstance(found, Hit):
                if refusal := refusal_in(found.answer, call, oldest=self._clock.now() - self._settings.refusal_s):
                    _mark(call, CallEvent.REFUSAL_REMEMBERED)
                    raise refusal
                try:
                    return self._read(found, call)
                except InvalidModelOutput:
                    if not is_refusal(found.answer):
                        _mark(call, CallEvent.CACHE_UNREADABLE)
                    if (unreadable := unreadable + 1) > 1:
                        raise StorageFailed("an unreadable answer could not be removed from the call cache") from None
                    await self._cache.discard(*cache_key)
                    continue
            _mark(call, CallEvent.WAITED_FOR_FLIGHT)
            until_free = max(found.until - self._clock.now(), self._settings.poll_first_s)
            await self._clock.sleep(min(pause * self._random.uniform(0.5, 1.0), until_free))
            pause = min(pause * 2, self._settings.poll_most_s)

    async def _begin(self, cache_key: tuple[str, str], conversation_id: str | None) -> Lookup:
        async def give_back(found: Lookup) -> None:
            if isinstance(found, Claimed):
                await self._release(cache_key, found.fence)

        begin = self._cache.begin(*cache_key, self._owner, self._settings.claim_s, conversation_id)
        return await taken_or_undone(begin, undo=give_back)

    def _read(self, hit: Hit, call: GuardedCall[Any]) -> Answer[Any]:
        answer = unpack(hit.answer, call, oldest=self._clock.now() - self._settings.max_age_s)
        latency = self._clock.monotonic() - call.record.started
        return Answer(answer.value, answer.provenance.served_from_cache(latency))

    async def _hold(self, cache_key: tuple[str, str], fence: int) -> None:
        """Renew the claim until cancelled or lost. A lost claim is no reason to stop: the answer still serves its caller."""
        held = True
        while held:
            await self._clock.sleep(self._settings.claim_s / RENEWALS_PER_CLAIM)
            try:
                held = await self._cache.renew(*cache_key, self._owner, fence, self._settings.claim_s)
            except StorageFailed:
                continue

    async def _keep(self, cache_key: tuple[str, str], fence: int, call: GuardedCall[Any], answer: Answer[Any]) -> None:
        await self._put(cache_key, fence, call, pack(answer, call, stored_at=self._clock.now()))

    async def _keep_refusal(
        self, cache_key: tuple[str, str], fence: int, call: GuardedCall[Any], error: InvalidModelOutput
    ) -> None:
        tried = not call.left_to_chance or call.record.answers >= TRIES_AT_VALID_OUTPUT
        if error is call.record.refusal and tried and self._settings.refusal_s > 0:
            await self._put(cache_key, fence, call, pack_refusal(error, call, stored_at=self._clock.now()))
        else:
            await self._release(cache_key, fence)

    async def _put(self, cache_key: tuple[str, str], fence: int, call: GuardedCall[Any], packed: Json) -> None:
        if len(json.dumps(packed)) > self._settings.max_answer_bytes:
            await self._release(cache_key, fence)
            return
        try:
            kept = await self._cache.put(*cache_key, self._owner, fence, packed, call.context.conversation_id)
        except StorageFailed:
            _mark(call, CallEvent.CACHE_WRITE_FAILED)
            await self._release(cache_key, fence)
            return
        if not kept:
            _mark(call, CallEvent.CACHE_WRITE_LOST)

    async def _release(self, cache_key: tuple[str, str], fence: int) -> None:
        try:
            await self._cache.release(*cache_key, self._owner, fence)
        except StorageFailed:
            return  # The claim runs out by itself.


def _mark(call: GuardedCall[Any], event: CallEvent) -> None:
    if call.record.span is not None:
        call.record.span.happened(event)
