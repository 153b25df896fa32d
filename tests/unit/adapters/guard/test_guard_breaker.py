"""A backend that is down is left alone, and probed by one call at a time."""

import asyncio

import pytest

from adapters.guard import GuardSettings
from adapters.scripted import Delayed
from domain.call import CallContext
from domain.errors import (
    CircuitOpen,
    DeadlineExceeded,
    InvalidModelOutput,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
)
from ports.embedder import InputType
from ports.telemetry import BreakerState
from tests.guarded import Bench, vectors

DOWN = ModelUnavailable("down", None)
ONE_TRY = GuardSettings(retry={"max_tries": 1})


async def ask(bench: Bench, backend, text: str = "a", **context) -> object:
    """Ask outside the cache; return the answer, or the error."""
    try:
        return await bench.embedder(backend).embed([text], InputType.QUERY, CallContext(store=False, **context))
    except Exception as error:
        return error


async def opened(bench: Bench, backend) -> None:
    for _ in range(5):
        assert isinstance(await bench.clock.run(ask(bench, backend)), ModelUnavailable)


async def test_five_failures_open_it_and_further_calls_are_refused_with_the_time_to_wait() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(otherwise=DOWN)
    await opened(bench, backend)
    refused = await bench.clock.run(ask(bench, backend))
    assert isinstance(refused, CircuitOpen)
    assert refused.retry_after_s == 5.0
    assert len(backend.asked) == 5


async def test_of_fifty_callers_when_half_open_one_is_the_probe() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(*[DOWN] * 5, Delayed(3, vectors()), otherwise=vectors())
    await opened(bench, backend)
    await bench.clock.advance(5)

    async def fifty():
        return await asyncio.gather(*(ask(bench, backend, str(number)) for number in range(50)))

    outcomes = await bench.clock.run(fifty())
    assert len(backend.asked) == 6
    assert sum(isinstance(outcome, CircuitOpen) for outcome in outcomes) == 49


async def test_a_probe_that_succeeds_closes_it() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(*[DOWN] * 5, otherwise=vectors())
    await opened(bench, backend)
    await bench.clock.advance(5)
    assert (await bench.clock.run(ask(bench, backend))).value
    assert set(bench.guard.breaker_states().values()) == {BreakerState.CLOSED}
    assert [state for _, _, state in bench.telemetry.breakers] == [
        BreakerState.OPEN,
        BreakerState.HALF_OPEN,
        BreakerState.CLOSED,
    ]


async def test_each_probe_that_fails_doubles_the_time_it_stays_open_up_to_a_limit() -> None:
    bench = Bench(settings=GuardSettings(retry={"max_tries": 1}, breaker={"open_most_s": 30}))
    backend = bench.backend(otherwise=DOWN)
    await opened(bench, backend)
    for seconds in (5, 10, 20, 30, 30):
        await bench.clock.advance(seconds - 0.5)
        assert isinstance(await bench.clock.run(ask(bench, backend)), CircuitOpen)
        await bench.clock.advance(0.5)
        assert isinstance(await bench.clock.run(ask(bench, backend)), ModelUnavailable)


async def test_a_probe_makes_a_single_attempt() -> None:
    bench = Bench(settings=GuardSettings(breaker={"min_failures": 1}))
    backend = bench.backend(otherwise=DOWN)
    await bench.clock.run(ask(bench, backend))
    await bench.clock.advance(5)
    before = len(backend.asked)
    await bench.clock.run(ask(bench, backend))
    assert len(backend.asked) == before + 1


async def test_a_cancelled_probe_is_neutral_and_the_next_call_probes() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(*[DOWN] * 5, Delayed(100, vectors()), vectors())
    await opened(bench, backend)
    await bench.clock.advance(5)
    probe = asyncio.create_task(ask(bench, backend))
    await bench.clock.advance(1)
    probe.cancel()
    await bench.clock.settle()
    assert set(bench.guard.breaker_states().values()) == {BreakerState.HALF_OPEN}
    assert (await bench.clock.run(ask(bench, backend))).value


async def test_a_probe_that_meets_its_deadline_is_neutral() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(*[DOWN] * 5, Delayed(100, vectors()), vectors())
    await opened(bench, backend)
    await bench.clock.advance(5)
    assert isinstance(await bench.clock.run(ask(bench, backend, deadline=bench.clock.now() + 2)), DeadlineExceeded)
    assert (await bench.clock.run(ask(bench, backend))).value


@pytest.mark.parametrize(
    "answer",
    [
        ModelRejected("no"),
        InvalidModelOutput("no"),
        RateLimited("slow", None),
        ModelOverloaded("full", None),
        vectors([2.0, 2.0]),
        vectors(),
    ],
)
async def test_a_backend_that_answers_is_not_down_whatever_it_answers(answer) -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(otherwise=answer)
    for _ in range(20):
        await bench.clock.run(ask(bench, backend))
    assert set(bench.guard.breaker_states().values()) == {BreakerState.CLOSED}


async def test_timeouts_open_it() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(otherwise=ModelTimeout("late"))
    for _ in range(5):
        await bench.clock.run(ask(bench, backend))
    assert set(bench.guard.breaker_states().values()) == {BreakerState.OPEN}


async def test_failures_outside_the_window_are_forgotten() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(otherwise=DOWN)
    for _ in range(8):
        await bench.clock.run(ask(bench, backend))
        await bench.clock.advance(7.6)
    assert set(bench.guard.breaker_states().values()) == {BreakerState.CLOSED}


async def test_few_failures_among_many_successes_do_not_open_it() -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(*([vectors()] * 2 + [DOWN]) * 10)
    for number in range(30):
        await bench.clock.run(ask(bench, backend, str(number)))
    assert set(bench.guard.breaker_states().values()) == {BreakerState.CLOSED}


async def test_each_model_and_backend_has_its_own() -> None:
    bench = Bench(settings=ONE_TRY)
    dead = bench.backend(otherwise=DOWN, name="there")
    alive = bench.backend(otherwise=vectors(), name="here")
    await opened(bench, dead)
    assert (await bench.clock.run(ask(bench, alive))).value
    assert bench.guard.breaker_states() == {
        ("there", "scripted", "1"): BreakerState.OPEN,
        ("here", "scripted", "1"): BreakerState.CLOSED,
    }
