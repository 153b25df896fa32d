"""Identical calls in flight are made once, in one process and over many, whatever becomes of the first."""

import asyncio
from dataclasses import replace

from adapters.guard import GuardSettings
from adapters.memory import MemoryCallCache
from adapters.scripted import Delayed, MovableClock
from domain.call import CallContext
from domain.errors import DeadlineExceeded, ModelRejected, ModelUnavailable, StorageFailed
from ports.call_cache import Lookup
from ports.embedder import InputType
from ports.telemetry import CallEvent
from tests.guarded import Bench, vectors

QUERY = InputType.QUERY
HERE = CallContext(tenant="acme", job_id="job_1")


async def test_identical_calls_in_one_process_are_made_once() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(5, vectors()))
    embedder = bench.embedder(backend)

    async def many():
        return await asyncio.gather(*(embedder.embed(["a"], QUERY, replace(HERE, job_id=f"job_{n}")) for n in range(20)))

    answers = await bench.clock.run(many())
    assert len(backend.asked) == 1
    assert sorted(answer.provenance.cache_hit for answer in answers) == [False] + [True] * 19


class SharedStore(MemoryCallCache):
    """One process's line to a store that several share; a process whose line is cut has died, as the others see it."""

    def __init__(self, clock: MovableClock, rows: dict) -> None:
        super().__init__(clock)
        self._rows = rows
        self.cut = False

    async def renew(self, *arguments) -> bool:
        self._check()
        return await super().renew(*arguments)

    async def put(self, *arguments) -> bool:
        self._check()
        return await super().put(*arguments)

    async def release(self, *arguments) -> None:
        self._check()
        await super().release(*arguments)

    def _check(self) -> None:
        if self.cut:
            raise StorageFailed("cut")


def two_processes() -> tuple[Bench, Bench]:
    clock, rows = MovableClock(), {}
    one = Bench(clock, cache=SharedStore(clock, rows), owner="one")
    return one, Bench(clock, cache=SharedStore(clock, rows), owner="two", seed=8)


async def test_identical_calls_of_two_processes_are_made_once_however_long_they_take() -> None:
    one, two = two_processes()
    slow, idle = one.backend(Delayed(55, vectors())), two.backend()

    async def both():
        return await asyncio.gather(one.embedder(slow).embed(["a"], QUERY, HERE), two.embedder(idle).embed(["a"], QUERY, HERE))

    made, read = await one.clock.run(both())
    assert (made.provenance.cache_hit, read.provenance.cache_hit, len(idle.asked)) == (False, True, 0)
    assert 55 <= one.clock.monotonic() < 57


async def test_when_the_holder_dies_the_next_process_takes_over_after_its_claim() -> None:
    one, two = two_processes()
    dying = asyncio.create_task(one.embedder(one.backend(Delayed(100, vectors()))).embed(["a"], QUERY, HERE))
    await one.clock.advance(20)
    waiting = asyncio.create_task(two.embedder(two.backend(vectors())).embed(["a"], QUERY, HERE))
    await one.clock.advance(20)
    assert not waiting.done(), "a living holder keeps its flight for as long as it takes"

    one.cache.cut = True
    await one.clock.advance(one.settings.cache.claim_s + one.settings.cache.poll_most_s)

    assert (await waiting).provenance.cache_hit is False
    dying.cancel()


async def test_a_holder_that_was_only_slow_can_not_overwrite_its_successor() -> None:
    one, two = two_processes()
    slow = asyncio.create_task(one.embedder(one.backend(Delayed(40, vectors([1.0, 0.0])))).embed(["a"], QUERY, HERE))
    await one.clock.advance(1)
    one.cache.cut = True
    await one.clock.advance(20)
    await one.clock.run(two.embedder(two.backend(vectors([0.0, 1.0]))).embed(["a"], QUERY, HERE))
    one.cache.cut = False
    await one.clock.advance(30)

    assert (await slow).value == ((1.0, 0.0),)
    read = await one.clock.run(two.embedder(two.backend()).embed(["a"], QUERY, HERE))
    assert read.value == ((0.0, 1.0),)
    assert CallEvent.CACHE_WRITE_LOST in one.telemetry.spans[0].events


