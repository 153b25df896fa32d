"""Rates of replicas: asked seldom and in the background, answered at once from what was last heard, whatever goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

import pytest

from adapters.ray_serve.rates import FRESH_S, STALE_S, STARTS_S, ReplicaRates
from adapters.ray_serve.readiness import ASLEEP
from adapters.scripted import MovableClock
from domain.call import CallKind
from domain.rate import EngineRate

SLOW, FAST = EngineRate(7.0), EngineRate(70.0)
Tell = Callable[[], Awaitable[object]]


class Handle:
    """A deployment handle whose `rate` answers as the script says."""

    def __init__(self, *lines: object) -> None:
        self.lines = list(lines)
        self.asked = 0
        self.rate = self

    def remote(self) -> Awaitable[object]:
        self.asked += 1
        return self._answer(self.lines.pop(0))

    async def _answer(self, line: object) -> object:
        if isinstance(line, asyncio.Event):
            await line.wait()
        if isinstance(line, Exception):
            raise line
        return line


async def settled(rates: ReplicaRates) -> EngineRate | None:
    """What is told once the question in flight is answered."""
    await rates.rate(CallKind.EMBED)
    await asyncio.gather(*rates._asking.values())
    return await rates.rate(CallKind.EMBED)


async def test_a_replica_is_asked_once_and_again_only_after_a_while() -> None:
    clock, handle = MovableClock(), Handle(SLOW, FAST)
    rates = ReplicaRates({CallKind.EMBED: handle}, clock)

    first = [await rates.rate(CallKind.EMBED) for _ in range(3)]
    assert (first, handle.asked) == ([SLOW] * 3, 1)
    await clock.advance(FRESH_S)
    assert (await settled(rates), handle.asked) == (FAST, 2)


@pytest.mark.parametrize("failure", [RuntimeError("gone"), AttributeError("no such method"), None, "ten per second"])
async def test_a_replica_that_tells_nothing_leaves_what_was_heard_before(failure: object) -> None:
    clock, handle = MovableClock(), Handle(SLOW, failure)
    rates = ReplicaRates({CallKind.EMBED: handle}, clock)
    assert await rates.rate(CallKind.EMBED) == SLOW
    await clock.advance(FRESH_S)
    assert await settled(rates) == SLOW


async def test_a_replica_that_does_not_answer_holds_nobody_up() -> None:
    clock, silent = MovableClock(), asyncio.Event()
    rates = ReplicaRates({CallKind.EMBED: (handle := Handle(silent))}, clock, first_wait_s=0.01)
    async with asyncio.timeout(1):
        told = [await rates.rate(CallKind.EMBED) for _ in range(20)]
        await clock.advance(FRESH_S)
        told.append(await rates.rate(CallKind.EMBED))
    assert (set(told), handle.asked) == ({None}, 1)
    silent.set()


@dataclass
class Sleeper:
    """What the controller says of a deployment."""

    asleep: bool = True

    async def __call__(self) -> Mapping[str, tuple[bool, str]]:
        return {"Embedder": (True, ASLEEP if self.asleep else "healthy")}


def watched(clock: MovableClock, handle: Handle, states: Sleeper) -> ReplicaRates:
    return ReplicaRates({CallKind.EMBED: handle}, clock, states=states, deployments={CallKind.EMBED: "Embedder"})


async def test_a_model_that_sleeps_is_woken_to_be_measured_once_and_left_alone_then() -> None:
    clock, states = MovableClock(), Sleeper()
    handle = Handle(replace(SLOW, loads_s=30.0), AssertionError("asked in its sleep"))
    rates = watched(clock, handle, states)
    assert await rates.rate(CallKind.EMBED) == replace(SLOW, loads_s=30.0)
    assert rates.wakes_s(CallKind.EMBED) == 0.0, "it has just answered"

    await clock.advance(STALE_S)
    assert await rates.rate(CallKind.EMBED) == replace(SLOW, loads_s=30.0)
    assert (rates.wakes_s(CallKind.EMBED), handle.asked) == (STARTS_S + 30.0, 1)

    states.asleep = False
    handle.lines[:] = [FAST]
    await clock.advance(FRESH_S)
    assert await settled(rates) == FAST
    assert rates.wakes_s(CallKind.EMBED) == 0.0


async def test_a_sleeper_is_known_before_anybody_needs_it() -> None:
    clock = MovableClock()
    rates = watched(clock, Handle(replace(SLOW, loads_s=30.0)), Sleeper())
    await rates.look_around()
    await clock.advance(STALE_S)
    assert await rates.rate(CallKind.EMBED) is not None
    assert rates.wakes_s(CallKind.EMBED) == STARTS_S + 30.0


async def test_who_asks_after_long_does_not_hear_that_a_model_is_awake_which_has_gone_to_sleep() -> None:
    clock, states = MovableClock(), Sleeper(asleep=False)
    rates = watched(clock, Handle(replace(SLOW, loads_s=30.0)), states)
    await rates.rate(CallKind.EMBED)
    states.asleep = True
    await clock.advance(STALE_S)
    await rates.rate(CallKind.EMBED)
    assert rates.wakes_s(CallKind.EMBED) == STARTS_S + 30.0


async def test_a_remote_model_has_no_rate() -> None:
    assert await ReplicaRates({}, MovableClock()).rate(CallKind.GENERATE) is None
