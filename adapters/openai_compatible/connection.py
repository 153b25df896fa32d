"""HTTP to an OpenAI-compatible server: bounded in time and size, its failures as our errors."""

import asyncio
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from domain.errors import (
    InvalidModelOutput,
    ModelOverloaded,
    ModelRejected,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    WordloopError,
)
from ports.model_backend import CallMeta

CONNECT_TIMEOUT_S = 5.0
MAX_RESPONSE_BYTES = 32 * 1024**2
"""2048 vectors of 1024 numbers in decimal digits are about 28 MB: the most that one embeddings call may return."""
MAX_CONNECTIONS = 100
INPUT_REFUSED = frozenset({400, 413, 414, 415, 422})
"""Statuses that say this input will never do. 401, 403, 404 and redirects say that the backend is set up wrongly: not there."""
_CODE = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the server is. `base_url` ends before `/chat/completions`, so usually with `/v1`."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    max_response_bytes: int = MAX_RESPONSE_BYTES


class Connection:
    """One pool of connections to a server. Redirects are not followed, and proxies and netrc of the environment not used."""

    def __init__(self, server: Server) -> None:
        self._server = server
        # Compression is not offered: a few kilobytes of it can unfold into gigabytes before any limit is checked.
        headers = {"accept-encoding": "identity"}
        if server.api_key:
            headers["authorization"] = f"Bearer {server.api_key}"
        self._client = httpx.AsyncClient(
            base_url=server.base_url.rstrip("/") + "/",
            headers=headers,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def post(self, path: str, meta: CallMeta, timeout_s: float, **body: Any) -> Mapping[str, Any]:
        """Send one request and return the JSON object of its answer.

        Raises ModelTimeout, ModelUnavailable, ModelOverloaded, RateLimited or ModelRejected by status, and InvalidModelOutput
        for an answer that is too large or not an object.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._post(path, meta, body)
        except httpx.ConnectTimeout:
            raise ModelUnavailable("the server does not accept connections", None) from None
        except (TimeoutError, httpx.TimeoutException):
            raise ModelTimeout(f"no answer within {timeout_s:.1f} s") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ModelUnavailable(f"the connection failed with {type(error).__name__}", None) from None

    async def _post(self, path: str, meta: CallMeta, body: dict[str, Any]) -> Mapping[str, Any]:
        async with self._client.stream("POST", path, headers=_headers(meta), **body) as response:
            content = await self._read(response)
            if response.status_code != httpx.codes.OK:
                raise self._error(response, content)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            raise ModelUnavailable("the server answered with something that is not JSON", None) from None
        if not isinstance(answer, dict):
            raise InvalidModelOutput("the server's answer is not an object")
        return answer

    async def _read(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise ModelUnavailable("the server compressed its answer unasked", None)
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > self._server.max_response_bytes:
                raise InvalidModelOutput(f"the server's answer is larger than {self._server.max_response_bytes} bytes")
        return bytes(content)

    def _error(self, response: httpx.Response, content: bytes) -> WordloopError:
        status = response.status_code
        detail = f"the server answered {status}{_code(content)}"
        retry_after = retry_after_s(response.headers)
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return RateLimited(detail, retry_after)
        if status == httpx.codes.REQUEST_TIMEOUT:
            return ModelTimeout(detail)
        if status in INPUT_REFUSED:
            return ModelRejected(detail)
        if status == httpx.codes.SERVICE_UNAVAILABLE and retry_after is not None:
            return ModelOverloaded(detail, retry_after)
        return ModelUnavailable(detail, retry_after)


def _headers(meta: CallMeta) -> dict[str, str]:
    headers = {"idempotency-key": f'"{meta.key}"'} if meta.key else {}
    if meta.traceparent:
        headers["traceparent"] = meta.traceparent
    return headers


def _code(content: bytes) -> str:
    """The error's code or type when it is an identifier. Its message is left out: it may quote the input."""
    try:
        error = json.loads(content)["error"]
        found = next(value for name in ("code", "type") if isinstance(value := error.get(name), str))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, StopIteration):
        return ""
    return f" ({found})" if _CODE.fullmatch(found) else ""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of `retry-after-ms` or `Retry-After` (seconds, or a date read against the answer's own `Date`)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            seconds = _seconds_between(headers.get("date", ""), value)
        if math.isfinite(seconds):
            return max(seconds, 0.0)
    return None


def _seconds_between(earlier: str, later: str) -> float:
    try:
        return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return math.nan
