"""Trying again when it can help, not too often, and nothing after the deadline."""

import asyncio
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.guard import GuardSettings
from adapters.guard.retry import Retry, RetryBudget
from adapters.guard.settings import RetrySettings
from adapters.scripted import Delayed, MovableClock
from domain.call import CallContext
from domain.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    InvalidModelOutput,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    WordloopError,
)
from ports.embedder import InputType
from ports.transcriber import TranscriptionOptions
from tests.guarded import Bench, heard, prompt, segment, vectors, window, written

QUERY = InputType.QUERY
DOWN = ModelUnavailable("down", None)


def ask(bench: Bench, backend, **context):
    return bench.embedder(backend).embed(["a"], QUERY, CallContext(job_id="job_1", **context))


@pytest.mark.parametrize("error", [DOWN, ModelOverloaded("full", None), RateLimited("slow down", None), ModelTimeout("late")])
async def test_transient_errors_are_tried_again(error: WordloopError) -> None:
    bench = Bench()
    answer = await bench.clock.run(ask(bench, bench.backend(error, error, error, vectors())))
    assert answer.provenance.attempts == 4


async def test_the_last_error_comes_out_when_every_try_failed() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=DOWN)
    with pytest.raises(ModelUnavailable):
        await bench.clock.run(ask(bench, backend))
    assert len(backend.asked) == 4


@pytest.mark.parametrize("error", [ModelRejected("no"), BudgetExceeded("no", "tokens", 0.0)])
async def test_permanent_errors_are_not_tried_again(error: WordloopError) -> None:
    bench = Bench()
    backend = bench.backend(error)
    with pytest.raises(type(error)):
        await bench.clock.run(ask(bench, backend))
    assert len(backend.asked) == 1


async def test_an_error_that_is_not_ours_becomes_one_without_its_text() -> None:
    bench = Bench()
    with pytest.raises(ModelUnavailable) as caught:
        await bench.clock.run(ask(bench, bench.backend(otherwise=RuntimeError("the words that were said"))))
    assert caught.value.detail == "the backend scripted failed with RuntimeError"


async def test_a_greedy_answer_that_breaks_a_rule_is_not_made_again() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=written("not json"))
    with pytest.raises(InvalidModelOutput):
        await bench.clock.run(bench.language_model(backend).generate(prompt(temperature=0.0), CallContext()))
    assert len(backend.asked) == 1


async def test_a_sampled_answer_that_breaks_a_rule_gets_one_further_try() -> None:
    bench = Bench()
    backend = bench.backend(otherwise=written("not json"))
    with pytest.raises(InvalidModelOutput):
        await bench.clock.run(bench.language_model(backend).generate(prompt(temperature=0.7), CallContext()))
    assert len(backend.asked) == 2


async def test_attempts_and_usage_of_refused_answers_are_counted() -> None:
    bench = Bench()
    backend = bench.backend(DOWN, written("not json"), written('{"title": "x"}'))
    with pytest.raises(InvalidModelOutput):  # The second of two tries at valid output was spent on the dead backend.
        await bench.clock.run(bench.language_model(backend).generate(prompt(temperature=0.7), CallContext()))
    backend = bench.backend(written("not json"), written('{"title": "x"}'))
    answer = await bench.clock.run(bench.language_model(backend).generate(prompt(temperature=0.7), CallContext()))
    assert (answer.provenance.attempts, answer.provenance.usage.output_tokens) == (2, 10)


class Draws(Random):
    """Randomness that always draws the given share of its range."""

    def __init__(self, share: float) -> None:
        super().__init__(0)
        self.share = share

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.share


@pytest.mark.parametrize(
    ("error", "share", "pauses"),
    [
        (DOWN, 1.0, [0.2, 0.4, 0.8]),
        (DOWN, 0.0, [0.0, 0.0, 0.0]),
        (RateLimited("slow down", None), 0.0, [0.1, 0.2, 0.4]),
        (ModelOverloaded("full", 3.0), 1.0, [3.0, 3.0, 3.0]),
        (RateLimited("slow down", 0.3), 1.0, [0.3, 0.4, 0.8]),
    ],
)
async def test_pauses_have_full_jitter_equal_jitter_for_429_and_retry_after_as_floor(error, share, pauses) -> None:
    clock = MovableClock()
    retry = Retry(RetrySettings(), clock, Draws(share))
    times: list[float] = []

    async def fail(call):
        times.append(clock.monotonic())
        raise error

    bench = Bench(clock)
    with pytest.raises(type(error)):
        await clock.run(retry(bench.call(bench.backend()), fail))
    assert [round(later - earlier, 6) for earlier, later in pairwise(times)] == pauses


