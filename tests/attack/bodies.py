"""Bodies that nobody asked for: too large, on the wrong route, on a GET, or of a length that is no number."""

import json
import time
from collections.abc import Callable

from tests.attack.trials import MIB, Attack, Outcome
from tests.attack.wire import Answer, Server, chunked, plain

SEARCH_BYTES, GET_BYTES = 300 * MIB, 200 * MIB
MAY_GROW_MIB = 64.0
"""What the ingress may hold more at its worst moment: a fifth of what is sent."""
PATIENCE_S = 15.0
MULTIPART = "Content-Type: multipart/form-data; boundary=b"


def bodies(server: Server, unfinished_job: Callable[[], str]) -> list[Attack]:
    """`unfinished_job` gives the id of a job that is under way."""
    return [
        Attack(
            "large multipart, announced",
            "POST /v1/search, 300 MiB that call themselves multipart, with Content-Length",
            lambda: _refused(server.ask(_search(server, f"Content-Length: {SEARCH_BYTES}"), plain(SEARCH_BYTES))),
            MAY_GROW_MIB,
        ),
        Attack(
            "large multipart, chunked",
            "POST /v1/search, 300 MiB that call themselves multipart, in chunks",
            lambda: _refused(server.ask(_search(server, "Transfer-Encoding: chunked"), chunked(SEARCH_BYTES))),
            MAY_GROW_MIB,
        ),
        Attack(
            "GET with a body",
            "GET /v1/jobs/JOB of a job under way, Prefer: wait=20, 200 MiB in chunks",
            lambda: _no_error(server.ask(_waiting_get(server, unfinished_job()), chunked(GET_BYTES))),
            MAY_GROW_MIB,
        ),
        Attack(
            "DELETE with a body",
            "DELETE /v1/conversations/none, 200 MiB that call themselves multipart, in chunks",
            lambda: _refused(server.ask(_delete(server), chunked(GET_BYTES))),
            MAY_GROW_MIB,
        ),
        Attack(
            "a length that is no number",
            "POST /v1/search, Content-Length: abc",
            lambda: _no_request(server, b"{}", "Content-Length: abc"),
        ),
        Attack(
            "two lengths",
            "POST /v1/search, Content-Length: 2 and Content-Length: 3",
            lambda: _no_request(server, b"{} ", "Content-Length: 2", "Content-Length: 3"),
        ),
    ]


def _search(server: Server, length: str) -> bytes:
    return server.head("POST", "/v1/search", MULTIPART, length)


def _waiting_get(server: Server, job: str) -> bytes:
    return server.head("GET", f"/v1/jobs/{job}", "Prefer: wait=20", "Transfer-Encoding: chunked")


def _delete(server: Server) -> bytes:
    return server.head("DELETE", "/v1/conversations/none", MULTIPART, "Transfer-Encoding: chunked")


def _refused(answer: Answer) -> Outcome:
    """Refused, in an answer or by closing."""
    return Outcome(_taken(answer), answer.status == 0 or 400 <= answer.status < 500)


def _no_error(answer: Answer) -> Outcome:
    """Refused or answered without its body; memory is what is judged."""
    return Outcome(_taken(answer), answer.status < 500)


def _taken(answer: Answer) -> str:
    return f"{answer.words} after {answer.sent / MIB:.0f} MiB"


def _no_request(server: Server, body: bytes, *lines: str) -> Outcome:
    """What is no HTTP is refused in words a program can read, or without a word: the connection ends before patience does."""
    begun = time.monotonic()
    answer = server.ask(server.head("POST", "/v1/search", *lines), [body], timeout=PATIENCE_S)
    kind = answer.first("content-type")
    refused = 400 <= answer.status < 500 and kind.startswith("application/problem+json") and _is_json(answer.body)
    closed = answer.status == 0 and time.monotonic() - begun < PATIENCE_S
    return Outcome(f"{answer.words} {kind}".strip(), refused or closed)


def _is_json(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False
