"""What several processes know and use together: breakers, one probe, rates and places over one board."""

import asyncio
from collections.abc import Mapping

import pytest

from adapters.guard import GuardSettings
from adapters.guard.others import ANSWERS_S
from adapters.memory import MemoryCallBoard
from adapters.scripted import Delayed, MovableClock, ScriptedBackend
from domain.call import CallContext
from domain.errors import CircuitOpen, ModelUnavailable, RateLimited, StorageFailed
from ports.call_board import News
from ports.embedder import InputType
from ports.telemetry import BreakerState
from tests.guarded import Bench, vectors

DOWN = ModelUnavailable("down", None)
BEAT_S = 2.0
TARGET = ("scripted", "scripted", "1")


def bench(board: MemoryCallBoard, clock: MovableClock, owner: str, **settings: object) -> Bench:
    """A process with a guard of its own on the common board."""
    return Bench(clock, GuardSettings(retry={"max_tries": 1}, **settings), board=board, owner=owner)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def board(clock: MovableClock) -> MemoryCallBoard:
    return MemoryCallBoard(clock)


async def ask(process: Bench, backend: ScriptedBackend, text: str = "a", **context: object) -> object:
    """Ask outside the cache; return the answer, or the error."""
    try:
        return await process.embedder(backend).embed([text], InputType.QUERY, CallContext(store=False, **context))
    except Exception as error:
        return error


async def opened(process: Bench, backend: ScriptedBackend) -> None:
    for _ in range(5):
        assert isinstance(await process.clock.run(ask(process, backend)), ModelUnavailable)


async def test_what_one_process_finds_out_stops_the_others_within_a_beat(board: MemoryCallBoard, clock: MovableClock) -> None:
    worker, ingress = bench(board, clock, "worker"), bench(board, clock, "ingress")
    dead, alive = worker.backend(otherwise=DOWN), ingress.backend(otherwise=vectors())
    assert (await clock.run(ask(ingress, alive))).value
    await opened(worker, dead)
    await clock.advance(BEAT_S)

    refused = await clock.run(ask(ingress, alive))

    assert isinstance(refused, CircuitOpen)
    assert refused.retry_after_s == 5.0 - BEAT_S
    assert len(alive.asked) == 1
    assert [state for *_, state in ingress.telemetry.breakers] == [BreakerState.OPEN]


async def test_a_process_that_never_called_the_model_tells_its_state(board: MemoryCallBoard, clock: MovableClock) -> None:
    worker, ingress = bench(board, clock, "worker"), bench(board, clock, "ingress")
    assert await clock.run(ingress.guard.states_of_all()) == {}
    await opened(worker, worker.backend(otherwise=DOWN))
    assert ingress.guard.breaker_states() == {}
    assert await clock.run(ingress.guard.states_of_all()) == {TARGET: BreakerState.OPEN}
    await clock.advance(5)
    assert await clock.run(ingress.guard.states_of_all()) == {TARGET: BreakerState.HALF_OPEN}
    await clock.run(ask(worker, worker.backend(otherwise=vectors())))
    assert await clock.run(ingress.guard.states_of_all()) == {TARGET: BreakerState.CLOSED}


async def test_of_all_processes_one_probes_and_its_answer_opens_the_way_for_all(
    board: MemoryCallBoard, clock: MovableClock
) -> None:
    processes = [bench(board, clock, f"process-{number}") for number in range(4)]
    model = processes[0].backend(*[DOWN] * 5, Delayed(3, vectors()), otherwise=vectors())
    await opened(processes[0], model)
    await clock.advance(5)

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*(ask(process, model) for process in processes for _ in range(5)))

    first = await clock.run(all_at_once())
    await clock.advance(BEAT_S)
    then = await clock.run(all_at_once())

    assert len(model.asked) == 5 + 1 + 20
    assert sum(isinstance(outcome, CircuitOpen) for outcome in first) == 19
    assert not [outcome for outcome in then if isinstance(outcome, Exception)]


