"""Rates and places: a bounded wait, then a refusal that says when."""

import asyncio

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.guard import GuardSettings
from adapters.guard.bulkhead import Slots
from adapters.guard.rate_limit import TokenBucket
from adapters.guard.settings import RateSettings
from adapters.scripted import Delayed
from domain.call import CallContext
from domain.errors import ModelOverloaded, RateLimited
from ports.embedder import InputType
from tests.guarded import Bench, vectors


async def ask(bench: Bench, backend, text: str = "a", **context) -> object:
    try:
        return await bench.embedder(backend).embed([text], InputType.QUERY, CallContext(store=False, **context))
    except (RateLimited, ModelOverloaded) as error:
        return error


async def test_calls_over_the_burst_pass_at_the_rate_of_their_model_and_tenant() -> None:
    bench = Bench(settings=GuardSettings(rate={"calls_per_s": 2, "burst": 3}))
    backend = bench.backend(otherwise=vectors())

    async def seven():
        await asyncio.gather(*(ask(bench, backend, str(number)) for number in range(7)))
        return bench.clock.monotonic()

    assert await bench.clock.run(seven()) == 2.0


async def test_a_wait_that_would_be_too_long_is_refused_with_the_time_to_come_back() -> None:
    bench = Bench(settings=GuardSettings(rate={"calls_per_s": 0.1, "burst": 1, "max_wait_s": 5}))
    backend = bench.backend(otherwise=vectors())
    await bench.clock.run(ask(bench, backend))
    refused = await bench.clock.run(ask(bench, backend))
    assert isinstance(refused, RateLimited)
    assert refused.retry_after_s == pytest.approx(10.0)


async def test_one_tenant_does_not_use_up_the_rate_of_another() -> None:
    bench = Bench(settings=GuardSettings(rate={"calls_per_s": 0.1, "burst": 1, "max_wait_s": 0}))
    backend = bench.backend(otherwise=vectors())
    await bench.clock.run(ask(bench, backend, tenant="acme"))
    assert isinstance(await bench.clock.run(ask(bench, backend, tenant="acme")), RateLimited)
    assert (await bench.clock.run(ask(bench, backend, tenant="globex"))).value


async def test_a_retry_after_of_the_backend_holds_back_the_next_calls_too() -> None:
    bench = Bench(settings=GuardSettings(rate={"max_wait_s": 30}))
    backend = bench.backend(RateLimited("quota", 100.0), otherwise=vectors())
    for expected in (100.0, 100.0):
        refused = await bench.clock.run(ask(bench, backend))
        assert (type(refused), refused.retry_after_s) == (RateLimited, expected)
    assert len(backend.asked) == 1
    await bench.clock.advance(80)
    assert (await bench.clock.run(ask(bench, backend))).value
    assert bench.clock.monotonic() == pytest.approx(100.0)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60))
def test_no_stretch_of_time_passes_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    knobs = RateSettings(calls_per_s=2, burst=4)
    bucket, now, passed = TokenBucket(knobs.burst, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        wait = bucket.wait_for_one(now, knobs.calls_per_s, knobs.burst)
        bucket.take()
        passed.append(now + wait)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= knobs.burst + (passed[last] - passed[first]) * knobs.calls_per_s + 1e-6


async def test_no_more_calls_are_in_flight_than_there_are_places() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 3}))
    backend = bench.backend(otherwise=Delayed(1, vectors()))

    async def ten():
        await asyncio.gather(*(ask(bench, backend, str(number)) for number in range(10)))

    await bench.clock.run(ten())
    assert (backend.most_running, len(backend.asked), bench.clock.monotonic()) == (3, 10, 4)


async def test_a_full_waiting_room_refuses_at_once() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 1, "max_waiting": 2}))
    backend = bench.backend(otherwise=Delayed(1, vectors()))

    async def five():
        return await asyncio.gather(*(ask(bench, backend, str(number)) for number in range(5)))

    outcomes = await bench.clock.run(five())
    assert [isinstance(outcome, ModelOverloaded) for outcome in outcomes] == [False, False, False, True, True]


async def test_waiting_for_a_place_is_bounded_in_time() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 1, "max_wait_s": 5}))
    backend = bench.backend(Delayed(20, vectors()), otherwise=vectors())

    async def both():
        return await asyncio.gather(*(ask(bench, backend, str(number)) for number in range(2)))

    _, refused = await bench.clock.run(both())
    assert isinstance(refused, ModelOverloaded)
    assert (await bench.clock.run(ask(bench, backend))).value, "the place came back"


async def test_who_gave_up_waiting_takes_no_room_from_who_still_would() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 1, "max_waiting": 1, "max_wait_s": 5}))
    backend = bench.backend(Delayed(8, vectors()), otherwise=vectors())
    calls = []
    for number in range(2):
        calls.append(asyncio.create_task(ask(bench, backend, str(number))))
        await bench.clock.advance(0.5)
    await bench.clock.advance(6)
    assert isinstance(await calls[1], ModelOverloaded)
    assert (await bench.clock.run(ask(bench, backend, "later"))).value


async def test_another_backend_is_not_held_up() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 1, "max_waiting": 0}))
    slow, quick = bench.backend(Delayed(9, vectors())), bench.backend(vectors(), name="other")
    held = asyncio.create_task(ask(bench, slow))
    await bench.clock.advance(1)
    assert (await bench.clock.run(ask(bench, quick))).value
    held.cancel()


@given(st.lists(st.tuples(st.sampled_from(["ask", "cancel", "end"]), st.integers(0, 9)), max_size=60))
@example([("ask", 1), ("ask", 1), ("ask", 1), ("end", 0), ("cancel", 2)])
@settings(deadline=None)
def test_no_place_is_lost_or_doubled_whoever_gives_up_when(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        places, holders = Slots(2), []

        async def hold() -> None:
            if not places.take_now():
                turn = places.queue()
                try:
                    await turn
                except asyncio.CancelledError:
                    places.leave(turn)
                    raise
            holders.append(asyncio.current_task())

        tasks: list[asyncio.Task[None]] = []
        for step, number in steps:
            if step == "ask":
                tasks.append(asyncio.create_task(hold()))
            elif step == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            elif step == "end" and holders:
                holders.pop(0)
                places.give_back()
            if number % 2:  # Sometimes several steps fall into one turn of the loop.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            assert len(holders) <= 2
        for _ in range(5):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert places.taken == len(holders)
        assert len(places.waiting) == 0

    asyncio.run(play())
