"""When an engine counts as hung or sick: the rule on a clock that is moved by hand, and a replica around engines that are."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.recycling import RecycleLimits
from adapters.ray_serve.replica_health import BELIEVED_AFTER, Unhealthy
from adapters.ray_serve.replicas import BatchedModelReplica, ConcurrentModelReplica
from adapters.ray_serve.watchdog import HealthLimits, Watchdog
from domain.call import Usage
from domain.errors import ModelRejected, ModelUnavailable, WordloopError
from ports.model_backend import CallMeta, EmbedRequest, GenerateRequest, RawOutput
from tests.unit.domain.test_waiting_line import Unmeasured

LIMITS = HealthLimits(timeout_s=60.0, slow_factor=10.0, bad_in_a_row=3)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Watchdog:
    return Watchdog(LIMITS, clock)


def answer(watch: Watchdog, clock: Clock, seconds: float) -> None:
    number = watch.begin()
    clock.now += seconds
    watch.answered(number)


def test_a_call_may_take_as_long_as_its_caller_waits(watch: Watchdog, clock: Clock) -> None:
    answer(watch, clock, 1.0)
    watch.begin()
    clock.now += 60.0
    assert watch.hang is None
    clock.now += 0.1
    assert watch.hang == "nothing was answered for 60.1 s; the longest of the last 1 calls took 1.0 s"


def test_on_a_slow_machine_it_may_take_ten_times_the_longest_of_late(watch: Watchdog, clock: Clock) -> None:
    answer(watch, clock, 30.0)
    watch.begin()
    clock.now += 299.0
    assert watch.hang is None
    clock.now += 2.0
    assert watch.hang is not None


def test_what_was_slow_long_ago_is_forgotten(watch: Watchdog, clock: Clock) -> None:
    for seconds in (30.0, *[1.0] * 32):
        answer(watch, clock, seconds)
    watch.begin()
    clock.now += 61.0
    assert watch.hang is not None


def test_an_idle_engine_is_not_hung(watch: Watchdog, clock: Clock) -> None:
    answer(watch, clock, 1.0)
    clock.now += 10_000.0
    assert watch.hang is None
    watch.begin()
    clock.now += 59.0
    assert watch.hang is None


def test_an_engine_that_answers_others_is_not_hung_but_a_call_that_never_ends_tells(watch: Watchdog, clock: Clock) -> None:
    watch.begin()
    for _ in range(60):
        answer(watch, clock, 1.0)
    assert watch.hang is None
    answer(watch, clock, 1.0)
    assert watch.hang is not None, "nobody cancels a pass, so it is still there"


def test_callers_who_give_up_one_after_another_add_up(watch: Watchdog, clock: Clock) -> None:
    answer(watch, clock, 1.0)
    for _ in range(3):
        number = watch.begin()
        clock.now += 20.5
        assert watch.hang is None or clock.now > 1061.0
        watch.given_up(number)
        clock.now += 1000.0
    assert watch.hang is not None
    answer(watch, clock, 1.0)
    assert watch.hang is None, "it is back"


def test_who_gives_up_sooner_than_calls_take_tells_nothing(watch: Watchdog, clock: Clock) -> None:
    answer(watch, clock, 1.0)
    for _ in range(100):
        number = watch.begin()
        clock.now += 9.0
        watch.given_up(number)
    assert watch.hang is None


def test_so_many_different_calls_in_a_row_make_it_sick(watch: Watchdog) -> None:
    for call in ("a", "b", "a", "b", "a"):
        watch.bad(call)
    assert watch.sickness is None, "one call may fail by its input, however often it is made"
    watch.bad("c")
    assert watch.sickness == "3 calls in a row failed or had answers that have to be refused"
    watch.good()
    assert watch.sickness is None


def rules(judge: Callable[..., bool | None] = lambda *_: True) -> HealthRules:
    return HealthRules(HealthLimits(0.05, 1.0, 3), RecycleLimits(), judge)


class Engine:
    """A batch engine of texts. `stuck` keeps a pass for ever, as a lost GPU does; `failure` ends it."""

    def __init__(self) -> None:
        self.stuck = False
        self.release = threading.Event()
        self.failure: Exception | None = None

    def warm_up(self) -> None: ...

    def sample(self) -> Sequence[EmbedRequest]:
        return [EmbedRequest(("warm",), {})]

    def run(self, batch: Sequence[EmbedRequest]) -> list[RawOutput | WordloopError]:
        if self.stuck:
            self.release.wait(30)
        if self.failure is not None:
            raise self.failure
        return [RawOutput({"heard": request.texts}, Usage(input_tokens=1)) for request in batch]


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine()
    yield made
    made.release.set()


async def batched(engine: Engine, health: HealthRules) -> BatchedModelReplica:
    replica: BatchedModelReplica = object.__new__(BatchedModelReplica)
    await replica.__init__(lambda: engine, Unmeasured, health, 4, 0.0)  # type: ignore[misc, arg-type]
    return replica


async def asked(replica: BatchedModelReplica, key: str) -> RawOutput:
    return await replica.call(EmbedRequest((key,), {}), CallMeta(key=key))


async def fails(check: Callable[[], object]) -> str:
    with pytest.raises(Unhealthy) as raised:
        await check()  # type: ignore[misc]
    return str(raised.value)


async def test_a_replica_with_a_hung_engine_fails_its_checks_and_lets_its_callers_go(engine: Engine) -> None:
    replica = await batched(engine, rules())
    await asked(replica, "one")
    await replica.check_health()

    engine.stuck = True
    waiting = [asyncio.create_task(asked(replica, key)) for key in ("two", "three")]
    await asyncio.sleep(0.1)
    behind = asyncio.create_task(asked(replica, "four"))
    for check in range(BELIEVED_AFTER):
        assert not any(each.done() for each in waiting), f"let go after {check} checks: Serve has not heard of it yet"
        assert "nothing was answered" in await fails(replica.check_health)
    for call in (*waiting, behind):
        with pytest.raises(ModelUnavailable, match="hangs"):
            await call
    with pytest.raises(ModelUnavailable, match="hangs"):
        await asked(replica, "five")


async def test_a_pass_that_ends_late_makes_the_replica_well_again(engine: Engine) -> None:
    replica = await batched(engine, rules())
    engine.stuck = True
    call = asyncio.create_task(asked(replica, "one"))
    await asyncio.sleep(0.1)
    await fails(replica.check_health)
    engine.release.set()
    await call
    await replica.check_health()


async def test_answers_that_are_refused_in_a_row_fail_the_check(engine: Engine) -> None:
    worth = [True]
    replica = await batched(engine, rules(lambda *_: worth[0]))
    worth[0] = False
    for key in ("a", "b"):
        await asked(replica, key)
    await replica.check_health()
    await asked(replica, "c")
    assert "3 calls in a row" in await fails(replica.check_health)
    worth[0] = True
    await asked(replica, "d")
    await replica.check_health()


async def test_passes_that_fail_in_a_row_fail_the_check_and_an_input_that_can_not_be_read_does_not(engine: Engine) -> None:
    replica = await batched(engine, rules())
    for failure, well in ((ModelRejected("too long"), True), (RuntimeError("CUDA error: an illegal memory access"), False)):
        engine.failure = failure
        for key in ("a", "b", "c"):
            with pytest.raises(WordloopError):
                await asked(replica, key)
        if well:
            await replica.check_health()
    assert "3 calls in a row" in await fails(replica.check_health)


class Writer:
    """A language model that writes at once, until it is `stuck`."""

    stuck = False

    async def warm_up(self) -> None: ...

    async def generate(self, request: GenerateRequest, meta: CallMeta) -> RawOutput:
        await asyncio.sleep(30 if self.stuck else 0)
        return RawOutput({"text": "go", "finish_reason": "stop"}, Usage(input_tokens=100, output_tokens=8))

    async def check_health(self) -> None: ...

    def shutdown(self) -> None: ...


async def test_a_language_model_whose_callers_all_give_up_is_hung() -> None:
    engine = Writer()
    replica: ConcurrentModelReplica = object.__new__(ConcurrentModelReplica)
    await replica.__init__(lambda: engine, Unmeasured, rules())  # type: ignore[misc, arg-type]
    request = GenerateRequest((("user", "hello"),), None, {"max_tokens": 8})
    await replica.call(request, CallMeta(key="one"))
    await replica.check_health()

    engine.stuck = True
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(replica.call(request, CallMeta(key="two")), 0.03)
    assert "nothing was answered" in await fails(replica.check_health)
