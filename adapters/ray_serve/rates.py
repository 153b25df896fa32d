"""How fast the model replicas of this cluster are, as they last told."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from domain.call import CallKind
from domain.rate import EngineRate
from ports.clock import Clock
from ports.model_rates import ModelRates

log = logging.getLogger("wordloop.rates")

FRESH_S = 5.0
"""Seconds for which an answer of a replica is good enough: rates drift with the load of the machine, not from call to call."""
ANSWERS_S = 2.0
"""Seconds after which a replica that did not answer counts as not asked; it may be busy, or be starting."""
FIRST_WAIT_S = 0.5
"""Seconds that whoever asks first waits for the first answer; everybody later gets what was last heard, at once."""


class ReplicaRates(ModelRates):
    """Asks the deployments behind `handles` in the background, one question per kind in flight, and keeps the last answer.

    A kind without a handle (a remote model) has no rate. Several replicas take turns at answering, as Serve routes.
    """

    def __init__(self, handles: Mapping[CallKind, Any], clock: Clock, first_wait_s: float = FIRST_WAIT_S) -> None:
        self._handles = handles
        self._clock = clock
        self._first_wait_s = first_wait_s
        self._heard: dict[CallKind, EngineRate] = {}
        self._asked_at: dict[CallKind, float] = {}
        self._asking: dict[CallKind, asyncio.Task[None]] = {}

    async def rate(self, kind: CallKind) -> EngineRate | None:
        first = kind not in self._asked_at
        if kind in self._handles and self._due(kind):
            self._asked_at[kind] = self._clock.monotonic()
            self._asking[kind] = asyncio.create_task(self._ask(kind))
        if first and kind in self._asking:
            await asyncio.wait({self._asking[kind]}, timeout=self._first_wait_s)
        return self._heard.get(kind)

    def _due(self, kind: CallKind) -> bool:
        asking = self._asking.get(kind)
        if asking is not None and not asking.done():
            return False
        return self._clock.monotonic() - self._asked_at.get(kind, -FRESH_S) >= FRESH_S

    async def _ask(self, kind: CallKind) -> None:
        """Keep what the replica tells. Whatever keeps it from telling leaves what was heard before."""
        try:
            async with asyncio.timeout(ANSWERS_S):
                told = await self._handles[kind].rate.remote()
        except Exception as error:  # Ray has many kinds for a replica that is gone, starting or of another version.
            log.debug("a replica told no rate", extra={"kind": kind.value, "failure": type(error).__name__})
            return
        if isinstance(told, EngineRate):
            self._heard[kind] = told