async def test_a_cancelled_holder_releases_at_once() -> None:
    one, two = two_processes()
    slow = one.backend(Delayed(50, vectors()))
    held = asyncio.create_task(one.embedder(slow).embed(["a"], QUERY, HERE))
    await one.clock.advance(1)
    waiting = asyncio.create_task(two.embedder(two.backend(vectors())).embed(["a"], QUERY, HERE))
    await one.clock.advance(1)

    held.cancel()
    await one.clock.advance(1.1)

    assert slow.cancelled == 1
    assert (await waiting).provenance.attempts == 1


async def test_a_cancelled_leader_hands_over_inside_its_process() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(50, vectors()), vectors([0.0, 1.0]))
    embedder = bench.embedder(backend)
    leader, follower = (asyncio.create_task(embedder.embed(["a"], QUERY, HERE)) for _ in range(2))
    await bench.clock.advance(1)

    leader.cancel()
    await bench.clock.settle()

    assert (await follower).value == ((0.0, 1.0),)


async def test_a_failed_holder_hands_over_to_the_next_waiter() -> None:
    bench = Bench(settings=GuardSettings(retry={"max_tries": 1}))
    backend = bench.backend(Delayed(1, ModelUnavailable("down", None)), vectors())
    embedder = bench.embedder(backend)

    async def both():
        return await asyncio.gather(*(embedder.embed(["a"], QUERY, HERE) for _ in range(2)), return_exceptions=True)

    first, second = await bench.clock.run(both())
    assert isinstance(first, ModelUnavailable)
    assert second.provenance.attempts == 1


async def test_the_deadline_of_the_leader_is_not_that_of_its_followers() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(50, vectors()), Delayed(1, vectors()))
    embedder = bench.embedder(backend)

    async def both():
        hurried = replace(HERE, deadline=bench.clock.now() + 5)
        calls = (embedder.embed(["a"], QUERY, context) for context in (hurried, HERE))
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second = await bench.clock.run(both())
    assert isinstance(first, DeadlineExceeded)
    assert second.value == ((1.0, 0.0),)


async def test_a_refusal_for_good_is_shared_by_all_waiters() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(1, ModelRejected("too long")))
    embedder = bench.embedder(backend)

    async def many():
        return await asyncio.gather(*(embedder.embed(["a"], QUERY, HERE) for _ in range(5)), return_exceptions=True)

    assert {type(error) for error in await bench.clock.run(many())} == {ModelRejected}
    assert len(backend.asked) == 1


async def test_a_hit_by_another_conversation_is_told_to_the_store() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(1, vectors()))
    embedder = bench.embedder(backend)

    async def both():
        contexts = (replace(HERE, conversation_id=name) for name in ("conv_1", "conv_2"))
        return await asyncio.gather(*(embedder.embed(["a"], QUERY, context) for context in contexts))

    await bench.clock.run(both())
    assert len(backend.asked) == 1
    assert await bench.cache.forget_conversation(HERE.cache_scope, "conv_1") == 0
    assert await bench.cache.forget_conversation(HERE.cache_scope, "conv_2") == 1


class SlowStore(MemoryCallCache):
    """Answers a second after it was asked, as one in another process would."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__(clock)
        self._clock = clock

    async def begin(self, *arguments) -> Lookup:
        found = await super().begin(*arguments)
        await self._clock.sleep(1)
        return found


async def test_a_caller_cancelled_while_it_claims_gives_the_claim_back() -> None:
    clock = MovableClock()
    bench = Bench(clock, cache=SlowStore(clock))
    embedder = bench.embedder(bench.backend(vectors()))
    call = asyncio.create_task(embedder.embed(["a"], QUERY, HERE))
    await clock.advance(0.5)
    call.cancel()
    await clock.advance(1)
    assert (await clock.run(embedder.embed(["a"], QUERY, HERE))).provenance.attempts == 1
    assert clock.monotonic() < 4, "the dead caller's claim was not waited out"
