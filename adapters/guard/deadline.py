"""Late work is dropped, not done."""

from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from adapters.guard.waiting import TimeIsUp, within
from domain.call import Answer
from domain.errors import DeadlineExceeded
from ports.clock import Clock

SHORTEST_USEFUL_S = 0.01
"""Seconds before a deadline in which nothing is started any more: no model answers faster."""


class Deadline:
    """Bounds all that happens inside it by the absolute deadline of the call's context."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        """Raises DeadlineExceeded when the deadline has passed or passes meanwhile."""
        if call.context.deadline is None:
            return await proceed(call)
        left = call.context.deadline - self._clock.now()
        if left < SHORTEST_USEFUL_S:
            raise DeadlineExceeded("the deadline has passed; the call was not started")
        try:
            return await within(self._clock, left, _run(call, proceed))
        except TimeIsUp:
            raise DeadlineExceeded("the deadline passed before the model answered") from None


async def _run(call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
    return await proceed(call)
