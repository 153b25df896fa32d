"""A circuit breaker per model and backend, with a single probe over all processes (docs/adr/0006, 0025)."""

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.others import Others, Target
from adapters.guard.settings import BreakerSettings
from adapters.guard.waiting import to_the_end
from domain.call import Answer, ModelIdentity
from domain.errors import CircuitOpen, ModelError, ModelTimeout, ModelUnavailable, RateLimited
from ports.call_board import Notice
from ports.clock import Clock
from ports.telemetry import BreakerState, Telemetry

DOWN = (ModelUnavailable, ModelTimeout)
"""What counts as a failure: the backend was not there. A full queue, a rate limit, a refusal and an invalid output are answers:
the backend lives, and each has its own remedy. A deadline or a cancellation says nothing about it either way."""


class Change(Enum):
    """What an outcome did to a breaker."""

    NONE = auto()
    OPENED = auto()
    REOPENED = auto()
    CLOSED = auto()
    UNPROBED = auto()


class Breaker:
    """State of one target: closed, open until a moment, or half open with at most one probe under way.

    `common`: whether the opening stands on the board, so that its end is everybody's. `serial`: of the last notice followed.
    """

    def __init__(self, settings: BreakerSettings, changed: Callable[[BreakerState], None]) -> None:
        self._settings = settings
        self._changed = changed
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._open_until: float | None = None
        self._probing = False
        self.open_for = settings.open_first_s
        self.common = False
        self.serial = 0

    def state(self, now: float) -> BreakerState:
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.HALF_OPEN if now >= self._open_until else BreakerState.OPEN

    def admit(self, now: float) -> bool:
        """Return whether this call is the probe. Raises CircuitOpen when no call may pass."""
        state = self.state(now)
        if state is BreakerState.CLOSED:
            return False
        if state is BreakerState.OPEN or self._probing:
            raise self.refusal(now)
        self._probing = True
        return True

    def refusal(self, now: float) -> CircuitOpen:
        """The error of a call that may not pass, with the seconds until another may probe."""
        left = (self._open_until or now) - now
        return CircuitOpen("the circuit breaker of this model is open", max(left, 1.0))

    def probes(self) -> None:
        self._changed(BreakerState.HALF_OPEN)

    def follow(self, notice: Notice, read_at: float) -> None:
        """Take over what another process found out, unless this one knows that or is just finding out itself."""
        if notice.serial <= self.serial or self._probing:
            return
        self.serial = notice.serial
        if notice.open_for_s is not None:
            self._open(read_at + notice.left_s, notice.open_for_s)
            self.common = True
        elif self._open_until is not None:
            self._close()

    def posted(self, notice: Notice | None, now: float) -> None:
        """Hear what stands on the board after this process has posted its own change; None: nothing does."""
        if notice is None:
            return
        self.serial = notice.serial
        if notice.open_for_s is not None:
            self._open_until, self.open_for, self.common = now + notice.left_s, notice.open_for_s, True

    def settle(self, now: float, probe: bool, alive: bool | None) -> Change:
        """Count an outcome; `alive` None is neutral: the next call may probe."""
        if probe:
            self._probing = False
            if alive is None:
                return Change.UNPROBED
            if alive:
                self._close()
                return Change.CLOSED
            self._open(now + self._longer(), self._longer())
            return Change.REOPENED
        if alive is not None and self._open_until is None and self._counts_as_down(now, alive):
            self.common = False
            self._open(now + self._settings.open_first_s, self._settings.open_first_s)
            return Change.OPENED
        return Change.NONE

    def _longer(self) -> float:
        return min(self.open_for * 2, self._settings.open_most_s)

    def _counts_as_down(self, now: float, alive: bool) -> bool:
        self._outcomes.append((now, alive))
        while self._outcomes and self._outcomes[0][0] <= now - self._settings.window_s:
            self._outcomes.popleft()
        failures = sum(not outcome for _, outcome in self._outcomes)
        enough = max(self._settings.min_failures, self._settings.failure_share * len(self._outcomes))
        return not alive and failures >= enough

    def _open(self, until: float, seconds: float) -> None:
        self.open_for = seconds
        self._open_until = until
        self._outcomes.clear()
        self._changed(BreakerState.OPEN)

    def _close(self) -> None:
        self._open_until = None
        self.open_for = self._settings.open_first_s
        self._changed(BreakerState.CLOSED)


