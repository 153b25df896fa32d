"""A real HTTP server on the loopback that answers from a list, and misbehaves on request."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """One answer. `body` is sent as JSON unless it is bytes; `delay_s` of real time come first.

    `cut` sends only so many bytes of the body that was promised, then closes; `endless` sends without end.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    endless: bool = False


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedServer:
    """Gives its replies in order, then `otherwise`; keeps what it received, and how many clients went away before the end."""

    def __init__(self, replies: Iterable[Reply] = (), otherwise: Reply | None = None) -> None:
        self.replies = list(replies)
        self.otherwise = otherwise
        self.received: list[Received] = []
        self.abandoned = 0
        self.url = ""

    def then(self, *replies: Reply) -> None:
        self.replies.extend(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                reply = self.replies.pop(0) if self.replies else self.otherwise
                if reply is None or not await self._answer(reply, reader, writer):
                    break
        writer.close()

    async def _answer(self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send the reply; return whether the connection goes on."""
        if reply.delay_s:
            gone = asyncio.ensure_future(reader.read(1))
            done, _ = await asyncio.wait({gone}, timeout=reply.delay_s)
            if done:
                self.abandoned += 1
                return False
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        length = {} if reply.endless else {"content-length": str(len(body))}
        headers = {"content-type": "application/json", **length, **reply.headers}
        head = f"HTTP/1.1 {reply.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(head.encode() + b"\r\n" + (body if reply.cut is None else body[: reply.cut]))
        await writer.drain()
        while reply.endless:
            writer.write(b" " * 65_536)
            await writer.drain()
        return reply.cut is None


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(first.split(" ")[1], headers, body)


@asynccontextmanager
async def scripted_server(*replies: Reply, otherwise: Reply | None = None) -> AsyncIterator[ScriptedServer]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    script = ScriptedServer(replies, otherwise)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        await script.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    script.url = f"http://{host}:{port}/v1"
    try:
        yield script
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


# --- What an OpenAI-compatible server says


def chat(text: Any, finish_reason: str = "stop", **usage: Any) -> Reply:
    counted = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 16, **usage}
    message = {"role": "assistant", "content": text}
    return Reply({"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], "usage": counted})


def embeddings(*rows: Any, tokens: int = 6) -> Reply:
    data = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return Reply({"object": "list", "data": data, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


def verbose(*segments: dict[str, Any], words: Iterable[dict[str, Any]] = (), language: Any = "english") -> Reply:
    text = " ".join(str(segment.get("text")) for segment in segments)
    return Reply(
        {"task": "transcribe", "language": language, "duration": 2.0, "text": text, "segments": segments, "words": list(words)}
    )


def spoken(start: float = 0.0, end: float = 1.0, text: str = " Good morning.", **other: Any) -> dict[str, Any]:
    scores = {"avg_logprob": -0.25, "compression_ratio": 0.9, "no_speech_prob": 0.02, "temperature": 0.0}
    return {"id": 0, "seek": 0, "start": start, "end": end, "text": text, "tokens": [1], **scores, **other}


def refused(status: int, code: str = "some_code", **headers: str) -> Reply:
    message = "quoting the words of the input"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply({"error": {"message": message, "type": "invalid_request_error", "code": code}}, status, named)