async def test_a_probe_that_fails_keeps_all_away_for_twice_as_long(board: MemoryCallBoard, clock: MovableClock) -> None:
    one, two = bench(board, clock, "one"), bench(board, clock, "two")
    dead, other = one.backend(otherwise=DOWN), two.backend(otherwise=DOWN)
    await clock.run(ask(two, other))
    await opened(one, dead)
    await clock.advance(5)
    assert isinstance(await clock.run(ask(two, other)), ModelUnavailable)
    await clock.advance(BEAT_S)
    refused = await clock.run(ask(one, dead))
    assert isinstance(refused, CircuitOpen)
    assert refused.retry_after_s == 10 - BEAT_S
    assert len(dead.asked) == 5


async def test_a_cancelled_probe_leaves_the_next_one_to_another_process(board: MemoryCallBoard, clock: MovableClock) -> None:
    one, two = bench(board, clock, "one"), bench(board, clock, "two")
    model = one.backend(*[DOWN] * 5, Delayed(100, vectors()), otherwise=vectors())
    await opened(one, model)
    await clock.run(two.guard.states_of_all())
    await clock.advance(5)
    probe = asyncio.create_task(ask(one, model))
    await clock.advance(1)
    assert isinstance(await clock.run(ask(two, model)), CircuitOpen)
    probe.cancel()
    await clock.settle()
    assert (await clock.run(ask(two, model))).value


async def test_a_long_probe_stays_the_only_one(board: MemoryCallBoard, clock: MovableClock) -> None:
    one, two = bench(board, clock, "one"), bench(board, clock, "two")
    model = one.backend(*[DOWN] * 5, Delayed(50, vectors()), otherwise=vectors())
    await opened(one, model)
    await clock.run(two.guard.states_of_all())
    await clock.advance(5)
    probe = asyncio.create_task(ask(one, model))
    await clock.advance(45)
    assert isinstance(await clock.run(ask(two, model)), CircuitOpen)
    await clock.advance(10)
    assert (await probe).value


async def test_a_process_with_a_bad_line_of_its_own_stops_the_others_once_and_not_again(
    board: MemoryCallBoard, clock: MovableClock
) -> None:
    cut_off, well = bench(board, clock, "cut off"), bench(board, clock, "well")
    dead, alive = cut_off.backend(otherwise=DOWN), well.backend(otherwise=vectors())
    await opened(cut_off, dead)
    await clock.run(well.guard.states_of_all())
    await clock.advance(5)
    assert (await clock.run(ask(well, alive))).value
    await clock.advance(BEAT_S)
    await opened(cut_off, dead)
    await clock.advance(BEAT_S)

    assert (await clock.run(ask(well, alive))).value
    assert set(cut_off.guard.breaker_states().values()) == {BreakerState.OPEN}
    for process in (well, cut_off):
        assert await clock.run(process.guard.states_of_all()) == {TARGET: BreakerState.CLOSED}


class AwayBoard(MemoryCallBoard):
    """Refuses while `away`, says nothing at all while it `hangs`, and is `closed` under its caller as a store may be."""

    away = hangs = closed = False

    async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
        if self.hangs:
            await self._clock.sleep(10_000)
        if self.closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self.away:
            raise StorageFailed("away")
        return await super().exchange(owner, demand, for_s)

    async def open(self, *arguments: object) -> object:
        if self.away:
            raise StorageFailed("away")
        return await super().open(*arguments)


@pytest.mark.parametrize("how", ["away", "hangs", "closed"])
async def test_a_board_that_is_away_never_stops_a_call(clock: MovableClock, how: str) -> None:
    board = AwayBoard(clock)
    setattr(board, how, True)
    process = bench(board, clock, "one", breaker={"min_failures": 2})
    model = process.backend(vectors(), DOWN, DOWN, DOWN, otherwise=vectors())
    before = clock.now()
    assert (await clock.run(ask(process, model))).value
    assert clock.now() - before <= ANSWERS_S, "the first call waits a moment for the board, the next ones do not"
    before = clock.now()
    for expected in (ModelUnavailable, ModelUnavailable, CircuitOpen):
        assert isinstance(await clock.run(ask(process, model)), expected)
    assert clock.now() == before
    assert await clock.run(process.guard.states_of_all()) == {TARGET: BreakerState.OPEN}
    await clock.advance(5)
    assert isinstance(await clock.run(ask(process, model)), ModelUnavailable)
    await clock.advance(10)
    assert (await clock.run(ask(process, model))).value


