"""Requests to addresses that callers named: bounded in time, size and redirects."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from adapters.outbound.backend import GuardedBackend, Resolve, system_resolver
from adapters.outbound.policy import AddressPolicy, Target
from domain.errors import AddressRefused, SourceRefused, SourceUnavailable, TooLarge
from ports.outbound import RemoteAudio

REDIRECTS = (301, 302, 303, 307, 308)
TRY_AGAIN = (408, 425, 429)
"""4xx answers that may be others later."""
AGENT = "wordloop-ml"
LONGEST_RETRY_AFTER_S = 86_400.0


@dataclass(frozen=True, slots=True)
class OutboundLimits:
    """Seconds to connect, between two pieces, and for a whole download; how many redirects are followed."""

    connect_s: float = 10.0
    idle_s: float = 30.0
    fetch_s: float = 900.0
    redirects: int = 3


class GuardedClient(RemoteAudio):
    """The HTTP client over `httpcore`, whose network backend is a public seam; no proxy, cookie or environment plays a part.

    Connections are not kept: every request is judged anew.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        limits: OutboundLimits | None = None,
        resolve: Resolve = system_resolver,
        dial: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._policy = policy
        self._limits = limits or OutboundLimits()
        backend = GuardedBackend(policy, resolve, dial or httpcore.AnyIOBackend())
        self._pool = httpcore.AsyncConnectionPool(max_connections=None, max_keepalive_connections=0, network_backend=backend)

    def check(self, url: str) -> None:
        self._policy.target(url)

    async def fetch(self, url: str, max_bytes: int) -> AsyncIterator[bytes]:
        until = asyncio.get_running_loop().time() + self._limits.fetch_s
        for _ in range(self._limits.redirects + 1):
            target = self._policy.target(url)
            async with self._exchange("GET", target, {"accept-encoding": "identity"}, None, self._limits.idle_s, until) as answer:
                if answer.status in REDIRECTS:
                    url = _redirected(url, answer)
                    continue
                _check_answer(answer, max_bytes)
                async for piece in self._pieces(answer, max_bytes, until):
                    yield piece
                return
        raise SourceRefused("The address redirects too often.")

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, within_s: float) -> tuple[int, float | None]:
        """Send `body`; return the status and the seconds of `Retry-After`. What else the answer holds is never read.

        A redirect is an answer like others: it is not followed. Raises AddressRefused and SourceUnavailable.
        """
        until = asyncio.get_running_loop().time() + within_s
        async with self._exchange("POST", self._policy.target(url), headers, body, within_s, until) as answer:
            return answer.status, retry_after_s(answer)

    @asynccontextmanager
    async def _exchange(
        self, method: str, target: Target, headers: Mapping[str, str], body: bytes | None, idle_s: float, until: float
    ) -> AsyncIterator[httpcore.Response]:
        connect_s = min(self._limits.connect_s, idle_s)
        timeouts = {"connect": connect_s, "pool": connect_s, "read": idle_s, "write": idle_s}
        sent: list[tuple[bytes, bytes]] = [(b"host", target.netloc), (b"user-agent", AGENT.encode()), (b"accept", b"*/*")]
        sent += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        if body is not None:
            sent.append((b"content-length", str(len(body)).encode()))
        url = httpcore.URL(scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path)
        request = httpcore.Request(method, url, headers=sent, content=body, extensions={"timeout": timeouts})
        answer: httpcore.Response | None = None
        try:
            async with asyncio.timeout_at(until):
                answer = await self._pool.handle_async_request(request)
            yield answer
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise SourceUnavailable("The server behind the address was too slow.", None) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise SourceUnavailable("The server behind the address could not be reached, or broke off.", None) from error
        finally:
            if answer is not None:
                await answer.aclose()

    async def _pieces(self, answer: httpcore.Response, max_bytes: int, until: float) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._until(answer, until):
            size += len(piece)
            if size > max_bytes:
                raise TooLarge(f"The recording is larger than {max_bytes} bytes.")
            yield piece

    async def _until(self, answer: httpcore.Response, until: float) -> AsyncIterator[bytes]:
        """Yield the content; raises TimeoutError when the time for the whole is up, however steadily bytes trickle in."""
        stream = answer.aiter_stream()
        while True:
            async with asyncio.timeout_at(until):
                piece = await anext(stream, None)
            if piece is None:
                return
            yield piece


def header(answer: httpcore.Response, name: bytes) -> str | None:
    """Return the first header of that name, in lower case."""
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), None)


def retry_after_s(answer: httpcore.Response) -> float | None:
    """Return the seconds of `Retry-After`; dates are not read."""
    value = (header(answer, b"retry-after") or "").strip()
    return min(float(value), LONGEST_RETRY_AFTER_S) if value.isdecimal() and len(value) <= 9 else None


def _redirected(url: str, answer: httpcore.Response) -> str:
    location = header(answer, b"location")
    if location is None:
        raise SourceRefused("The address redirects to nowhere.")
    try:
        return str(httpx.URL(url).join(location))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise AddressRefused("The address redirects to something that is no address.") from error


def _check_answer(answer: httpcore.Response, max_bytes: int) -> None:
    if answer.status >= 500 or answer.status in TRY_AGAIN:
        raise SourceUnavailable(f"The server behind the address answered {answer.status}.", retry_after_s(answer))
    if answer.status != 200:
        raise SourceRefused(f"The server behind the address answered {answer.status}.")
    if (header(answer, b"content-encoding") or "identity").lower() != "identity":
        raise SourceRefused("The server behind the address sent a compressed body, which was not asked for.")
    announced: Any = header(answer, b"content-length") or "0"
    if announced.isdecimal() and int(announced[:20]) > max_bytes:
        raise TooLarge(f"The recording is larger than {max_bytes} bytes.")
