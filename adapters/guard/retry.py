"""Trying again, when that can help, not too often and never too late."""

from random import Random
from typing import Any

import tenacity

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.deadline import SHORTEST_USEFUL_S
from adapters.guard.settings import RetrySettings
from domain.call import Answer
from domain.errors import InvalidModelOutput, RateLimited, WithRetryAfter, WordloopError
from ports.clock import Clock
from ports.telemetry import CallEvent

TRIES_AT_VALID_OUTPUT = 2
"""A sampled answer that broke a rule gets one further try; a greedy one none (`GuardedCall.left_to_chance`)."""


class RetryBudget:
    """Token bucket per target: successes fill it, every retry takes one, so that retries can not multiply an outage."""

    def __init__(self, settings: RetrySettings) -> None:
        self._settings = settings
        self._tokens: dict[tuple[str, str, str], float] = {}

    def spend(self, target: tuple[str, str, str]) -> bool:
        tokens = self._tokens.get(target, self._settings.budget_size)
        if tokens < 1:
            return False
        self._tokens[target] = tokens - 1
        return True

    def earn(self, target: tuple[str, str, str]) -> None:
        tokens = self._tokens.get(target, self._settings.budget_size)
        self._tokens[target] = min(tokens + self._settings.budget_per_success, self._settings.budget_size)


class Retry:
    """Repeats the inner call on transient errors, by tenacity, on the injected clock and randomness."""

    def __init__(self, settings: RetrySettings, clock: Clock, random: Random) -> None:
        self._settings = settings
        self._clock = clock
        self._random = random
        self._budget = RetryBudget(settings)
        self._ceiling = tenacity.wait_exponential(multiplier=settings.base_s, max=settings.cap_s)

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Return the first answer. Raises the last error, DeadlineExceeded included."""

        async def once() -> Answer[Any]:  # tenacity awaits only what it recognises as a coroutine function.
            return await proceed(call)

        retrying = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(lambda error: self._can_help(call, error)),
            wait=self._wait,
            stop=lambda state: self._is_enough(call, state),
            before_sleep=lambda state: _mark_retry(call),
            reraise=True,
        )
        answer: Answer[Any] = await retrying(once)
        self._budget.earn(call.target)
        return answer

    def _can_help(self, call: GuardedCall[Any], error: BaseException) -> bool:
        if not isinstance(error, WordloopError) or not error.transient or call.would_fail_again(error):
            return False
        return not isinstance(error, InvalidModelOutput) or call.record.attempts < TRIES_AT_VALID_OUTPUT

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Full jitter, `Retry-After` as the floor; equal jitter for 429, since full jitter may come back at once."""
        ceiling = self._ceiling(state)
        error = state.outcome.exception() if state.outcome else None
        floor = ceiling / 2 if isinstance(error, RateLimited) else 0.0
        pause = self._random.uniform(floor, ceiling)
        return max(pause, _retry_after(error))

    def _is_enough(self, call: GuardedCall[Any], state: tenacity.RetryCallState) -> bool:
        if call.record.probing or state.attempt_number >= self._settings.max_tries:
            return True
        error = state.outcome.exception() if state.outcome else None
        if _retry_after(error) > self._settings.retry_after_most_s:
            return True
        deadline = call.context.deadline
        if deadline is not None and self._clock.now() + state.upcoming_sleep + SHORTEST_USEFUL_S >= deadline:
            return True
        return not self._budget.spend(call.target)


def _retry_after(error: BaseException | None) -> float:
    return (error.retry_after_s or 0.0) if isinstance(error, WithRetryAfter) else 0.0


def _mark_retry(call: GuardedCall[Any]) -> None:
    if call.record.span is not None:
        call.record.span.happened(CallEvent.RETRIED)
