"""Waiting that follows the injected clock and cleans up after itself."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ports.clock import Clock

T = TypeVar("T")

CLEANUP_S = 5.0
"""Seconds of real time that cancelled work gets to end, so that a task which ignores cancellation can not hold its caller."""

_running: set[asyncio.Task[Any]] = set()


class TimeIsUp(Exception):
    """The work did not end in the seconds it had; it has been cancelled."""


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Run `work` for at most `seconds` of `clock`. Raises TimeIsUp; when cancelled, cancels the work first."""
    task = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise TimeIsUp
    finally:
        alarm.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CLEANUP_S)
        if task.done() and not task.cancelled():
            task.exception()  # Seen: work that is cancelled may fail in its own way, and nobody asks any more.


def in_background(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start `work` so that it runs to its end whatever becomes of the caller."""
    task = asyncio.create_task(work)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`; when the caller is cancelled meanwhile, the work still ends."""
    return await asyncio.shield(in_background(work))


async def taken_or_undone(take: Coroutine[Any, Any, T], undo: Callable[[T], Awaitable[None]]) -> T:
    """Await `take`; when the caller is cancelled meanwhile, what is taken after all is given back by `undo`."""
    task = in_background(take)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        in_background(_undone(task, undo))
        raise


async def _undone(task: "asyncio.Task[T]", undo: Callable[[T], Awaitable[None]]) -> None:
    await asyncio.wait({task})
    if not task.cancelled() and task.exception() is None:
        await undo(task.result())
