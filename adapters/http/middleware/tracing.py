"""A span around every request, so that a client's trace goes on through the queue."""

from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.common.request_headers import method_of
from ports.tracer import Tracer

UNTRACED = frozenset({"/livez", "/readyz"})
"""Asked every second by machines; spans of them would hide the others."""


class TraceRequests:
    """Opens a span that continues the client's `traceparent`, and hands its own on to everything behind it."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"traceparent", b"").decode("ascii", "replace") or None
        # Neither path nor query: they hold what clients put there. Route and job stand in the log under the same trace.
        method = method_of(scope)
        about = {"http.request.method": method}
        with self._tracer.span(f"HTTP {method}", given, about) as inside:
            kept = [(name, value) for name, value in scope["headers"] if name != b"traceparent"]
            if inside is not None:
                kept.append((b"traceparent", inside.encode()))
            await self._app({**scope, "headers": kept}, receive, send)