async def test_a_retry_after_longer_than_we_wait_is_passed_on_at_once() -> None:
    bench = Bench()
    backend = bench.backend(RateLimited("come back tomorrow", 3600.0))
    with pytest.raises(RateLimited) as caught:
        await bench.clock.run(ask(bench, backend))
    assert (caught.value.retry_after_s, bench.clock.monotonic()) == (3600.0, 0.0)


async def test_in_an_outage_retries_dry_up() -> None:
    bench = Bench(settings=GuardSettings(breaker={"min_failures": 10_000}, cache={"max_answer_bytes": 1}))
    backend = bench.backend(otherwise=DOWN)
    for _ in range(100):
        with pytest.raises(ModelUnavailable):
            await bench.clock.run(ask(bench, backend))
    assert len(backend.asked) == 110


@given(st.lists(st.booleans(), max_size=300))
def test_retries_never_exceed_the_start_and_a_tenth_of_the_successes(outcomes: list[bool]) -> None:
    budget, target = RetryBudget(RetrySettings()), ("b", "m", "r")
    granted = successes = 0
    for success in outcomes:
        if success:
            budget.earn(target)
            successes += 1
        else:
            granted += budget.spend(target)
    assert granted <= 10 + successes * 0.1 + 1e-6


async def test_nothing_starts_after_the_deadline() -> None:
    bench = Bench()
    backend = bench.backend(vectors())
    with pytest.raises(DeadlineExceeded):
        await bench.clock.run(ask(bench, backend, deadline=bench.clock.now()))
    assert backend.asked == []


async def test_what_is_left_of_the_deadline_bounds_each_attempt_and_cancels_the_engine() -> None:
    bench = Bench()
    backend = bench.backend(DOWN, Delayed(100, vectors()))
    with pytest.raises(DeadlineExceeded):
        await bench.clock.run(ask(bench, backend, deadline=bench.clock.now() + 7))
    first, second = backend.asked
    assert (first.timeout_s, second.timeout_s < 7, bench.clock.monotonic()) == (7, True, 7)


async def test_waiting_for_a_place_ends_at_the_deadline_too() -> None:
    bench = Bench(settings=GuardSettings(bulkhead={"max_concurrent": 1}))
    held = asyncio.create_task(ask(bench, bench.backend(Delayed(50, vectors())), tenant="other"))
    await bench.clock.advance(1)
    idle = bench.backend(vectors())
    with pytest.raises(DeadlineExceeded):
        await bench.clock.run(ask(bench, idle, deadline=bench.clock.now() + 7))
    assert (idle.asked, bench.clock.monotonic()) == ([], 8)
    held.cancel()


async def test_no_retry_is_waited_for_that_would_come_after_the_deadline() -> None:
    bench = Bench()
    with pytest.raises(ModelOverloaded):
        await bench.clock.run(ask(bench, bench.backend(ModelOverloaded("full", 5.0)), deadline=bench.clock.now() + 4))
    assert bench.clock.monotonic() == 0


async def test_without_a_deadline_one_attempt_has_the_timeout_of_its_kind() -> None:
    bench = Bench(settings=GuardSettings(timeouts={"transcribe": 11}, retry={"max_tries": 1}))
    backend = bench.backend(Delayed(1000, heard(segment())))
    with pytest.raises(ModelTimeout):
        await bench.clock.run(bench.transcriber(backend).transcribe(window(), TranscriptionOptions(), CallContext()))
    assert (backend.asked[0].timeout_s, bench.clock.monotonic()) == (11, 11)


async def test_a_backend_that_ignores_its_timeout_is_cut_off() -> None:
    bench = Bench(settings=GuardSettings(timeouts={"embed": 5}, retry={"max_tries": 1}))
    stuck = bench.backend()
    stuck.call = lambda request, meta, timeout_s: bench.clock.sleep(10_000)
    with pytest.raises(ModelTimeout):
        await bench.clock.run(ask(bench, stuck))
    assert bench.clock.monotonic() == 6


async def test_cancelling_a_call_stops_the_engine_and_is_not_retried() -> None:
    bench = Bench()
    backend = bench.backend(Delayed(100, vectors()))
    call = asyncio.create_task(ask(bench, backend, deadline=bench.clock.now() + 1000))
    await bench.clock.advance(1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (backend.cancelled, len(backend.asked)) == (1, 1)
