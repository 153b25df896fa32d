"""The promises of CallCache, one per test, for every cache."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import Connection, update

from adapters.memory import MemoryCallCache
from adapters.redis_calls import RedisCalls
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.calls import SqlCalls
from adapters.sql.engine import connect, writing
from adapters.sql.tables import call_answers
from domain.errors import StorageFailed
from ports.call_cache import CallCache, Claimed, Hit, InFlight
from tests.redis_server import running_redis

SCOPE, KEY = "tenant:t", "k" * 64
CLAIM_S = 30.0
ANSWER = {"value": {"text": "hej å 日本 \u0000", "n": [1, 2.5, None, True]}, "provenance": {}}


async def stored(
    cache: CallCache, key: str = KEY, scope: str = SCOPE, conversation: str | None = "conversation_1", answer: object = ANSWER
) -> None:
    claim = await cache.begin(scope, key, "w", CLAIM_S, conversation)
    assert isinstance(claim, Claimed)
    assert await cache.put(scope, key, "w", claim.fence, answer, conversation)


class CallCacheContract:
    """Override `cache`; its time comes from `clock`."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def cache(self, clock: MovableClock, tmp_path: Path) -> Iterator[CallCache]:
        raise NotImplementedError

    async def test_an_unknown_call_is_claimed(self, cache: CallCache, clock: MovableClock) -> None:
        claim = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        assert isinstance(claim, Claimed)
        assert claim.until == clock.now() + CLAIM_S

    async def test_a_stored_answer_is_read_as_it_was_written(self, cache: CallCache) -> None:
        await stored(cache)
        assert await cache.begin(SCOPE, KEY, "other", CLAIM_S, None) == Hit(ANSWER)

    async def test_an_answer_can_be_read_without_leaving_a_trace(self, cache: CallCache) -> None:
        assert await cache.read(SCOPE, KEY) is None
        assert isinstance(await cache.begin(SCOPE, KEY, "w", CLAIM_S, "conversation_1"), Claimed)
        assert await cache.read(SCOPE, KEY) is None
        await stored(cache, key="l" * 64)

        assert await cache.read(SCOPE, "l" * 64) == ANSWER
        assert await cache.read("tenant:other", "l" * 64) is None
        assert await cache.forget_conversation(SCOPE, "conversation_1") == 1

    async def test_a_large_answer_is_read_as_it_was_written(self, cache: CallCache) -> None:
        vectors = {"vectors": [[0.1 * n, -1e-7 / (n + 1)] for n in range(5000)]}
        await stored(cache, answer=vectors)
        assert await cache.begin(SCOPE, KEY, "w", CLAIM_S, None) == Hit(vectors)

    async def test_a_call_in_flight_is_not_given_out_twice(self, cache: CallCache) -> None:
        claim = await cache.begin(SCOPE, KEY, "a", CLAIM_S, None)
        for owner in ("a", "b"):
            assert await cache.begin(SCOPE, KEY, owner, CLAIM_S, None) == InFlight(claim.until)

    async def test_of_a_hundred_at_once_one_makes_the_call(self, cache: CallCache) -> None:
        found = await asyncio.gather(*(cache.begin(SCOPE, KEY, f"w{n}", CLAIM_S, None) for n in range(100)))
        assert sum(isinstance(lookup, Claimed) for lookup in found) == 1

    async def test_a_flight_that_ran_out_is_taken_over(self, cache: CallCache, clock: MovableClock) -> None:
        dead = await cache.begin(SCOPE, KEY, "a", CLAIM_S, None)
        await clock.advance(CLAIM_S)
        taken = await cache.begin(SCOPE, KEY, "b", CLAIM_S, None)
        assert isinstance(taken, Claimed)
        assert taken.fence != dead.fence

    async def test_a_renewed_flight_is_not_taken_over(self, cache: CallCache, clock: MovableClock) -> None:
        claim = await cache.begin(SCOPE, KEY, "a", CLAIM_S, None)
        await clock.advance(CLAIM_S - 1)
        assert await cache.renew(SCOPE, KEY, "a", claim.fence, CLAIM_S)
        await clock.advance(CLAIM_S - 1)
        assert await cache.begin(SCOPE, KEY, "b", CLAIM_S, None) == InFlight(clock.now() + 1)

    async def test_an_old_holder_can_neither_renew_nor_store_nor_release(self, cache: CallCache, clock: MovableClock) -> None:
        old = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        await clock.advance(CLAIM_S)
        new = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        assert not await cache.renew(SCOPE, KEY, "w", old.fence, CLAIM_S)
        assert not await cache.put(SCOPE, KEY, "w", old.fence, {"late": 1}, None)
        await cache.release(SCOPE, KEY, "w", old.fence)
        assert await cache.begin(SCOPE, KEY, "x", CLAIM_S, None) == InFlight(new.until)
        assert await cache.put(SCOPE, KEY, "w", new.fence, ANSWER, None)
        assert not await cache.put(SCOPE, KEY, "w", old.fence, {"late": 2}, None)
        assert await cache.begin(SCOPE, KEY, "x", CLAIM_S, None) == Hit(ANSWER)

    async def test_an_old_holder_is_refused_after_its_successor_gave_up(self, cache: CallCache, clock: MovableClock) -> None:
        old = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        await clock.advance(CLAIM_S)
        new = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        await cache.release(SCOPE, KEY, "w", new.fence)
        await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        assert not await cache.put(SCOPE, KEY, "w", old.fence, ANSWER, None)

    async def test_a_slow_holder_whom_nobody_replaced_may_still_store(self, cache: CallCache, clock: MovableClock) -> None:
        claim = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        await clock.advance(10 * CLAIM_S)
        assert await cache.put(SCOPE, KEY, "w", claim.fence, ANSWER, None)

    async def test_a_released_flight_is_free_at_once(self, cache: CallCache) -> None:
        claim = await cache.begin(SCOPE, KEY, "a", CLAIM_S, None)
        await cache.release(SCOPE, KEY, "a", claim.fence)
        assert isinstance(await cache.begin(SCOPE, KEY, "b", CLAIM_S, None), Claimed)

    async def test_scopes_share_nothing(self, cache: CallCache) -> None:
        await stored(cache)
        assert isinstance(await cache.begin("tenant:other", KEY, "w", CLAIM_S, None), Claimed)
        assert await cache.peek("tenant:other", [KEY]) == set()

    async def test_peek_names_the_answers_that_are_there(self, cache: CallCache) -> None:
        await stored(cache, "known")
        await cache.begin(SCOPE, "flying", "w", CLAIM_S, None)
        many = [f"unknown-{n}" for n in range(1200)]
        assert await cache.peek(SCOPE, ["known", "flying", *many]) == {"known"}
        assert await cache.peek(SCOPE, []) == set()

    async def test_a_discarded_answer_is_claimed_anew(self, cache: CallCache) -> None:
        await stored(cache)
        await cache.discard(SCOPE, KEY)
        assert isinstance(await cache.begin(SCOPE, KEY, "w", CLAIM_S, None), Claimed)

    async def test_discarding_leaves_a_flight_alone(self, cache: CallCache) -> None:
        claim = await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
        await cache.discard(SCOPE, KEY)
        assert await cache.put(SCOPE, KEY, "w", claim.fence, ANSWER, None)

    async def test_the_last_conversation_takes_its_answers_along(self, cache: CallCache) -> None:
        await stored(cache, "only", conversation="one")
        await stored(cache, "shared", conversation="one")
        assert isinstance(await cache.begin(SCOPE, "shared", "w", CLAIM_S, "two"), Hit)
        assert await cache.forget_conversation(SCOPE, "one") == 1
        assert await cache.peek(SCOPE, ["only", "shared"]) == {"shared"}
        assert await cache.forget_conversation(SCOPE, "two") == 1
        assert await cache.peek(SCOPE, ["only", "shared"]) == set()

    async def test_forgetting_a_conversation_stays_inside_its_scope(self, cache: CallCache) -> None:
        await stored(cache, scope="tenant:other", conversation="one")
        assert await cache.forget_conversation(SCOPE, "one") == 0
        assert await cache.peek("tenant:other", [KEY]) == {KEY}

    async def test_a_forgotten_scope_keeps_no_answer(self, cache: CallCache) -> None:
        for key in ("a", "b"):
            await stored(cache, key)
        await stored(cache, scope="tenant:other")
        assert await cache.forget_scope(SCOPE) == 2
        assert await cache.peek(SCOPE, ["a", "b"]) == set()
        assert await cache.peek("tenant:other", [KEY]) == {KEY}

    async def test_trimming_removes_what_is_too_old(self, cache: CallCache, clock: MovableClock) -> None:
        await stored(cache, "old")
        await clock.advance(100)
        await stored(cache, "new")
        assert await cache.trim(max_bytes=10**9, max_age_s=99) == 1
        assert await cache.peek(SCOPE, ["old", "new"]) == {"new"}

    async def test_trimming_removes_the_least_recently_used_until_the_rest_fits(
        self, cache: CallCache, clock: MovableClock
    ) -> None:
        for number in range(10):
            await stored(cache, f"k{number}", answer={"text": f"{number}" * 500})
            await clock.advance(3600)
        assert isinstance(await cache.begin(SCOPE, "k0", "w", CLAIM_S, None), Hit)
        removed = await cache.trim(max_bytes=1800, max_age_s=10**9)
        left = await cache.peek(SCOPE, [f"k{number}" for number in range(10)])
        assert removed == 10 - len(left) > 0
        assert left == {"k0", *(f"k{number}" for number in range(11 - len(left), 10))}
        assert await cache.trim(max_bytes=0, max_age_s=10**9) == len(left)


