"""A circuit breaker per model and backend, with a single probe (docs/adr/0006)."""

from collections import deque
from collections.abc import Callable
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.settings import BreakerSettings
from domain.call import Answer, ModelIdentity
from domain.errors import CircuitOpen, ModelError, ModelTimeout, ModelUnavailable, RateLimited
from ports.clock import Clock
from ports.telemetry import BreakerState, Telemetry

DOWN = (ModelUnavailable, ModelTimeout)
"""What counts as a failure: the backend was not there. A full queue, a rate limit, a refusal and an invalid output are answers:
the backend lives, and each has its own remedy. A deadline or a cancellation says nothing about it either way."""


class Breaker:
    """State of one target: closed, open until a moment, or half open with at most one probe under way."""

    def __init__(self, settings: BreakerSettings, changed: Callable[[BreakerState], None]) -> None:
        self._settings = settings
        self._changed = changed
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._open_until: float | None = None
        self._open_for = settings.open_first_s
        self._probing = False

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
            assert self._open_until is not None
            raise CircuitOpen("the circuit breaker of this model is open", max(self._open_until - now, 1.0))
        self._probing = True
        self._changed(BreakerState.HALF_OPEN)
        return True

    def settle(self, now: float, probe: bool, alive: bool | None) -> None:
        """Count an outcome; `alive` None is neutral: the next call may probe."""
        if probe:
            self._probing = False
            if alive is not None:
                self._close() if alive else self._open(now, min(self._open_for * 2, self._settings.open_most_s))
        elif alive is not None and self._open_until is None:
            self._count(now, alive)

    def _count(self, now: float, alive: bool) -> None:
        self._outcomes.append((now, alive))
        while self._outcomes and self._outcomes[0][0] <= now - self._settings.window_s:
            self._outcomes.popleft()
        failures = sum(not outcome for _, outcome in self._outcomes)
        enough = max(self._settings.min_failures, self._settings.failure_share * len(self._outcomes))
        if not alive and failures >= enough:
            self._open(now, self._settings.open_first_s)

    def _open(self, now: float, seconds: float) -> None:
        self._open_for = seconds
        self._open_until = now + seconds
        self._outcomes.clear()
        self._changed(BreakerState.OPEN)

    def _close(self) -> None:
        self._open_until = None
        self._open_for = self._settings.open_first_s
        self._changed(BreakerState.CLOSED)


class CircuitBreaker:
    """Stops calls to a backend that is down, for this process only: what one replica can not reach, another may.

    It counts calls, not attempts: the retries inside are held down by their own budget. A probe makes a single attempt.
    """

    def __init__(self, settings: BreakerSettings, clock: Clock, telemetry: Telemetry) -> None:
        self._settings = settings
        self._clock = clock
        self._telemetry = telemetry
        self._breakers: dict[tuple[str, str, str], Breaker] = {}

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises CircuitOpen, with the seconds until the next probe."""
        breaker = self._breaker(call.target, call.backend.name, call.spec.model)
        probe = call.record.probing = breaker.admit(self._clock.monotonic())
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
            breaker.settle(self._clock.monotonic(), probe, alive)

    def states(self) -> dict[tuple[str, str, str], BreakerState]:
        """State per (backend, model id, revision), of those that were called."""
        now = self._clock.monotonic()
        return {target: breaker.state(now) for target, breaker in self._breakers.items()}

    def _breaker(self, target: tuple[str, str, str], backend: str, model: ModelIdentity) -> Breaker:
        if target not in self._breakers:
            self._breakers[target] = Breaker(self._settings, lambda state: self._telemetry.breaker_changed(backend, model, state))
        return self._breakers[target]
