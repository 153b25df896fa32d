"""What HAProxy is told beyond what Serve tells it: to speak as the service does, and to refuse what nobody behind it knows.

`haproxy_guard.py` adds these lines, with its limits, to the configuration that Serve writes anew at every change.
Standard library only.
"""

import json
import re
from collections.abc import Mapping, Sequence

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""As in `client_headers.METHODS`: HAProxy is where others are refused, since no server behind it reads them."""
SILENT = (400, 408)
"""What HAProxy says of bytes that are no HTTP, or never became a request. It says so in a page of its own that no setting changes
(2.8, src/mux_h1.c); the one choice is to say nothing and to close the connection."""
REFUSALS: Mapping[int, tuple[str, str]] = {
    502: ("no_answer", "The service broke off its answer"),
    503: ("not_ready", "Not ready"),
    504: ("late_answer", "The service did not answer in time"),
}
"""What HAProxy says when no replica answers, by status: code and title, as in `adapters/http/common/problems.py`."""
RETRY_AFTER_S = 1
SAFE_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-ID": "%[unique-id]"}


class Unexpected(Exception):
    """The configuration does not look as this program knows it."""


def amended(configuration: str) -> str:
    """Return Serve's configuration with our lines in it. Raises Unexpected where their places are not found."""
    kept = "\n".join(line for line in configuration.splitlines() if not line.strip().startswith("errorfile "))
    kept = _after(kept, r"^    balance .*$", _defaults())
    kept = _after(kept, r"^frontend http_frontend\n    bind .*$", _frontend())
    return _after(kept, r"^backend default_backend$", [_return(503)], instead=r"^    http-request return status 404 .*$") + "\n"


def _defaults() -> list[str]:
    """Empty pages for `SILENT`, problems for the rest."""
    silent = [f"errorfile {status} /dev/null" for status in SILENT]
    return ["unique-id-format %[uuid]", *silent, *(f"http-error status {status} {_problem(status)}" for status in REFUSALS)]


def _frontend() -> list[str]:
    unknown = _problem(501, "method_unknown", "This method is not known")
    stalled = _problem(408, "upload_stalled", "The upload stalled")
    return [
        # An answer of the service's own would leave a connection open whose client still owes a body.
        f"http-response return status 408 {stalled} if {{ status 408 }}",
        f"http-request return status 501 {unknown} unless {{ method {' '.join(METHODS)} }}",
        f"http-request return status 404 {_problem(404, 'not_found', 'No such thing')} unless {{ path_beg / }}",
    ]


def _return(status: int) -> str:
    return f"http-request return status {status} {_problem(status)}"


def _problem(status: int, code: str = "", title: str = "") -> str:
    """A problem (RFC 9457) as the arguments of `http-error` and `http-request return`."""
    if not code:
        code, title = REFUSALS[status]
    told = {"type": f"/problems/{code}", "title": title, "status": status, "detail": f"{title}.", "code": code}
    body = json.dumps(told | {"request_id": "%[unique-id]"}).replace("\\", "\\\\").replace('"', '\\"')
    headers = SAFE_HEADERS | ({"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {})
    named = " ".join(f"hdr {name} {value}" for name, value in headers.items())
    return f'content-type application/problem+json lf-string "{body}" {named}'


def _after(text: str, pattern: str, lines: Sequence[str], instead: str | None = None) -> str:
    """Put lines behind the one place that a pattern finds, and take out what stands `instead` of them."""
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if len(found) != 1:
        raise Unexpected(f"Serve's configuration of it has no single {pattern!r}")
    end = found[0].end()
    rest = text[end:] if instead is None else re.sub(instead, "", text[end:], count=1, flags=re.MULTILINE)
    return text[:end] + "".join(f"\n    {line}" for line in lines) + rest
