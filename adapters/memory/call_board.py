"""A board in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from ports.call_board import CallBoard, News, Notice
from ports.clock import Clock


@dataclass(slots=True)
class _Row:
    """One breaker; times in Unix seconds. `open_for` None: closed, by `closed_by` at `closed_at`."""

    serial: int = 0
    opened_by: str = ""
    open_for: float | None = None
    until: float = 0.0
    probed_by: str = ""
    probed_until: float = 0.0
    closed_by: str = ""
    closed_at: float = 0.0

    def notice(self, now: float) -> Notice:
        return Notice(self.serial, self.open_for, max(0.0, self.until - now) if self.open_for is not None else 0.0)


class MemoryCallBoard(CallBoard):
    """The board of guards in one process. Every method is atomic: none of them waits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, _Row] = {}
        self._demand: dict[str, tuple[float, Mapping[str, float]]] = {}

    async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
        now = self._clock.now()
        if demand is not None:
            self._demand[owner] = (now + for_s, dict(demand))
        self._demand = {who: (until, asked) for who, (until, asked) in self._demand.items() if until > now}
        breakers = {target: row.notice(now) for target, row in self._rows.items()}
        return News(breakers, {who: asked for who, (_, asked) in self._demand.items()})

    async def open(self, target: str, owner: str, open_for_s: float, doubt_s: float) -> Notice | None:
        now, row = self._clock.now(), self._rows.setdefault(target, _Row())
        if row.open_for is not None and (row.until > now or (row.probed_by and row.probed_until > now)):
            return row.notice(now)
        if row.open_for is None and row.opened_by == owner and row.closed_by not in ("", owner) and now < row.closed_at + doubt_s:
            return None
        row.opened_by = owner
        return self._opened(row, open_for_s)

    async def probe(self, target: str, owner: str, hold_s: float) -> bool:
        now, row = self._clock.now(), self._rows.get(target)
        if row is None or row.open_for is None or row.until > now:
            return False
        if row.probed_by not in ("", owner) and row.probed_until > now:
            return False
        row.probed_by, row.probed_until = owner, now + hold_s
        return True

    async def drop_probe(self, target: str, owner: str) -> None:
        if (row := self._probed(target, owner)) is not None:
            row.probed_by = ""

    async def reopen(self, target: str, owner: str, open_for_s: float) -> Notice | None:
        row = self._probed(target, owner)
        return None if row is None else self._opened(row, open_for_s)

    async def close(self, target: str, owner: str) -> Notice | None:
        if (row := self._probed(target, owner)) is None:
            return None
        now = self._clock.now()
        row.serial, row.open_for, row.probed_by, row.closed_by, row.closed_at = row.serial + 1, None, "", owner, now
        return row.notice(now)

    def _opened(self, row: _Row, open_for_s: float) -> Notice:
        now = self._clock.now()
        row.serial, row.open_for, row.until, row.probed_by = row.serial + 1, open_for_s, now + open_for_s, ""
        return row.notice(now)

    def _probed(self, target: str, owner: str) -> _Row | None:
        row = self._rows.get(target)
        return row if row is not None and row.open_for is not None and row.probed_by == owner else None
