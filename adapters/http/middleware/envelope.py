"""What happens to every request: an id, security headers, and an answer whatever breaks. Pure ASGI."""

import logging
import re
import time
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.http.common.error_handlers import internal_error
from adapters.http.common.request_headers import TRACEPARENT, method_of
from domain.failure import stack_of
from domain.request_id import is_request_id

log = logging.getLogger("wordloop.http")

JOB_ID = re.compile(r"job_[0-9a-f]{32}")
JOB_LOCATION = re.compile(rf"/v1/jobs/(?P<id>{JOB_ID.pattern})")
PROBES = frozenset({"/livez", "/readyz"})
"""Asked every second by machines; lines about them would hide the others."""
UPLOADS = "/v1/uploads"
TUS_VERSION = "1.0.0"
"""Every answer about uploads says which version of the tus protocol it speaks, refusals too."""
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""OWASP secure headers for an API. Routes that serve pages set their own policy."""


class Envelope:
    """Gives every request an id, every answer its headers and a line in the log; answers 500 when nothing else did."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self.app = app
        self.new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        begun = time.monotonic()
        started = False
        told: dict[str, str | int | float] = {"request_id": request_id, "status": 0}

        async def send_dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                told["status"] = message["status"]
                if job := JOB_LOCATION.fullmatch(headers.get("location", "")):
                    told["wordloop_job_id"] = job["id"]
                headers["X-Request-ID"] = request_id
                if 300 <= message["status"] < 400 and "location" in headers:
                    headers["Location"] = _here(headers["location"])
                if scope["path"].startswith(UPLOADS):
                    headers["Tus-Resumable"] = TUS_VERSION
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, send_dressed)
        except Exception as error:
            log.error("request failed", extra={"request_id": request_id, "failure": stack_of(error)})
            if started:
                raise
            await internal_error(Request(scope))(scope, receive, send_dressed)
        finally:
            if scope["path"] not in PROBES:
                log.info("request", extra=_told_of(scope) | told | {"seconds": round(time.monotonic() - begun, 4)})

    def _request_id(self, scope: Scope) -> str:
        offered = Headers(scope=scope).get("x-request-id", "")
        request_id = offered if is_request_id(offered) else self.new_id()
        scope.setdefault("state", {})["request_id"] = request_id
        return request_id


def _here(location: str) -> str:
    """Return a redirect without its host: the framework writes the one that the client named, and a client may name any."""
    parts = urlsplit(location)
    return urlunsplit(("", "", "/" + parts.path.lstrip("/"), parts.query, ""))


def _told_of(scope: Scope) -> dict[str, str | int | float]:
    """What may be told of a request: its route, never its path or query, which hold what clients put there."""
    route = getattr(scope.get("route"), "path", "unknown")
    about: dict[str, str | int | float] = {"method": method_of(scope), "route": route}
    job_id = scope.get("path_params", {}).get("job_id", "")
    if JOB_ID.fullmatch(job_id):
        about["wordloop_job_id"] = job_id
    trace = TRACEPARENT.fullmatch(Headers(scope=scope).get("traceparent", ""))
    return about | ({"trace_id": trace["trace_id"]} if trace else {})


def announced_length(scope: Scope) -> int:
    """The Content-Length, 0 when there is none (or none that is a number: the server has refused those)."""
    value = Headers(scope=scope).get("content-length", "")
    return int(value) if value.isdecimal() else 0
