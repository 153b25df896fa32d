"""One span per call, whatever becomes of it."""

from typing import Any

from adapters.guard.attempt import spent
from adapters.guard.call import GuardedCall, Proceed
from domain.call import Answer
from ports.call_metering import PriceTable
from ports.clock import Clock
from ports.telemetry import Telemetry


class Trace:
    """Opens the span of the call and closes it with the answer's provenance or the error's kind."""

    def __init__(self, telemetry: Telemetry, prices: PriceTable, clock: Clock) -> None:
        self._telemetry = telemetry
        self._prices = prices
        self._clock = clock

    async def __call__(self, call: GuardedCall[Any], proceed: Proceed) -> Answer[Any]:
        with self._telemetry.call(call.spec, call.backend.name, call.context) as span:
            call.record.span = span
            try:
                answer = await proceed(call)
            except BaseException as error:
                span.failed(error, spent(call, self._prices, self._clock))
                raise
            span.answered(answer.provenance, call.record.finish_reason)
            return answer
