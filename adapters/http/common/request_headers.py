"""What a request says beside its body: whose it is, and with which options its job runs."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request
from starlette.types import Scope

from adapters.http.common.problems import HttpProblem
from domain.job import HIGHEST_PRIORITY, LOWEST_PRIORITY

TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, level 1, section 3.2."""
SECONDS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
PRIORITY = re.compile(r"[+-]?[0-3]")
LONGEST_KEY = 255
"""Characters of an idempotency key (Stripe's bound)."""


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"
"""OpenTelemetry's word for a method that is none of those known: a label or a line never repeats what a client made up."""


def method_of(scope: Scope) -> str:
    """The method of a request, as it is told in logs and spans."""
    method: str = scope["method"]
    return method if method in METHODS else OTHER_METHOD


async def tenant_of(request: Request) -> str:
    """Whose request this is: that of the key it shows, or the one tenant of a service that asks for none."""
    tenant: str = request.scope.get("state", {}).get("tenant", "default")
    return tenant


Tenant = Annotated[str, Depends(tenant_of)]


def key_bytes_of(request: Request) -> int | None:
    """How many bytes the key of this request lets a recording have; None where it says nothing."""
    most: int | None = request.scope.get("state", {}).get("upload_bytes")
    return most


def priority_of(request: Request, most: int) -> int:
    """The number of `Wordloop-Priority`; without one 0, or less where only less is allowed.

    `most`: the highest where the request's key has no number of its own.

    Raises HttpProblem for what is no priority, and for one that the key does not allow.
    """
    own: int | None = request.scope.get("state", {}).get("max_priority")
    allowed = most if own is None else own
    value = request.headers.get("wordloop-priority")
    if value is None:
        return min(0, allowed)
    if not PRIORITY.fullmatch(value.strip()):
        text = f"Wordloop-Priority takes a whole number from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}."
        raise HttpProblem("malformed_request", text)
    if int(value) > allowed:
        raise HttpProblem("forbidden", f"The highest priority that is allowed here is {allowed}.")
    return int(value)


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


async def preferences_of(
    request: Request,
    _prefer: Annotated[
        str | None,
        Header(alias="Prefer", description="`respond-async`: answer at once with a job. `wait=N`: wait for it up to N seconds"),
    ] = None,
) -> Preferences:
    """Read `Prefer`, which may come several times; what is not known is ignored, as the RFC asks."""
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


async def _of_calls(
    _timeout: Annotated[
        str | None,
        Header(
            alias="Wordloop-Timeout", description="Seconds from the arrival of the request until its result is of no use any more"
        ),
    ] = None,
    _cache: Annotated[
        str | None, Header(alias="Cache-Control", description="`no-store`: keep no answer of a model beyond this request or job")
    ] = None,
    _trace: Annotated[
        str | None, Header(alias="traceparent", description="W3C Trace Context; the spans of this request continue that trace")
    ] = None,
) -> None:
    """Shows the headers in the OpenAPI document; the functions of this module read them."""


async def _of_jobs(
    _key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="1 to 255 printable ASCII characters. With the same request they give the same job, with another 422",
        ),
    ] = None,
    _priority: Annotated[
        str | None,
        Header(
            alias="Wordloop-Priority",
            description="-3 to 3: which of your own jobs come first; a step is worth five minutes of waiting. Below 0 for"
            " anybody, above as far as the key allows (403 beyond)",
        ),
    ] = None,
) -> None:
    """Shows the headers in the OpenAPI document; `idempotency_key_of` and `priority_of` read them."""


CALL_HEADERS = [Depends(_of_calls)]
"""Dependencies of a route that calls a model itself."""
JOB_HEADERS = [*CALL_HEADERS, Depends(_of_jobs)]
"""Dependencies of a route that queues a job."""


def wants_storage(request: Request) -> bool:
    """False when the request says `Cache-Control: no-store`."""
    return not any(
        part.strip().lower() == "no-store" for header in request.headers.getlist("cache-control") for part in header.split(",")
    )


def traceparent_of(request: Request) -> str | None:
    """The caller's trace context when it is well-formed, else none."""
    value = request.headers.get("traceparent", "")
    return value if TRACEPARENT.fullmatch(value) else None
