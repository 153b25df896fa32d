"""What clients send that Serve would obey, or break on: taken away or refused before Serve reads it.

Serve's processes import this by name (`CALLBACK`), so nothing of Ray may be imported here.
"""

import json
import sys
import uuid

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.ray_serve.read_ahead import BoundedReadAhead, SmallBodies
from domain.request_id import is_request_id

CALLBACK = "adapters.ray_serve.client_headers.middlewares"
REQUEST_ID = b"x-request-id"
SERVES_OWN = frozenset(
    {b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"x-session-id", b"serve-multiplexed-model-id"}
)
"""The first sets the time that Serve gives a request, or none; the second lets a request go on whose client has left. The other
two choose a replica, for which replicas that are all alike have no use. Serve takes `_` for `-` in names, and so do we."""
TRACING = frozenset({b"traceparent", b"tracestate"})
"""Serve decodes these strictly: one that is not ASCII would be a failure of ours."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Each makes series in Serve's metrics, one for every bucket of its histogram: others are refused before Serve counts them."""


class WithoutServesOwn:
    """Hides `SERVES_OWN` from everything behind it, and every request id that could not name a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            ids = [value for name, value in scope["headers"] if name.lower() == REQUEST_ID]
            good = len(ids) == 1 and is_request_id(ids[0].decode("latin-1"))
            kept = [(name, value) for name, value in scope["headers"] if _passes(name.lower(), value, good)]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def _passes(name: bytes, value: bytes, id_is_good: bool) -> bool:
    if name == REQUEST_ID:
        return id_is_good
    if name in TRACING:
        return value.isascii()
    return name.isascii() and name.replace(b"_", b"-") not in SERVES_OWN


class OneRequestId:
    """Lets an answer name its request once: Serve adds the id to what has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if ids := headers.getlist("x-request-id"):
                    headers["x-request-id"] = ids[0]
            await send(message)

        await self._app(scope, receive, send_once)


class KnownRequests:
    """Refuses a method that is none of `METHODS`, and a target that is no path, before Serve counts or answers them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in METHODS:
            await _refuse(send, 501, "method_unknown", "This method is not known")
        elif scope["type"] == "http" and not scope["path"].startswith("/"):
            await _refuse(send, 404, "not_found", "No such thing")
        else:
            await self._app(scope, receive, send)


async def _refuse(send: Send, status: int, code: str, title: str) -> None:
    """Answer as the application would (`adapters/http/common/problems.py` knows these codes); it is not asked."""
    request_id = str(uuid.uuid4())
    problem = {"type": f"/problems/{code}", "title": title, "status": status, "detail": f"{title}.", "code": code}
    body = json.dumps(problem | {"request_id": request_id}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (REQUEST_ID, request_id.encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def middlewares() -> list[Middleware]:
    """Return what Serve puts around its HTTP servers: those of ingress replicas, and its own proxy's; the last is asked first."""
    bodies = Middleware(BoundedReadAhead) if _in_replica() else Middleware(SmallBodies)
    return [Middleware(WithoutServesOwn), Middleware(OneRequestId), bodies, Middleware(KnownRequests)]


def _in_replica() -> bool:
    """Serve has long been imported when it calls `middlewares`; outside of it nobody is a replica."""
    context = sys.modules.get("ray.serve.context")
    return context is not None and context._get_internal_replica_context() is not None
