"""How fast the model replicas of this cluster are, as they last told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any

from adapters.ray_serve.readiness import ASLEEP
from domain.call import CallKind
from domain.rate import EngineRate
from ports.clock import Clock
from ports.model_rates import ModelRates

log = logging.getLogger("wordloop.rates")

FRESH_S = 5.0
"""Seconds for which an answer of a replica is good enough: rates drift with the load of the machine, not from call to call."""
STALE_S = 20.0
"""Seconds after which whoever asks waits for the next answer, as who asks first does: the model may have gone to sleep since."""
ANSWERS_S = 2.0
"""Seconds after which a replica that did not answer counts as not asked; it may be busy, or be starting."""
WAKES_S = 600.0
"""The same for a model that sleeps and was never heard: the question wakes it, once."""
FIRST_WAIT_S = 0.5
"""Seconds that whoever asks first waits for the first answer; everybody later gets what was last heard, at once."""
STARTS_S = 4.0
"""What Serve takes to start a process and import what a replica needs, before that begins to load (docs/benchmarks.md)."""
States = Callable[[], Awaitable[Mapping[str, tuple[bool, str]]]]


async def _all_there() -> Mapping[str, tuple[bool, str]]:
    return {}


class ReplicaRates(ModelRates):
    """Asks the deployments behind `handles` in the background, one question per kind in flight, and keeps the last answer.

    A kind without a handle (a remote model) has no rate. Several replicas take turns at answering, as Serve routes. `states`
    tells how each deployment is, by its name in `deployments`: one that sleeps is not woken for what it has told before.
    """

    def __init__(
        self,
        handles: Mapping[CallKind, Any],
        clock: Clock,
        first_wait_s: float = FIRST_WAIT_S,
        states: States = _all_there,
        deployments: Mapping[CallKind, str] = MappingProxyType({}),
    ) -> None:
        self._handles = handles
        self._clock = clock
        self._first_wait_s = first_wait_s
        self._states = states
        self._deployments = deployments
        self._asleep: set[CallKind] = set()
        self._heard: dict[CallKind, EngineRate] = {}
        self._asked_at: dict[CallKind, float] = {}
        self._asking: dict[CallKind, asyncio.Task[None]] = {}

    async def rate(self, kind: CallKind) -> EngineRate | None:
        waits = self._age(kind) >= STALE_S
        if kind in self._handles and self._due(kind):
            self._asked_at[kind] = self._clock.monotonic()
            self._asking[kind] = asyncio.create_task(self._ask(kind))
        if waits and kind in self._asking:
            await asyncio.wait({self._asking[kind]}, timeout=self._first_wait_s)
        return self._heard.get(kind)

    async def look_around(self) -> None:
        """Ask about every kind of model, so that one is known before the first job needs it while it sleeps."""
        for kind in self._handles:
            await self.rate(kind)

    def wakes_s(self, kind: CallKind) -> float:
        heard = self._heard.get(kind)
        return STARTS_S + heard.loads_s if kind in self._asleep and heard is not None else 0.0

    def _age(self, kind: CallKind) -> float:
        """Seconds since a kind was last asked about."""
        return self._clock.monotonic() - self._asked_at.get(kind, -STALE_S)

    def _due(self, kind: CallKind) -> bool:
        asking = self._asking.get(kind)
        if asking is not None and not asking.done():
            return False
        return self._age(kind) >= FRESH_S

    async def _ask(self, kind: CallKind) -> None:
        """Keep what the replica tells. Whatever keeps it from telling leaves what was heard before."""
        try:
            asleep = (await self._states()).get(self._deployments.get(kind, ""), (True, ""))[1] == ASLEEP
            (self._asleep.add if asleep else self._asleep.discard)(kind)
            if asleep and kind in self._heard:
                return
            async with asyncio.timeout(WAKES_S if asleep else ANSWERS_S):
                told = await self._handles[kind].rate.remote()
        except Exception as error:  # Ray has many kinds for a replica that is gone, starting or of another version.
            log.debug("a replica told no rate", extra={"kind": kind.value, "failure": type(error).__name__})
            return
        if isinstance(told, EngineRate):
            self._heard[kind] = told
            self._asleep.discard(kind)
