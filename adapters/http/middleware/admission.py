"""How many requests are answered at once, in all and of one caller; probes need no slot. Pure ASGI, behind the keys."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.common.problems import HttpProblem, render
from adapters.http.middleware.envelope import PROBES


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Requests at once, in all and `per_caller`, and how many seconds one more waits for a slot."""

    requests: int
    per_caller: int
    wait_s: float


class Admission:
    """Gives every request but probes a slot while it is answered.

    A caller is a key, or an address where no key is shown. Requests of one caller wait for each other before they wait for a
    slot in all, so a caller that sends too much stands behind itself only. Who finds no slot in time is refused: 429 where
    the caller's own requests fill its slots, 503 where those of all do.
    """

    def __init__(self, app: ASGIApp, at_once: AtOnce) -> None:
        self.app = app
        self._at_once = at_once
        self._slots = asyncio.Semaphore(at_once.requests)
        self._callers: dict[str, tuple[asyncio.Semaphore, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        caller = caller_of(scope)
        async with self._known(caller) as own:
            try:
                async with asyncio.timeout(self._at_once.wait_s):
                    await _both(own, self._slots)
            except TimeoutError:
                await render(Request(scope), self._refusal(own))(scope, receive, send)
                return
            try:
                await self.app(scope, receive, send)
            finally:
                self._slots.release()
                own.release()

    @asynccontextmanager
    async def _known(self, caller: str) -> AsyncIterator[asyncio.Semaphore]:
        """The slots of a caller, kept as long as it has requests here."""
        own, requests = self._callers.get(caller, (asyncio.Semaphore(self._at_once.per_caller), 0))
        self._callers[caller] = own, requests + 1
        try:
            yield own
        finally:
            own, requests = self._callers.pop(caller)
            if requests > 1:
                self._callers[caller] = own, requests - 1

    def _refusal(self, own: asyncio.Semaphore) -> HttpProblem:
        again = {"Retry-After": str(max(1, math.ceil(self._at_once.wait_s))), "Connection": "close"}
        if own.locked():
            text = f"This caller has {self._at_once.per_caller} requests under way, which is the most at once."
            return HttpProblem("rate_limited", text, extra_headers=again)
        text = f"{self._at_once.requests} requests are under way, which is the most at once."
        return HttpProblem("too_many_requests_at_once", text, extra_headers=again)


async def _both(own: asyncio.Semaphore, slots: asyncio.Semaphore) -> None:
    """Take a slot of the caller, then one of all; neither when cancelled in between."""
    await own.acquire()
    try:
        await slots.acquire()
    except BaseException:
        own.release()
        raise


def caller_of(scope: Scope) -> str:
    """Whose request this is: its key, else its address."""
    key: str | None = scope.get("state", {}).get("key_id")
    if key is not None:
        return f"key {key}"
    return f"address {scope['client'][0] if scope.get('client') else ''}"
