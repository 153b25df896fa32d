"""Budgets: set aside before, settled after, exact, and closed when in doubt."""

import asyncio
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.guard import GuardSettings, Price, Prices
from adapters.guard.prices import DEFAULT_PRICES, UNKNOWN_REMOTE
from adapters.memory import MemoryBudgetLedger
from adapters.scripted import Delayed, MovableClock
from domain.call import CallContext, CallKind, ModelIdentity, Usage
from domain.errors import BudgetExceeded, InvalidModelOutput, ModelRejected, ModelUnavailable, StorageFailed
from ports.call_metering import Amounts, Reservation
from ports.embedder import InputType
from ports.model_backend import RawOutput
from ports.transcriber import TranscriptionOptions
from tests.guarded import Bench, heard, prompt, segment, vectors, window, written

NO_LIMIT = Amounts(math.inf, math.inf, math.inf)
TENANT = "tenant:acme:2027-01"
"""The scripted clock starts at 1,800,000,000, on 15 January 2027."""
HERE = CallContext(tenant="acme", job_id="job_1")


def limited(**knobs: object) -> GuardSettings:
    return GuardSettings(budget=knobs, retry={"max_tries": 1})


async def left(bench: Bench, account: str = TENANT, **limits: float) -> Amounts:
    return await bench.ledger.left(
        account, Amounts(**{"audio_seconds": math.inf, "tokens": math.inf, "money_usd": math.inf, **limits})
    )


async def test_audio_seconds_are_refused_before_the_call_with_what_was_left() -> None:
    bench = Bench(settings=limited(per_tenant={"audio_seconds": 5}))
    backend = bench.backend(heard(segment(), seconds=3), heard(segment()))
    transcriber = bench.transcriber(backend)
    await bench.clock.run(transcriber.transcribe(window(3.0), TranscriptionOptions(), HERE))

    with pytest.raises(BudgetExceeded) as caught:
        await bench.clock.run(transcriber.transcribe(window(2.5), TranscriptionOptions(), HERE))

    assert (caught.value.what, caught.value.left, len(backend.asked)) == ("audio_seconds", 2.0, 1)
    await bench.clock.run(transcriber.transcribe(window(2.0), TranscriptionOptions(), HERE))


async def test_tokens_are_reserved_at_the_most_and_settled_at_what_was_used() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 200}))
    model = bench.language_model(bench.backend(Delayed(1, written('{"title": "x"}', tokens=5)), otherwise=written("{}")))
    call = asyncio.create_task(model.generate(prompt(), HERE))
    await bench.clock.advance(0.5)
    # 14 bytes of prompt and 32 for its message can be at most 46 tokens; the answer at most 64.
    assert (await left(bench, tokens=200)).tokens == 200 - 46 - 64
    await bench.clock.advance(1)
    await call
    assert (await left(bench, tokens=200)).tokens == 190


async def test_money_is_counted_by_the_price_of_the_model() -> None:
    prices = Prices(by_model={("scripted", "scripted"): Price(input_million_tokens=1_000_000.0)})
    bench = Bench(settings=limited(per_job={"money_usd": 20}), prices=prices)
    backend = bench.backend(otherwise=vectors(tokens=3))
    answer = await bench.clock.run(bench.embedder(backend).embed(["a"], InputType.QUERY, HERE))
    assert answer.provenance.cost_usd == 3.0
    assert (await left(bench, "job:job_1", money_usd=20)).money_usd == 17.0
    with pytest.raises(BudgetExceeded) as caught:
        await bench.clock.run(bench.embedder(backend).embed(["a" * 20], InputType.QUERY, HERE))
    assert (caught.value.what, caught.value.left) == ("money", 17.0)


async def test_a_known_answer_costs_nothing() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 12}))
    embedder = bench.embedder(bench.backend(vectors(tokens=9)))
    for _ in range(3):
        await bench.clock.run(embedder.embed(["a"], InputType.QUERY, HERE))
    assert (await left(bench, tokens=12)).tokens == 3


@pytest.mark.parametrize("error", [ModelUnavailable("down", None), ModelRejected("no"), RuntimeError("bug")])
async def test_a_call_that_failed_gives_everything_back(error: Exception) -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 20}))
    with pytest.raises((ModelUnavailable, ModelRejected)):
        await bench.clock.run(bench.embedder(bench.backend(error)).embed(["a"], InputType.QUERY, HERE))
    assert (await left(bench, tokens=20)).tokens == 20


async def test_a_cancelled_call_gives_everything_back() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 20}))
    call = asyncio.create_task(bench.embedder(bench.backend(Delayed(9, vectors()))).embed(["a"], InputType.QUERY, HERE))
    await bench.clock.advance(1)
    assert (await left(bench, tokens=20)).tokens == 11
    call.cancel()
    await bench.clock.settle()
    assert (await left(bench, tokens=20)).tokens == 20