async def test_what_could_not_be_told_is_told_with_the_next_failed_probe(clock: MovableClock) -> None:
    board = AwayBoard(clock)
    board.away = True
    process = bench(board, clock, "one")
    model = process.backend(otherwise=DOWN)
    await opened(process, model)
    board.away = False
    assert (await board.exchange("other", None, 1.0)).breakers == {}
    await clock.advance(5)
    await clock.run(ask(process, model))
    assert [notice.open_for_s for notice in (await board.exchange("other", None, 1.0)).breakers.values()] == [10.0]


async def test_places_are_those_of_the_whole_service(board: MemoryCallBoard, clock: MovableClock) -> None:
    settings = {"bulkhead": {"max_concurrent": 8, "max_waiting": 100}}
    one, two = bench(board, clock, "one", **settings), bench(board, clock, "two", **settings)
    first, second = one.backend(otherwise=Delayed(10, vectors())), two.backend(otherwise=Delayed(10, vectors()))
    calls = [
        asyncio.create_task(ask(process, model, str(n))) for process, model in ((one, first), (two, second)) for n in range(40)
    ]
    await clock.advance(25)  # the first calls began before either knew of the other
    assert (first.running, second.running) == (4, 4)
    for call in calls:
        call.cancel()
    await clock.settle()


async def test_a_process_that_is_alone_has_all_places_again(board: MemoryCallBoard, clock: MovableClock) -> None:
    settings = {"bulkhead": {"max_concurrent": 8, "max_waiting": 100}}
    one, two = bench(board, clock, "one", **settings), bench(board, clock, "two", **settings)
    first, second = one.backend(otherwise=Delayed(10, vectors())), two.backend(otherwise=Delayed(10, vectors()))
    calls = [asyncio.create_task(ask(one, first, str(n))) for n in range(60)]
    others = [asyncio.create_task(ask(two, second, str(n))) for n in range(60)]
    await clock.advance(25)
    assert first.running == 4
    for call in others:
        call.cancel()
    await clock.advance(30)
    assert first.running == 8
    for call in calls:
        call.cancel()
    await clock.settle()


async def test_a_rate_is_that_of_the_whole_service(board: MemoryCallBoard, clock: MovableClock) -> None:
    settings = {"rate": {"calls_per_s": 10, "burst": 1, "max_wait_s": 0.5}}
    processes = [bench(board, clock, f"process-{number}", **settings) for number in range(4)]
    models = [process.backend(otherwise=vectors()) for process in processes]
    outcomes: list[object] = []
    start = 0
    for second in range(20):
        if second == 10:
            start = sum(len(model.asked) for model in models)
        for _ in range(10):
            tasks = [asyncio.create_task(ask(*each, tenant="acme")) for each in zip(processes, models, strict=True)]
            await clock.advance(0.1)
            outcomes += [task.result() for task in tasks if task.done()]
    passed = sum(len(model.asked) for model in models) - start
    assert 80 <= passed <= 110, "ten a second for ten seconds, not forty"
    assert any(isinstance(outcome, RateLimited) for outcome in outcomes)


async def test_many_calls_write_to_the_board_once_a_beat(clock: MovableClock) -> None:
    class Counted(MemoryCallBoard):
        posts = 0

        async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
            self.posts += 1
            return await super().exchange(owner, demand, for_s)

    board = Counted(clock)
    process = bench(board, clock, "one")
    model = process.backend(otherwise=vectors())
    for number in range(300):
        await clock.run(ask(process, model, str(number)))
        await clock.advance(0.01)
    assert len(model.asked) == 300
    assert board.posts <= 300 * 0.01 / BEAT_S + 2
    await clock.advance(60)
    posts = board.posts
    await clock.advance(600)
    assert board.posts == posts, "a process that makes no calls says nothing"
