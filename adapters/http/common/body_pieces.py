"""The body of an upload as it comes."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect

from adapters.http.common.problems import HttpProblem

CLOSED = {"Connection": "close"}
"""What a refusal in the middle of a body says: what is left of it must not be read as the next request."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The slowest that an upload may come: no pause longer than `idle_s`, and `bytes_per_s` once that much time is lost."""

    idle_s: float
    bytes_per_s: float

    def patience_s(self, received: int, waited_s: float) -> float:
        """Seconds to wait for the next piece, after so many bytes in so many seconds of waiting."""
        return max(0.0, min(self.idle_s, self.idle_s + received / self.bytes_per_s - waited_s))


async def body_pieces(request: Request, pace: Pace, what: str) -> AsyncIterator[bytes]:
    """Yield the pieces. Raises HttpProblem when they come slower than `pace`, or the client goes away in the middle of `what`.

    Time counts while the client is waited for, never while its bytes are written.
    """
    stream, loop = request.stream(), asyncio.get_running_loop()
    received, waited_s = 0, 0.0
    while True:
        begun = loop.time()
        try:
            async with asyncio.timeout(pace.patience_s(received, waited_s)):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            text = f"No bytes came for {pace.idle_s:g} seconds, or fewer than {pace.bytes_per_s:g} a second."
            raise HttpProblem("upload_stalled", text, extra_headers=CLOSED) from error
        except ClientDisconnect as error:
            raise HttpProblem("malformed_request", f"The client went away in the middle of the {what}.") from error
        waited_s += loop.time() - begun
        if chunk is None:
            return
        received += len(chunk)
        if chunk:
            yield chunk
