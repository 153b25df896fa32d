"""How much of a body Serve reads before the application asks for it.

Serve reads whatever a client sends into memory, as fast as it comes, so that it notices when the client has left. Here it waits
once `MOST_BYTES` are read and not yet taken: the client then waits too, by TCP. Serve's processes import this by name, through
`client_headers`, so nothing of Ray may be imported here.
"""

import asyncio
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1024 * 1024
"""Bytes of one request that lie in memory unasked: some twenty reads of a socket."""
SLOT = "wordloop.read_ahead"
NOBODY = json.dumps({"type": "/problems/not_ready", "title": "Not ready", "status": 503, "code": "not_ready"}).encode()


class ReadAhead:
    """Bytes that were read and not yet taken. The two sides may run on loops of their own."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Return once less than the most waits."""
        await self._room.wait()

    def read(self, count: int) -> None:
        self._add(count)

    def taken(self, count: int) -> None:
        if count:
            self._loop.call_soon_threadsafe(self._add, -count)

    def _add(self, count: int) -> None:
        self._waiting += count
        if self._waiting < self._most:
            self._room.set()
        else:
            self._room.clear()


class BoundedReadAhead:
    """Around Serve, in a replica: lets it read on only while there is room."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        ahead = ReadAhead(self._most)

        async def receive_with_room() -> Message:
            await ahead.room()
            message = await receive()
            ahead.read(len(message.get("body", b"")))
            return message

        await self._app({**scope, SLOT: ahead}, receive_with_room, send)


class TellsWhatItTook:
    """Around the application, behind Serve: what it receives is no longer waiting."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ahead: ReadAhead | None = scope.get(SLOT)
        if ahead is None:
            await self._app(scope, receive, send)
            return

        async def receive_and_tell() -> Message:
            message = await receive()
            ahead.taken(len(message.get("body", b"")))
            return message

        await self._app(scope, receive_and_tell, send)


class SmallBodies:
    """Around Serve's proxy, which keeps a request while no replica is up: it keeps none with a body above `most` bytes.

    The proxy hands bodies on to another process, so nobody here knows what was taken. Such a request is told to come again.
    """

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        count, started, refused = 0, False, False

        async def receive_few() -> Message:
            nonlocal count, refused
            message = await receive()
            count += len(message.get("body", b""))
            if count <= self._most:
                return message
            if not started:
                refused = True
                await _refuse(send)
            return {"type": "http.disconnect"}

        async def send_unless_answered(message: Message) -> None:
            nonlocal started
            if not refused:
                started = True
                await send(message)

        await self._app(scope, receive_few, send_unless_answered)


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"application/problem+json"), (b"retry-after", b"5"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": NOBODY})