class TestMemoryCallCache(CallCacheContract):
    @pytest.fixture
    def cache(self, clock: MovableClock, tmp_path: Path) -> CallCache:
        return MemoryCallCache(clock)


class SharedCallCacheContract(CallCacheContract):
    """What a cache promises besides that outlives its process."""

    async def test_an_answer_of_a_deleted_conversation_is_not_kept(self, cache: CallCache) -> None:
        claim = await cache.begin(SCOPE, KEY, "w", CLAIM_S, "one")
        await cache.forget_conversation(SCOPE, "one")
        assert not await cache.put(SCOPE, KEY, "w", claim.fence, ANSWER, "one")
        assert isinstance(await cache.begin(SCOPE, KEY, "w", CLAIM_S, "two"), Claimed)

    async def test_a_flight_of_a_forgotten_scope_stores_nothing(self, cache: CallCache) -> None:
        claim = await cache.begin("job:1", KEY, "w", CLAIM_S, None)
        await cache.forget_scope("job:1")
        assert not await cache.put("job:1", KEY, "w", claim.fence, ANSWER, None)
        assert await cache.peek("job:1", [KEY]) == set()

    async def test_size_is_what_the_answers_take(self, cache: SqlCalls | RedisCalls) -> None:
        assert await cache.size() == 0
        await stored(cache, answer={"text": "x" * 100_000})
        assert 0 < await cache.size() < 5000
        await cache.forget_scope(SCOPE)
        assert await cache.size() == 0


