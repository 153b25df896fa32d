"""Holds every answer that a test sees against the OpenAPI document: its status and its form have to stand there."""

from collections.abc import Awaitable, Callable

import httpx
from fastapi import FastAPI
from starlette.routing import Match

UNDESCRIBED = ("/docs", "/openapi.json", "/")


def held_to_the_document(app: FastAPI) -> Callable[[httpx.Response], Awaitable[None]]:
    """Return a response hook for httpx. Requests that reach no described operation are let be."""

    async def check(response: httpx.Response) -> None:
        request = response.request
        path = _template(app, request.method, request.url.path)
        if path is None or path in UNDESCRIBED:
            return
        method = request.method.lower()
        known = app.openapi()["paths"][path.removesuffix(":path}") + ("}" if path.endswith(":path}") else "")]
        answers = known[method if method in known else "get"]["responses"]
        where = (request.method, path, response.status_code)
        assert str(response.status_code) in answers, f"not in the document: {where}"
        described = answers[str(response.status_code)].get("content")
        media_type = response.headers.get("content-type", "").split(";")[0]
        assert not described or not media_type or media_type in described, f"not in the document: {where} {media_type}"

    return check


def _template(app: FastAPI, method: str, path: str) -> str | None:
    scope = {"type": "http", "method": "GET" if method == "HEAD" else method, "path": path, "root_path": "", "headers": []}
    for route in app.routes:
        if route.matches(scope)[0] is Match.FULL:
            return route.path
    return None
