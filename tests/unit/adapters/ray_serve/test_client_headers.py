"""What a client sends for Serve alone, or what Serve would break on, never reaches it."""

import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from adapters.ray_serve.client_headers import METHODS, middlewares

Pair = tuple[bytes, bytes]


class Serve:
    """What stands behind the middlewares: keeps what reaches it, and answers with `headers`."""

    def __init__(self, *headers: Pair) -> None:
        self.reached: list[Scope] = []
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": b""})


async def asked(serve: Serve, scope: dict[str, Any]) -> list[Message]:
    app: Any = serve
    for middleware in middlewares():
        app = middleware.cls(app, *middleware.args, **middleware.kwargs)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, None, send)
    return sent


def a_request(*headers: Pair, method: str = "GET", path: str = "/livez") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "headers": list(headers)}


async def test_the_headers_of_serve_are_taken_away_and_all_others_stay_in_order() -> None:
    serve = Serve()
    kept = [(b"accept", b"a"), (b"x-request-id", b"r"), (b"accept", b"b")]
    sent = [kept[0], (b"X-Request-Timeout-Seconds", b"0"), kept[1], (b"x-request-disconnect-disabled", b"?1"), kept[2]]
    original = a_request(*sent)

    await asked(serve, original)
    await asked(serve, {"type": "lifespan"})

    assert serve.reached == [a_request(*kept), {"type": "lifespan"}]
    assert original["headers"] == sent


@pytest.mark.parametrize("name", [b"x-session-id", b"X_Session_ID", b"serve_multiplexed_model_id", b"serve-multiplexed-model-id"])
async def test_no_client_chooses_its_replica(name: bytes) -> None:
    await asked(serve := Serve(), a_request((name, b"\xff"), (b"traceparent", b"\xff")))
    assert serve.reached == [a_request()]


@pytest.mark.parametrize("ids", [[b"\xff"], [b"a" * 129], [b"a b"], [b""], [b"one", b"two"]])
async def test_what_can_not_name_a_request_does_not_reach_serve(ids: list[bytes]) -> None:
    await asked(serve := Serve(), a_request(*((b"x-request-id", value) for value in ids)))
    assert serve.reached == [a_request()]


async def test_an_answer_names_its_request_once() -> None:
    start, _ = await asked(Serve((b"x-request-id", b"a"), (b"x-request-id", b"a")), a_request())
    assert start["headers"] == [(b"x-request-id", b"a")]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("PROPFIND", "/livez", 501), ("get", "/livez", 501), ("OPTIONS", "*", 404)]
)
async def test_what_would_make_series_of_its_own_is_refused_before_serve_counts_it(method: str, path: str, status: int) -> None:
    start, body = await asked(serve := Serve(), a_request(method=method, path=path))

    problem = json.loads(body["body"])
    assert (start["status"], problem["status"], serve.reached) == (status, status, [])
    assert dict(start["headers"])[b"x-request-id"].decode() == problem["request_id"]
    assert dict(start["headers"])[b"content-type"] == b"application/problem+json"


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_a_known_method_passes(method: str) -> None:
    await asked(serve := Serve(), a_request(method=method))
    assert serve.reached == [a_request(method=method)]
