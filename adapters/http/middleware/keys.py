"""Who asks: the key in `Authorization: Bearer` decides the tenant and what may be done. Pure ASGI, before any body is read."""

import hashlib
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.common.problems import HttpProblem, of_domain, render
from domain.api_key import ApiKey
from domain.api_key import Scope as KeyScope
from domain.errors import StorageFailed
from ports.api_keys import ApiKeys
from ports.clock import Clock

OPEN = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})
OPEN_PREFIX = "/problems/"
"""What anybody may ask, and what every refusal links to. Everything else needs a key, routes that do not exist yet too."""
READING_POSTS = frozenset({"/v1/search", "/v1/estimate"})
ADMIN_PREFIX = "/v1/webhooks"
KNOWN_FOR_S = 5.0
"""Seconds for which a verified key is not looked up again: a revoked one opens for at most so long."""
MOST_KNOWN = 10_000
FAILURES_PER_MINUTE = 60
"""Wrong keys from one address, beyond which it hears 429. Right keys from there still pass: many clients may share an address."""
MOST_ADDRESSES = 10_000
MINUTE_S = 60.0


@dataclass(slots=True)
class _Known:
    """A verified key, until when it is taken for live, and its bucket of requests."""

    key: ApiKey
    until: float
    tokens: float
    at: float


class RequireKeys:
    """Lets through what shows a live key with the scope that the route asks for.

    Writes into the request's state whose it is (`tenant`, `key_id`) and what the key lets a recording have (`upload_bytes`)
    and ask for (`max_priority`). `share` counts a request of a key, and tells which part of its rate this replica may let pass.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: ApiKeys,
        clock: Clock,
        requests_per_minute: float | None,
        share: Callable[[str], float],
    ) -> None:
        self.app = app
        self._keys = keys
        self._clock = clock
        self._rate = requests_per_minute
        self._share = share
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            key = await self._key(scope)
        except StorageFailed as error:
            await render(Request(scope), of_domain(error))(scope, receive, send)
        except HttpProblem as problem:
            await render(Request(scope), problem)(scope, receive, send)
        else:
            allowed = {"upload_bytes": key.limits.upload_bytes, "max_priority": key.limits.max_priority}
            scope.setdefault("state", {}).update(allowed, tenant=key.tenant, key_id=key.id)
            await self.app(scope, receive, send)

    async def _key(self, scope: Scope) -> ApiKey:
        kind, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        text = text.strip()
        known = await self._verified(text) if kind.lower() == "bearer" and text else None
        if known is None:
            raise self._refusal(scope, missing=not text)
        needed = scope_of(scope["method"], scope["path"])
        if needed not in known.key.scopes:
            raise HttpProblem("forbidden", f"This key does not allow {needed.value}.")
        self._take(known)
        return known.key

    async def _verified(self, text: str) -> _Known | None:
        digest = hashlib.sha256(text.encode()).digest()
        now = self._clock.monotonic()
        known = self._known.get(digest)
        if known is not None and now < known.until and known.key.live(self._clock.now()):
            self._known.move_to_end(digest)
            return known
        key = await self._keys.verify(text)
        if key is None:
            self._known.pop(digest, None)
            return None
        tokens, at = (known.tokens, known.at) if known is not None else (self._rate_of(key) or 0.0, now)
        self._known[digest] = known = _Known(key, now + KNOWN_FOR_S, tokens, at)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return known

    def _rate_of(self, key: ApiKey) -> float | None:
        return self._rate if key.limits.requests_per_minute is None else key.limits.requests_per_minute

    def _take(self, known: _Known) -> None:
        """Take a request from the key's bucket, which holds a minute's worth. Raises HttpProblem when it is empty."""
        if (whole := self._rate_of(known.key)) is None:
            return
        rate = whole * self._share(f"key\n{known.key.id}")
        now = self._clock.monotonic()
        known.tokens = min(max(1.0, rate), known.tokens + (now - known.at) * rate / MINUTE_S)
        known.at = now
        if known.tokens < 1:
            wait = math.ceil((1 - known.tokens) * MINUTE_S / rate)
            raise HttpProblem("rate_limited", "This key's requests come too fast.", extra_headers={"Retry-After": str(wait)})
        known.tokens -= 1

    def _refusal(self, scope: Scope, *, missing: bool) -> HttpProblem:
        address = scope["client"][0] if scope.get("client") else ""
        now = self._clock.monotonic()
        since, count = self._failures.pop(address, (now, 0))
        since, count = (since, count + 1) if now - since < MINUTE_S else (now, 1)
        self._failures[address] = (since, count)
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)
        if count > FAILURES_PER_MINUTE:
            wait = max(1, math.ceil(since + MINUTE_S - now))
            raise HttpProblem("rate_limited", "Too many requests without a key.", extra_headers={"Retry-After": str(wait)})
        challenge = 'Bearer realm="wordloop"' + ("" if missing else ', error="invalid_token"')
        text = "A key is needed: Authorization: Bearer wl_..." if missing else "This key is not known, has ended or was revoked."
        return HttpProblem("unauthorized", text, extra_headers={"WWW-Authenticate": challenge})


def is_open(path: str) -> bool:
    """Say whether a path asks for no key."""
    return path in OPEN or path.startswith(OPEN_PREFIX)


def scope_of(method: str, path: str) -> KeyScope:
    """Return the scope that a request needs."""
    if path == ADMIN_PREFIX or path.startswith(f"{ADMIN_PREFIX}/"):
        return KeyScope.ADMIN
    reading = method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and path in READING_POSTS)
    return KeyScope.READ if reading else KeyScope.WRITE
