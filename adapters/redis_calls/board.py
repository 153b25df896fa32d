"""The board of breakers and demand on a Redis server."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from adapters.redis_calls import board_scripts
from adapters.redis_calls.cache import TIMEOUT_S, answered
from ports.call_board import CallBoard, News, Notice
from ports.clock import Clock


class RedisCallBoard(CallBoard):
    """One hash for each breaker that ever opened, and one field for each process that calls. Time is the caller's clock."""

    def __init__(self, url: str, clock: Clock, prefix: str = "wordloop") -> None:
        self._clock = clock
        self._tag = f"{{{prefix}}}"
        self._redis = Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
        names = ("EXCHANGE", "OPEN", "PROBE", "DROP_PROBE", "REOPEN", "CLOSE")
        self._scripts: dict[str, AsyncScript] = {
            name: self._redis.register_script(getattr(board_scripts, name)) for name in names
        }

    async def exchange(self, owner: str, demand: Mapping[str, float] | None, for_s: float) -> News:
        now = self._clock.now()
        posted = "" if demand is None else f"{now + for_s!r}\n{json.dumps(dict(demand))}"
        rows, posts = await self._run("EXCHANGE", owner, repr(now), posted)
        breakers = {target.decode(): _notice(row) for target, *row in rows}
        demands = {who.decode(): json.loads(asked) for who, asked in zip(posts[::2], posts[1::2], strict=True)}
        return News(breakers, demands)

    async def open(self, target: str, owner: str, open_for_s: float, doubt_s: float) -> Notice | None:
        return _said(await self._change("OPEN", target, owner, repr(open_for_s), repr(doubt_s)))

    async def probe(self, target: str, owner: str, hold_s: float) -> bool:
        return bool(await self._change("PROBE", target, owner, repr(hold_s)))

    async def drop_probe(self, target: str, owner: str) -> None:
        await self._change("DROP_PROBE", target, owner)

    async def reopen(self, target: str, owner: str, open_for_s: float) -> Notice | None:
        return _said(await self._change("REOPEN", target, owner, repr(open_for_s)))

    async def close(self, target: str, owner: str) -> Notice | None:
        return _said(await self._change("CLOSE", target, owner))

    async def end(self) -> None:
        """End the connections."""
        await self._redis.aclose()

    async def _change(self, script: str, target: str, owner: str, *arguments: str) -> Any:
        return await self._run(script, target, owner, repr(self._clock.now()), *arguments)

    async def _run(self, script: str, *arguments: str) -> Any:
        return await answered(self._scripts[script](keys=[self._tag], args=list(arguments)))


def _said(row: Sequence[Any]) -> Notice | None:
    """Return what a script says of a breaker; None where it says nothing."""
    return _notice(row) if row else None


def _notice(row: Sequence[Any]) -> Notice:
    serial, open_for, left = row
    return Notice(int(serial), float(open_for) if open_for else None, float(left))
