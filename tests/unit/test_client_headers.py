"""Headers that are for Serve alone never reach it from a client."""

from starlette.types import Receive, Scope, Send

from adapters.ray_serve.client_headers import middlewares


async def test_the_headers_of_serve_are_taken_away_and_all_others_stay_in_order() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    (middleware,) = middlewares()
    wrapped = middleware.cls(app, *middleware.args, **middleware.kwargs)
    kept = [(b"accept", b"a"), (b"x-request-id", b"r"), (b"accept", b"b")]
    sent = [kept[0], (b"X-Request-Timeout-Seconds", b"0"), kept[1], (b"x-request-disconnect-disabled", b"?1"), kept[2]]
    original = {"type": "http", "headers": sent}

    await wrapped(original, None, None)
    await wrapped({"type": "lifespan"}, None, None)

    assert seen == [{"type": "http", "headers": kept}, {"type": "lifespan"}]
    assert original["headers"] is sent
