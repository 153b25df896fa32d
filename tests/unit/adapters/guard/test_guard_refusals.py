"""An output that broke a rule is not paid for again within its life; what a provider fails at is tried again."""

import pytest

from adapters.guard import GuardSettings
from adapters.memory import MemoryCallCache
from adapters.scripted import MovableClock
from adapters.telemetry import RecordingTelemetry
from domain.call import CallContext
from domain.errors import InvalidModelOutput, ModelOverloaded, ModelRejected, ModelTimeout, ModelUnavailable, WordloopError
from ports.call_metering import Amounts
from ports.embedder import InputType
from ports.telemetry import CallEvent
from tests.guarded import Bench, prompt, vectors, written

HERE = CallContext(tenant="acme", job_id="job_1", conversation_id="conversation_1")
BROKEN, GOOD = vectors([2.0, 2.0]), vectors([0.0, 1.0])
ONE_TRY = GuardSettings(retry={"max_tries": 1})


async def refused(bench: Bench, embedder: object, context: CallContext = HERE) -> WordloopError:
    with pytest.raises(WordloopError) as raised:
        await bench.clock.run(embedder.embed(["hello"], InputType.QUERY, context))
    return raised.value


async def test_the_same_call_meets_the_same_refusal_without_a_call_and_says_so() -> None:
    bench = Bench(settings=GuardSettings(budget={"per_tenant": {"tokens": 1000}}))
    backend = bench.backend(BROKEN, GOOD)
    embedder = bench.embedder(backend)

    first, again = await refused(bench, embedder), await refused(bench, embedder)

    assert isinstance(again, InvalidModelOutput)
    assert again.args == first.args
    assert len(backend.asked) == 1
    made, remembered = bench.telemetry.spans
    assert CallEvent.REFUSAL_REMEMBERED not in made.events
    assert remembered.events == [CallEvent.REFUSAL_REMEMBERED]
    assert (made.provenance.attempts, remembered.provenance.attempts, remembered.provenance.cost_usd) == (1, 0, 0.0)
    assert await bench.guard.budget_left("acme") == Amounts(float("inf"), 1000 - 3, float("inf"))


async def test_a_refusal_is_forgotten_when_its_life_is_over() -> None:
    bench = Bench(settings=GuardSettings(cache={"refusal_s": 60}))
    backend = bench.backend(BROKEN, GOOD)
    embedder = bench.embedder(backend)
    await refused(bench, embedder)
    await bench.clock.advance(59)
    await refused(bench, embedder)
    await bench.clock.advance(1)
    assert (await bench.clock.run(embedder.embed(["hello"], InputType.QUERY, HERE))).value == ((0.0, 1.0),)
    assert len(backend.asked) == 2
    assert CallEvent.CACHE_UNREADABLE not in bench.telemetry.spans[-1].events


async def test_refusals_are_not_remembered_where_their_life_is_nothing() -> None:
    bench = Bench(settings=GuardSettings(cache={"refusal_s": 0}))
    backend = bench.backend(BROKEN, BROKEN)
    embedder = bench.embedder(backend)
    for _ in range(2):
        await refused(bench, embedder)
    assert len(backend.asked) == 2


async def test_another_process_remembers_too_and_another_tenant_does_not() -> None:
    clock = MovableClock()
    cache = MemoryCallCache(clock)
    one, two = Bench(clock, cache=cache, owner="one"), Bench(clock, cache=cache, owner="two")
    first, second = one.backend(BROKEN), two.backend(BROKEN)
    await refused(one, one.embedder(first))
    await refused(two, two.embedder(second))
    assert len(second.asked) == 0
    await refused(two, two.embedder(second), CallContext(tenant="other", job_id="job_2"))
    assert len(second.asked) == 1


async def test_the_refusals_of_a_conversation_are_deleted_with_it() -> None:
    bench = Bench()
    backend = bench.backend(BROKEN, BROKEN)
    embedder = bench.embedder(backend)
    await refused(bench, embedder)
    assert await bench.cache.forget_conversation(HERE.cache_scope, "conversation_1") == 1
    await refused(bench, embedder)
    assert len(backend.asked) == 2


async def test_a_sampled_answer_has_its_second_try_before_its_refusal_is_remembered() -> None:
    bench = Bench()
    backend = bench.backend(written("no json"), written("none either"), written('{"title": "late"}'))
    model = bench.language_model(backend)
    for _ in range(2):
        with pytest.raises(InvalidModelOutput):
            await bench.clock.run(model.generate(prompt(temperature=0.7), HERE))
    assert len(backend.asked) == 2


async def test_a_second_try_that_is_valid_is_kept_like_any_answer() -> None:
    bench = Bench()
    backend = bench.backend(written("no json"), written('{"title": "well"}'))
    model = bench.language_model(backend)
    for _ in range(2):
        assert (await bench.clock.run(model.generate(prompt(temperature=0.7), HERE))).value == {"title": "well"}
    assert len(backend.asked) == 2


@pytest.mark.parametrize(
    "error",
    [
        ModelUnavailable("down", None),
        ModelTimeout("late"),
        ModelOverloaded("full", None),
        ModelRejected("no"),
        InvalidModelOutput("the server's answer is not an object"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_the_provider_fails_at_is_tried_again(error: WordloopError) -> None:
    bench = Bench(settings=ONE_TRY)
    backend = bench.backend(error, GOOD)
    embedder = bench.embedder(backend)
    await refused(bench, embedder)
    assert (await bench.clock.run(embedder.embed(["hello"], InputType.QUERY, HERE))).value == ((0.0, 1.0),)


async def test_a_remembered_refusal_is_no_known_answer() -> None:
    bench = Bench()
    backend = bench.backend(BROKEN)
    embedder = bench.embedder(backend)
    await refused(bench, embedder)
    assert await bench.guard.known(embedder.call(["hello"], InputType.QUERY, HERE)) is None


async def test_what_the_model_wrote_is_not_in_the_memory_of_its_refusal() -> None:
    bench = Bench(telemetry=RecordingTelemetry())
    model = bench.language_model(bench.backend(written("a secret that was said")))
    with pytest.raises(InvalidModelOutput):
        await bench.clock.run(model.generate(prompt(), HERE))
    key = bench.telemetry.spans[0].spec.key
    stored = await bench.cache.read(HERE.cache_scope, key)
    assert stored["format"] == "refusal-1"
    assert "secret" not in str(stored)
