"""What a model replica answers to Ray Serve's question for its health."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import psutil
from ray import serve

from adapters.ray_serve.health_rules import HealthRules
from adapters.ray_serve.recycling import Recycling, Siblings
from adapters.ray_serve.watchdog import Watchdog
from domain.errors import ModelUnavailable
from ports.model_backend import ModelRequest, RawOutput

T = TypeVar("T")
log = logging.getLogger("ray.serve")
BELIEVED_AFTER: Final = 3
"""Failed checks in a row after which Serve replaces a replica (`REPLICA_HEALTH_CHECK_UNHEALTHY_THRESHOLD`)."""
REPLACED_S: Final = 5.0
"""Seconds after which another replica is worth asking for."""


class Unhealthy(Exception):
    """A replica is to be replaced. Its text stands in Serve's log and status."""


class ReplicaHealth:
    """The watchdog over an engine, and the wish to be replaced. To be made when the engine is warm.

    Serve lets a replica that it replaces finish its calls first. An engine that hangs finishes none: there they are let go, for
    another replica to answer, as soon as Serve has heard it often enough.
    """

    def __init__(self, rules: HealthRules) -> None:
        self._judge = rules.judge
        self._hung_in_a_row = 0
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._recycling = Recycling(rules.recycle, _siblings, _memory)
        self.watch = Watchdog(rules.limits)
        if self._recycling.limit_is_too_low:
            log.warning("the memory limit of recycling is below what a fresh replica needs: it holds nothing")

    def judge(self, request: ModelRequest, output: RawOutput, call: str) -> None:
        """Tell the watchdog what the answer to `call` (its content key) is worth."""
        self._recycling.count()
        sound = self._judge(request, output)
        if sound is not None:
            self.watch.good() if sound else self.watch.bad(call)

    async def unless_hung(self, call: Coroutine[Any, Any, T]) -> T:
        """Return what `call` does. Raises ModelUnavailable once the engine has turned out to hang."""
        task = asyncio.ensure_future(call)
        try:
            await asyncio.wait((task, self._given_up), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ModelUnavailable("the engine of the replica hangs", REPLACED_S)
            return task.result()
        finally:
            task.cancel()

    async def check(self) -> None:
        """Raise Unhealthy when the replica is to be replaced."""
        hang = self.watch.hang
        self._hung_in_a_row = 0 if hang is None else self._hung_in_a_row + 1
        if self._hung_in_a_row >= BELIEVED_AFTER and not self._given_up.done():
            log.error("the engine hangs: its calls are let go", extra={"hang": hang})
            self._given_up.set_result(None)
        if (reason := hang or self.watch.sickness or await self._recycling.wish()) is not None:
            raise Unhealthy(reason)


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


async def _siblings() -> Siblings:
    """Ask Serve for the replicas of this one's deployment."""
    own = serve.get_replica_context()
    status = await asyncio.to_thread(serve.status)
    application = status.applications.get(own.app_name)
    deployment = application.deployments.get(own.deployment) if application is not None else None
    counts = deployment.replica_states if deployment is not None else {}
    all_run = {str(getattr(state, "value", state)) for state, count in counts.items() if count} == {"RUNNING"}
    return Siblings(own.rank.rank, own.world_size, all_run and sum(counts.values()) == own.world_size)
