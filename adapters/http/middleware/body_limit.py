"""How much body a request may bring, and in how long: decided by its route, whatever the client calls what it sends."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http.common.body_pieces import CLOSED
from adapters.http.common.problems import HttpProblem, render
from adapters.http.middleware.envelope import announced_length

STREAMED = frozenset({"multipart/form-data", "application/offset+octet-stream"})
"""Types that a route reads piece by piece, where its part of the document names them: a recording, bounded as such."""
FORM_BYTES = 1024 * 1024
"""Bytes that the fields and boundaries of a form may add to the recording."""
EMPTY: Message = {"type": "http.request", "body": b"", "more_body": False}


@dataclass(frozen=True, slots=True)
class BodyBounds:
    """The most bytes of a body that is kept whole, within `seconds`, and of one that holds a recording."""

    whole_bytes: int
    recording_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Taken:
    """What a route takes: no body, one that is kept whole, or also `streamed` types."""

    body: bool
    streamed: frozenset[str]

    @classmethod
    def by(cls, route: BaseRoute) -> "Taken":
        """Read it off the route: what its handler and its part of the OpenAPI document say."""
        if not isinstance(route, APIRoute):
            return cls(False, frozenset())
        named = (route.openapi_extra or {}).get("requestBody", {}).get("content", {})
        return cls(bool(named) or route.body_field is not None, STREAMED & frozenset(named))


class BodyLimit:
    """Refuses bodies where none is taken, and those above the bound of their route: by the announced length, else by count."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute], bounds: BodyBounds) -> None:
        self.app = app
        self._routes = [(route, Taken.by(route)) for route in _plain(routes)]
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = self._taken(scope) if scope["type"] == "http" else None
        if taken is None:
            await self.app(scope, receive, send)
            return
        body = _Counted(receive, _media_type(scope) in taken.streamed, self._bounds)
        try:
            if taken.body:
                body.check_announced(scope)
            else:
                await body.refuse(scope)
        except HttpProblem as problem:
            await render(Request(scope), problem)(scope, receive, send)
            return
        await self.app(scope, body.receive, send)

    def _taken(self, scope: Scope) -> Taken | None:
        """What the route takes that will answer; None where no route will: then nobody reads a body."""
        return next((taken for route, taken in self._routes if route.matches(scope)[0] is Match.FULL), None)


class _Counted:
    """One body on its way in."""

    def __init__(self, receive: Receive, streamed: bool, bounds: BodyBounds) -> None:
        self._receive = receive
        self._most = bounds.recording_bytes + FORM_BYTES if streamed else bounds.whole_bytes
        self._seconds = None if streamed else bounds.seconds
        self._left_s = bounds.seconds
        self._count = 0
        self._ended = self._replay = False

    def check_announced(self, scope: Scope) -> None:
        if announced_length(scope) > self._most:
            raise self._too_large()

    async def refuse(self, scope: Scope) -> None:
        """Raise HttpProblem for any body at all: one in chunks has to be looked at, since it may be empty."""
        self._most = 0
        if announced_length(scope) > 0:
            raise self._too_large()
        if "transfer-encoding" in Headers(scope=scope):
            while not self._ended:
                await self.receive()
            self._replay = True

    async def receive(self) -> Message:
        if self._replay:
            self._replay = False
            return EMPTY
        message = await self._next()
        self._count += len(message.get("body", b""))
        if self._count > self._most:
            raise self._too_large()
        self._ended = self._ended or not message.get("more_body", False)
        return message

    async def _next(self) -> Message:
        """Time counts while the client is waited for, until its body has ended."""
        if self._seconds is None or self._ended:
            return await self._receive()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(max(0.0, self._left_s)):
                return await self._receive()
        except TimeoutError as error:
            text = f"The body did not come within {self._seconds:g} seconds."
            raise HttpProblem("upload_stalled", text, extra_headers=CLOSED) from error
        finally:
            self._left_s -= loop.time() - begun

    def _too_large(self) -> HttpProblem:
        text = f"The body is larger than {self._most} bytes." if self._most else "This route takes no body."
        return HttpProblem("too_large", text, extra_headers=CLOSED)


def _plain(routes: Iterable[BaseRoute]) -> Iterable[Route]:
    return (route for route in routes if isinstance(route, Route))


def _media_type(scope: Scope) -> str:
    return Headers(scope=scope).get("content-type", "").split(";")[0].strip().lower()
