"""Identical calls in one process share one answer."""

import asyncio
from typing import Any

from adapters.guard.call import GuardedCall, Proceed
from domain.call import Answer
from domain.errors import WordloopError
from ports.clock import Clock


class SharedFlights:
    """Lets the first of several identical calls go on and the others wait for it.

    When the first one fails or is cancelled, the next waiter takes over, since the reason may be the first one's own (its
    deadline, its budget). Only an error that the same call must meet again is handed to all.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._flights: dict[tuple[str, str], tuple[str | None, asyncio.Future[Answer[Any] | WordloopError | None]]] = {}

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        cache_key = call.cache_key
        if cache_key is None:
            return await proceed(call)
        while cache_key in self._flights:
            conversation_id, flight = self._flights[cache_key]
            outcome = await asyncio.shield(flight)
            if isinstance(outcome, WordloopError):
                raise type(outcome)(*outcome.args)
            if isinstance(outcome, Answer):
                if conversation_id != call.context.conversation_id:
                    continue  # The store has to learn that one more conversation uses the answer.
                latency = self._clock.monotonic() - call.record.started
                return Answer(outcome.value, outcome.provenance.served_from_cache(latency))
        return await self._lead(cache_key, call, proceed)

    async def _lead(self, cache_key: tuple[str, str], call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        flight: asyncio.Future[Answer[Any] | WordloopError | None] = asyncio.get_running_loop().create_future()
        self._flights[cache_key] = (call.context.conversation_id, flight)
        outcome: Answer[Any] | WordloopError | None = None
        try:
            outcome = answer = await proceed(call)
            return answer
        except WordloopError as error:
            outcome = error if call.would_fail_again(error) else None
            raise
        finally:
            del self._flights[cache_key]
            flight.set_result(outcome)