class CircuitBreaker:
    """Stops calls to a backend that is down. What one process finds out, the others follow within a beat.

    It counts calls, not attempts: the retries inside are held down by their own budget. A probe makes a single attempt.
    """

    def __init__(self, settings: BreakerSettings, clock: Clock, telemetry: Telemetry, others: Others) -> None:
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._others = others
        self._breakers: dict[Target, Breaker] = {}

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises CircuitOpen, with the seconds until the next probe."""
        await self._others.listen()
        breaker = self._breaker(call.target, call.backend.name, call.spec.model)
        self._follow(breaker, call.target)
        probe = call.record.probing = await self._admit(breaker, call.target)
        holding = asyncio.create_task(self._others.hold_probe(call.target)) if probe and breaker.common else None
        alive: bool | None = None
        try:
            answer = await proceed(call)
            alive = True
            return answer
        except DOWN:
            alive = False
            raise
        except (ModelError, RateLimited):
            alive = True
            raise
        finally:
            if holding is not None:
                holding.cancel()
            change = breaker.settle(self._clock.monotonic(), probe, alive)
            if change is not Change.NONE:
                await to_the_end(self._tell(breaker, call.target, change))

    def states(self) -> dict[Target, BreakerState]:
        """State per (backend, model id, revision) as this process has it, of those that it called."""
        now = self._clock.monotonic()
        return {target: breaker.state(now) for target, breaker in self._breakers.items()}

    async def states_of_all(self) -> dict[Target, BreakerState]:
        """State per target as the whole service has it; this process's own where the board says nothing or is away."""
        posted = await self._others.breakers() or {}
        return self.states() | {target: _state(notice) for target, notice in posted.items()}

    def _follow(self, breaker: Breaker, target: Target) -> None:
        found = self._others.notice(target)
        if found is not None:
            breaker.follow(*found)

    async def _admit(self, breaker: Breaker, target: Target) -> bool:
        """Return whether this call is the one probe of all processes. Raises CircuitOpen."""
        now = self._clock.monotonic()
        if not breaker.admit(now):
            return False
        try:
            mine = not breaker.common or await self._others.may_probe(target)
        except BaseException:
            breaker.settle(now, probe=True, alive=None)
            raise
        if mine:
            breaker.probes()
            return True
        breaker.settle(now, probe=True, alive=None)
        self._follow(breaker, target)
        if breaker.state(self._clock.monotonic()) is BreakerState.CLOSED:
            return False
        raise breaker.refusal(self._clock.monotonic())

    async def _tell(self, breaker: Breaker, target: Target, change: Change) -> None:
        notice = None
        if change is Change.OPENED or (change is Change.REOPENED and not breaker.common):
            notice = await self._others.opened(target, breaker.open_for, self._settings.open_most_s)
        elif not breaker.common:
            return
        elif change is Change.REOPENED:
            notice = await self._others.reopened(target, breaker.open_for)
        elif change is Change.CLOSED:
            notice = await self._others.closed(target)
        else:
            await self._others.probed_nothing(target)
        breaker.posted(notice, self._clock.monotonic())

    def _breaker(self, target: Target, backend: str, model: ModelIdentity) -> Breaker:
        if target not in self._breakers:
            self._breakers[target] = Breaker(self._settings, lambda state: self._telemetry.breaker_changed(backend, model, state))
        return self._breakers[target]


def _state(notice: Notice) -> BreakerState:
    if notice.open_for_s is None:
        return BreakerState.CLOSED
    return BreakerState.OPEN if notice.left_s > 0 else BreakerState.HALF_OPEN
