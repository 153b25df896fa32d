"""Headers by which a client would loosen the limits of Serve itself: taken away before Serve reads them.

Serve's processes import this by name (`CALLBACK`), so nothing of Ray may be imported here.
"""

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

CALLBACK = "adapters.ray_serve.client_headers.middlewares"
SERVES_OWN = frozenset({b"x-request-timeout-seconds", b"x-request-disconnect-disabled"})
"""The first sets the time that Serve gives a request, or none; the second lets a request go on whose client has left."""


class WithoutServesOwn:
    """Hides `SERVES_OWN` from everything behind it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "headers" in scope:
            kept = [(name, value) for name, value in scope["headers"] if name.lower() not in SERVES_OWN]
            scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def middlewares() -> list[Middleware]:
    """Return what Serve puts around its HTTP servers, those of ingress replicas too."""
    return [Middleware(WithoutServesOwn)]
