"""What a request says beside its body: whose it is, and under which terms its job runs."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from adapters.http.problems import HttpProblem

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, level 1, section 3.2."""
SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
LONGEST_KEY = 255
"""Characters of an idempotency key (Stripe's bound)."""


async def tenant_of(request: Request) -> str:
    """Whose request this is: that of the key it shows, or the one tenant of a service that asks for none."""
    tenant: str = request.scope.get("state", {}).get("tenant", "default")
    return tenant


Tenant = Annotated[str, Depends(tenant_of)]


def key_bytes_of(request: Request) -> int | None:
    """How many bytes the key of this request lets a recording have; None where it says nothing."""
    most: int | None = request.scope.get("state", {}).get("upload_bytes")
    return most


class Preferences:
    """The `Prefer` header (RFC 7240): whether to answer at once with a job, and how long to wait for it."""

    def __init__(self, respond_async: bool, wait_s: float | None) -> None:
        self.respond_async = respond_async
        self.wait_s = wait_s

    @property
    def given(self) -> bool:
        return self.respond_async or self.wait_s is not None

    def applied(self, wait_limit_s: float) -> dict[str, str]:
        """Headers that tell which preferences were honoured."""
        parts = ["respond-async"] if self.respond_async else []
        if self.wait_s is not None:
            parts.append(f"wait={min(self.wait_s, wait_limit_s):g}")
        return {"Vary": "Prefer"} | ({"Preference-Applied": ", ".join(parts)} if parts else {})


async def preferences_of(request: Request) -> Preferences:
    """Read `Prefer`; what is not known is ignored, as the RFC asks."""
    wait_s: float | None = None
    respond_async = False
    for header in request.headers.getlist("prefer"):
        for part in header.split(","):
            name, _, value = part.split(";")[0].partition("=")
            if name.strip().lower() == "respond-async":
                respond_async = True
            if name.strip().lower() == "wait" and value.strip().strip('"').isdecimal():
                wait_s = float(value.strip().strip('"'))
    return Preferences(respond_async, wait_s)


Preferred = Annotated[Preferences, Depends(preferences_of)]


def idempotency_key_of(request: Request) -> str | None:
    """The key, quoted (the IETF draft's String) or bare (what most clients send). Raises HttpProblem for one that is none."""
    value = request.headers.get("idempotency-key")
    if value is None:
        return None
    key = value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
    if not key or len(key) > LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise HttpProblem("malformed_request", f"Idempotency-Key takes 1 to {LONGEST_KEY} printable ASCII characters.")
    return key


def timeout_of(request: Request) -> float | None:
    """The seconds of `Wordloop-Timeout`, None without one. Raises HttpProblem for one that is no positive number."""
    value = request.headers.get("wordloop-timeout")
    if value is None:
        return None
    if not SECONDS.fullmatch(value.strip()) or float(value) <= 0:
        raise HttpProblem("malformed_request", "Wordloop-Timeout takes a positive number of seconds.")
    return float(value)


async def _documented_timeout(
    wordloop_timeout: Annotated[
        str | None, Header(description="Seconds from the arrival of the request until its result is of no use any more")
    ] = None,
) -> None:
    """Shows the header in the OpenAPI document; `timeout_of` reads it."""


TimeoutHeader = Depends(_documented_timeout)


def wants_storage(request: Request) -> bool:
    """False when the request says `Cache-Control: no-store`."""
    return not any(
        part.strip().lower() == "no-store" for header in request.headers.getlist("cache-control") for part in header.split(",")
    )


def traceparent_of(request: Request) -> str | None:
    """The caller's trace context when it is well-formed, else none."""
    value = request.headers.get("traceparent", "")
    return value if TRACEPARENT.fullmatch(value) else None