class TestSqlCallCache(SharedCallCacheContract):
    @pytest.fixture
    def store(self, clock: MovableClock, database_url: str) -> Iterator[SqlStore]:
        store = SqlStore.open(database_url, clock)
        yield store
        store.close()

    @pytest.fixture
    def cache(self, store: SqlStore) -> CallCache:
        return store.calls

    async def test_a_damaged_answer_counts_as_a_miss(self, store: SqlStore, database_url: str) -> None:
        await stored(store.calls)
        with writing(connect(database_url)).begin() as vandal:
            vandal.execute(update(call_answers).values(answer=b"z\x00\xff"))
        assert isinstance(await store.calls.begin(SCOPE, KEY, "w", CLAIM_S, None), Claimed)


class TestRedisCallCache(SharedCallCacheContract):
    @pytest.fixture
    async def cache(self, clock: MovableClock, redis_url: str) -> AsyncIterator[RedisCalls]:
        cache = RedisCalls(redis_url, clock)
        yield cache
        await cache.close()

    @pytest.mark.parametrize("damage", [b"x\x00\xff", b"{", b""])
    async def test_a_damaged_answer_counts_as_a_miss(self, cache: RedisCalls, redis_url: str, damage: bytes) -> None:
        await stored(cache)
        with Redis.from_url(redis_url) as vandal:
            for name in vandal.scan_iter("{wordloop}:a:*"):
                vandal.hset(name, "packed", damage)
        assert isinstance(await cache.begin(SCOPE, KEY, "w", CLAIM_S, None), Claimed)

    async def test_nothing_is_left_of_a_forgotten_conversation_but_its_mark(self, cache: RedisCalls, redis_url: str) -> None:
        for number in range(20):
            await stored(cache, f"k{number}", conversation="one", answer={"text": "planted secret"})
        await cache.forget_conversation(SCOPE, "one")
        with Redis.from_url(redis_url) as reader:
            left = {name.decode() for name in reader.scan_iter()} - {"{wordloop}:bytes", "{wordloop}:fences"}
        assert left == {f"{{wordloop}}:d:{SCOPE}/one"}

    async def test_a_server_that_is_away_fails_the_call_and_heals(self, clock: MovableClock) -> None:
        with running_redis() as server:
            cache = RedisCalls(server.database(), clock)
            await stored(cache)
            server.kill()
            with pytest.raises(StorageFailed):
                await cache.begin(SCOPE, KEY, "w", CLAIM_S, None)
            server.start()
            assert await cache.begin(SCOPE, KEY, "w", CLAIM_S, None) == Hit(ANSWER)
            await cache.close()


async def test_repeated_hits_write_at_most_once_a_minute(sqlite_url: str) -> None:
    clock = MovableClock()
    store = SqlStore.open(sqlite_url, clock)
    await stored(store.calls, conversation="one")
    watcher = connect(sqlite_url).connect()
    changes = [data_version(watcher)]
    for advance, conversation in ((1, "one"), (1, None), (1, "two"), (1, "two"), (60, "two"), (1, "two")):
        await clock.advance(advance)
        await store.calls.begin(SCOPE, KEY, "w", CLAIM_S, conversation)
        changes.append(data_version(watcher))
    written = [before != after for before, after in pairwise(changes)]
    assert written == [False, False, True, False, True, False]
    watcher.close()
    store.close()


def data_version(watcher: Connection) -> int:
    """SQLite's own count of the changes that others made to the file, as this connection sees it."""
    with watcher.begin():  # ends the snapshot that it was read in
        return watcher.exec_driver_sql("PRAGMA data_version").scalar_one()
