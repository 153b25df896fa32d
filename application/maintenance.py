"""Chores that keep storage from growing without bound, done by every worker now and then."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import WordloopError
from ports.clock import Clock

log = logging.getLogger("wordloop.maintenance")

EVERY_S = 600.0
"""Seconds between rounds: caches and leftovers grow over hours, and a round reads a few rows."""

Chore = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Does every chore once per round, for ever. A chore that fails is told and tried again in the next round."""

    chores: Mapping[str, Chore]
    clock: Clock
    every_s: float = EVERY_S

    async def __call__(self) -> None:
        """Run until cancelled."""
        while True:
            await self.round()
            await self.clock.sleep(self.every_s)

    async def round(self) -> None:
        """Do every chore once."""
        for name, chore in self.chores.items():
            try:
                await chore()
            except WordloopError as error:
                log.warning("chore failed", extra={"chore": name, "kind": type(error).__name__})
