"""A receiver of webhooks on loopback that keeps what it was sent and answers by a script."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Received:
    """One request: its headers in lower case, its body, and what was answered."""

    headers: dict[str, str]
    body: bytes
    answered: int

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`answer` gives the status of the next answer and its further headers."""

    port: int = 0
    answer: Callable[[], tuple[int, str]] = lambda: (200, "")
    received: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    pause_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def trusted(self) -> frozenset[str]:
        return frozenset({f"127.0.0.1:{self.port}"})

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            await asyncio.sleep(self.pause_s)
            status, more = self.answer()
            self.received.append(Received(headers, body, status))
            if status:
                writer.write(f"HTTP/1.1 {status} Said\r\n{more}Content-Length: 0\r\n\r\n".encode())
                await writer.drain()
        finally:
            self.at_once -= 1
            writer.close()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen for the time of the context. A status of 0 closes the connection without an answer."""
    made = Receiver()
    async with await asyncio.start_server(made, "127.0.0.1", 0) as listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made


@contextmanager
def receiving_beside() -> Iterator[Receiver]:
    """The same on a thread of its own, for tests without a loop."""
    loop, made = asyncio.new_event_loop(), Receiver()
    thread = threading.Thread(target=loop.run_forever, name="receiver", daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(asyncio.start_server(made, "127.0.0.1", 0), loop).result(30)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(listening.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
