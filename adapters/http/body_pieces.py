"""The body of an upload as it comes."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

from adapters.http.problems import HttpProblem


async def body_pieces(request: Request, idle_s: float, what: str) -> AsyncIterator[bytes]:
    """Yield the pieces. Raises HttpProblem when none comes for `idle_s`, or the client goes away in the middle of `what`."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(idle_s):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise HttpProblem("upload_stalled", f"No bytes came for {idle_s:g} seconds.") from error
        except ClientDisconnect as error:
            raise HttpProblem("malformed_request", f"The client went away in the middle of the {what}.") from error
        if chunk is None:
            return
        if chunk:
            yield chunk
