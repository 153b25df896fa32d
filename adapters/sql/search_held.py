"""What a process keeps in memory of the tenants it searches, brought up to date when their index changed."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from adapters.sql import search_rows
from adapters.sql.search_blocks import Block
from adapters.sql.search_parts import Part, merged
from adapters.sql.search_tables import search_blocks

MEMORY_BYTES: Final = 512 * 1024**2
"""Kept per process: about three million passages of 384 dimensions. The least recently searched tenant goes first."""
BLOCKS_AT_A_TIME: Final = 256
"""Blocks read in one statement: a few dozen megabytes."""


@dataclass(frozen=True, slots=True)
class Held:
    """The passages of one tenant at one version of its index: parts, each more than twice as long as the next."""

    version: int
    parts: tuple[Part, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory of all parts."""
        return sum(part.nbytes for part in self.parts)


class HeldTenants:
    """At most `max_bytes` of tenants, shared by the reading threads of a process."""

    def __init__(self, max_bytes: int = MEMORY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Held] = OrderedDict()

    def of(self, connection: Connection, tenant: str) -> Held:
        """Return what the tenant's index holds in the transaction of `connection`."""
        with self._lock:
            version = search_rows.version(connection, tenant)
            held = self._held.get(tenant)
            if held is None or held.version < version:
                held = _updated(connection, tenant, version, held or Held(0))
                self._held[tenant] = held
            self._held.move_to_end(tenant)
            while len(self._held) > 1 and sum(each.nbytes for each in self._held.values()) > self._max_bytes:
                self._held.popitem(last=False)
            return held


def _updated(connection: Connection, tenant: str, version: int, held: Held) -> Held:
    """Read the blocks that are new, and let go of those that are gone."""
    mine = search_blocks.c.tenant == tenant
    there = set(connection.execute(select(search_blocks.c.id).where(mine)).scalars())
    parts = []
    for part in held.parts:
        gone = [block_id for block_id in part.sources if block_id not in there]
        parts.append(part.without(gone) if gone else part)
    known = {block_id for part in parts for block_id in part.sources}
    new = sorted(there - known)
    fresh = []
    chosen = select(search_blocks.c.id, search_blocks.c.body)
    for start in range(0, len(new), BLOCKS_AT_A_TIME):
        wanted = new[start : start + BLOCKS_AT_A_TIME]
        rows = connection.execute(chosen.where(search_blocks.c.id.in_(wanted))).all()
        fresh += [Part.of(row.id, Block.from_bytes(row.body)) for row in rows]
    return Held(version, _few([*parts, *([merged(fresh)] if fresh else [])]))


def _few(parts: list[Part]) -> tuple[Part, ...]:
    """Put short parts together, so that there are few, and a passage is moved once for each time that their number doubles.

    A part that has lost half of its passages is written anew, so that what was deleted does not stay in memory for long.
    """
    parts = [part if 2 * part.standing > len(part.ids) else merged([part]) for part in parts if part.sources]
    parts.sort(key=lambda part: -len(part.ids))
    while len(parts) > 1 and len(parts[-2].ids) < 2 * len(parts[-1].ids):
        last = parts.pop()
        parts[-1] = merged([parts[-1], last])
    return tuple(parts)