class SlowLedger(MemoryBudgetLedger):
    """Answers a second after it was asked, as one in another process would."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self._clock = clock

    async def reserve(self, accounts: Mapping[str, Amounts], amounts: Amounts) -> Reservation:
        reservation = await super().reserve(accounts, amounts)
        await self._clock.sleep(1)
        return reservation


async def test_a_call_cancelled_while_it_reserves_gives_everything_back() -> None:
    clock = MovableClock()
    bench = Bench(clock, settings=limited(per_tenant={"tokens": 20}), ledger=SlowLedger(clock))
    call = asyncio.create_task(bench.embedder(bench.backend()).embed(["a"], InputType.QUERY, HERE))
    await clock.advance(0.5)
    call.cancel()
    await clock.advance(1)
    assert (await left(bench, tokens=20)).tokens == 20


async def test_an_invalid_output_was_made_and_is_charged() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 20}))
    with pytest.raises(InvalidModelOutput):
        await bench.clock.run(bench.embedder(bench.backend(vectors([7.0, 7.0]))).embed(["a"], InputType.QUERY, HERE))
    assert (await left(bench, tokens=20)).tokens == 17


async def test_a_backend_that_reports_no_usage_is_charged_the_most() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 20}))
    backend = bench.backend(RawOutput({"vectors": [[1.0, 0.0]]}))
    await bench.clock.run(bench.embedder(backend).embed(["a"], InputType.QUERY, HERE))
    assert (await left(bench, tokens=20)).tokens == 20 - 9


async def test_tenants_have_accounts_of_their_own_and_may_have_limits_of_their_own() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 10}, tenants={"globex": {"tokens": 0}}))
    embedder = bench.embedder(bench.backend(otherwise=vectors()))
    await bench.clock.run(embedder.embed(["a"], InputType.QUERY, HERE))
    await bench.clock.run(embedder.embed(["a"], InputType.QUERY, CallContext(tenant="initech")))
    with pytest.raises(BudgetExceeded):
        await bench.clock.run(embedder.embed(["a"], InputType.QUERY, CallContext(tenant="globex")))


async def test_a_new_month_is_a_new_budget() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 10}))
    embedder = bench.embedder(bench.backend(otherwise=vectors(tokens=9)))
    await bench.clock.run(embedder.embed(["a"], InputType.QUERY, HERE))
    with pytest.raises(BudgetExceeded):
        await bench.clock.run(embedder.embed(["b"], InputType.QUERY, HERE))
    await bench.clock.advance(20 * 86_400)
    await bench.clock.run(embedder.embed(["b"], InputType.QUERY, HERE))


class BrokenLedger(MemoryBudgetLedger):
    async def reserve(self, accounts: object, amounts: Amounts) -> Reservation:
        raise StorageFailed("down")


class ForgetfulLedger(MemoryBudgetLedger):
    async def settle(self, reservation: Reservation, used: Amounts) -> None:
        raise StorageFailed("down")


async def test_a_ledger_that_can_not_answer_means_no_call() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 10}), ledger=BrokenLedger())
    backend = bench.backend(vectors())
    with pytest.raises(StorageFailed):
        await bench.clock.run(bench.embedder(backend).embed(["a"], InputType.QUERY, HERE))
    assert backend.asked == []


async def test_what_can_not_be_settled_stays_set_aside() -> None:
    bench = Bench(settings=limited(per_tenant={"tokens": 10}), ledger=ForgetfulLedger())
    await bench.clock.run(bench.embedder(bench.backend(vectors())).embed(["a"], InputType.QUERY, HERE))
    assert (await left(bench, tokens=10)).tokens == 1


def test_budgets_without_a_ledger_are_refused_when_the_guard_is_built() -> None:
    with pytest.raises(ValueError, match="no ledger"):
        Bench(settings=limited(per_tenant={"tokens": 10}), ledger=None)
    Bench(ledger=None)


def test_a_remote_model_without_a_price_is_dear_rather_than_free() -> None:
    model = ModelIdentity("nobody-knows", "1", "openai_compatible", "unknown")
    usage = Usage(input_tokens=1_000_000)
    assert DEFAULT_PRICES.cost_usd(CallKind.GENERATE, model, usage, 0) == UNKNOWN_REMOTE.input_million_tokens


def test_cached_input_has_its_own_price() -> None:
    price = Price(input_million_tokens=2.0, cached_input_million_tokens=0.5, output_million_tokens=8.0)
    usage = Usage(input_tokens=1_000_000, cached_input_tokens=400_000, output_tokens=500_000)
    assert price.of(usage, 0) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.5 * 8)


tries = st.tuples(
    st.integers(1, 9).map(lambda tokens: vectors(tokens=tokens))
    | st.sampled_from([ModelUnavailable("down", None), vectors([3.0, 3.0], tokens=4)]),
    st.floats(0.1, 5),
    st.none() | st.floats(0, 6),
)


@given(st.lists(tries, min_size=1, max_size=25), st.integers(5, 80))
@settings(deadline=None, max_examples=60)
def test_under_any_interleaving_no_more_is_used_than_the_limit_and_the_account_is_exact(script: list, limit: int) -> None:
    """Each call needs at most 9 tokens, ends as scripted after its delay, and may be cancelled at any time before."""

    async def play() -> None:
        bench = Bench(settings=limited(per_tenant={"tokens": limit}))
        backends = [bench.backend(Delayed(delay, line)) for line, delay, _ in script]
        calls = [
            asyncio.create_task(bench.embedder(backend).embed([chr(0x61 + number)], InputType.QUERY, HERE))
            for number, backend in enumerate(backends)
        ]
        cancels = [(at, call) for (_, _, at), call in zip(script, calls, strict=True) if at is not None]
        for at, call in sorted(cancels, key=lambda cancel: cancel[0]):
            await bench.clock.advance(at - bench.clock.monotonic())
            assert 0 <= (await left(bench, tokens=limit)).tokens <= limit
            call.cancel()
        await bench.clock.advance(10)

        used = 0
        for (line, _, _), call in zip(script, calls, strict=True):
            assert call.done()
            failure = asyncio.CancelledError() if call.cancelled() else call.exception()
            if failure is None or isinstance(failure, InvalidModelOutput):
                used += line.usage.input_tokens
        assert used <= limit
        assert (await left(bench, tokens=limit)).tokens == limit - used

    asyncio.run(play())
