"""Chores are done again and again, and one that fails keeps no other from being done."""

import asyncio

from adapters.scripted import MovableClock
from application.maintenance import Maintenance
from domain.errors import StorageFailed


async def test_every_chore_is_done_in_every_round_whatever_fails() -> None:
    done: list[str] = []

    async def fails() -> None:
        done.append("fails")
        raise StorageFailed("the disk is busy")

    async def works() -> None:
        done.append("works")

    clock = MovableClock()
    keeping = asyncio.create_task(Maintenance({"fails": fails, "works": works}, clock, every_s=60.0)())
    await clock.settle()
    assert done == ["fails", "works"]

    await clock.advance(61.0)
    assert done == ["fails", "works"] * 2
    keeping.cancel()
