"""A method that a client made up is repeated in no line of the log and in no span."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from adapters.http.middleware.envelope import Envelope
from adapters.http.middleware.tracing import TraceRequests


class Spans:
    """Keeps the names and attributes of spans."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, Mapping[str, Any]]] = []

    @contextmanager
    def span(self, name: str, _traceparent: str | None, about: Mapping[str, Any]) -> Iterator[str | None]:
        self.opened.append((name, about))
        yield None


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 405, "headers": []})


async def ignore(_message: Message) -> None: ...


@pytest.mark.parametrize(("method", "told"), [("GET", "GET"), ("SECRET-WORDS", "_OTHER"), ("get", "_OTHER")])
async def test_only_known_methods_are_told(method: str, told: str, caplog: pytest.LogCaptureFixture) -> None:
    spans = Spans()
    app = TraceRequests(Envelope(answer, lambda: "r"), spans)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO, "wordloop.http"):
        await app({"type": "http", "method": method, "path": "/v1/jobs", "headers": []}, None, ignore)  # type: ignore[arg-type]

    assert spans.opened == [(f"HTTP {told}", {"http.request.method": told})]
    assert [record.__dict__["method"] for record in caplog.records] == [told]
