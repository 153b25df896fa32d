"""Methods nobody knows, characters that are none, bytes where letters belong."""

import json
from collections.abc import Callable
from typing import Any

from tests.attack.models import EMBEDDER, WRITER
from tests.attack.trials import Attack, Outcome, waited_for
from tests.attack.wire import Server

METHODS = 20
METRICS_S = 15.0
"""Seconds until the metrics page shows what happened: Ray gathers every ten."""
LONG_ID = "i" * 3000
ECHOED_BYTES = 256
SURROGATE = "\\ud800"


def odd(server: Server, metrics: Callable[[], str]) -> list[Attack]:
    """`metrics` gives the page that Prometheus reads."""
    return [
        Attack(
            "made-up methods",
            f"{METHODS} requests with methods nobody knows, then the metrics page",
            lambda: _make_no_series(server, metrics),
        ),
        *(
            Attack(
                f"a lone surrogate in {where}",
                f"POST {path} with {SURROGATE}",
                lambda path=path, body=body: _post(server, path, body),
            )
            for where, path, body in _surrogates()
        ),
        *(
            Attack(f"byte 0xff in {name}", f"GET /v1/models, {name}: \\xff", lambda name=name: _odd_header(server, name))
            for name in ("X-Request-ID", "X-Session-ID", "serve_multiplexed_model_id", "traceparent", "Prefer")
        ),
        Attack("a long request id", "GET /v1/models, X-Request-ID of 3,000 characters", lambda: _long_id(server)),
    ]


def _make_no_series(server: Server, metrics: Callable[[], str]) -> Outcome:
    before = _series(metrics())
    statuses = {server.ask(server.head(f"MADEUP{n}", "/v1/models"), timeout=10.0).words for n in range(METHODS)}
    waited_for(lambda: "MADEUP" in metrics(), METRICS_S, pause=1.0)
    page = metrics()
    named = sum("MADEUP" in line for line in page.splitlines())
    shown = f"{', '.join(sorted(statuses))}; {_series(page) - before} more series, {named} of them name such a method"
    return Outcome(shown, named == 0 and bool(page))


def _series(page: str) -> int:
    return sum(1 for line in page.splitlines() if line and not line.startswith("#"))


def _surrogates() -> list[tuple[str, str, dict[str, Any]]]:
    message = [{"role": "user", "content": "hello"}]
    schema = {"type": "json_schema", "json_schema": {"name": "\ud800", "schema": {"type": "object"}}}
    chat = {"model": WRITER, "max_tokens": 8}
    return [
        ("embeddings", "/v1/embeddings", {"model": EMBEDDER, "input": "\ud800"}),
        ("chat content", "/v1/chat/completions", {**chat, "messages": [{"role": "user", "content": "\ud800"}]}),
        ("a schema's name", "/v1/chat/completions", {**chat, "messages": message, "response_format": schema}),
        ("a search", "/v1/search", {"query": "\ud800"}),
    ]


def _post(server: Server, path: str, document: dict[str, Any]) -> Outcome:
    """What is wrong with the words is the caller's fault, not the service's."""
    body = json.dumps(document).encode()
    head = server.head("POST", path, "Content-Type: application/json", f"Content-Length: {len(body)}")
    answer = server.ask(head, [body])
    return Outcome(answer.words, 0 < answer.status < 500)


def _odd_header(server: Server, name: str) -> Outcome:
    answer = server.ask(server.head("GET", "/v1/models", name.encode() + b": \xff"))
    return Outcome(answer.words, 0 < answer.status < 500)


def _long_id(server: Server) -> Outcome:
    answer = server.ask(server.head("GET", "/v1/models", f"X-Request-ID: {LONG_ID}"))
    ids = answer.all("x-request-id")
    longest = max(map(len, ids), default=0)
    shown = f"{answer.words}, {len(ids)} ids of {longest} characters at most"
    return Outcome(shown, 0 < answer.status < 500 and len(ids) <= 1 and longest <= ECHOED_BYTES)
