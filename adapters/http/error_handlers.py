"""Every exception that reaches the app becomes an answer in the two spellings of `problems`."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adapters.http.problems import KINDS, STATUS_KINDS, HttpProblem, of_domain, render
from domain.errors import WordloopError

MOST_ERRORS = 20
"""Validation errors listed in one answer."""


def install(app: FastAPI) -> None:
    """Register the handlers on the app."""
    app.add_exception_handler(WordloopError, _domain)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)


async def _domain(request: Request, error: Exception) -> Response:
    assert isinstance(error, WordloopError)
    return render(request, of_domain(error))


async def _validation(request: Request, error: Exception) -> Response:
    """Name what is wrong and where, never what was sent: the input may be somebody's words."""
    assert isinstance(error, RequestValidationError)
    found: Sequence[Mapping[str, Any]] = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return render(request, HttpProblem("malformed_request", "The body is not JSON."))
    details = [{"location": _place(item["loc"]), "message": str(item["msg"])} for item in found[:MOST_ERRORS]]
    return render(request, HttpProblem("validation_failed", "See `errors`."), details)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, HttpProblem):
        return render(request, error)
    if error.status_code in STATUS_KINDS:
        code = STATUS_KINDS[error.status_code]
        return render(request, HttpProblem(code, KINDS[code].title + ".", extra_headers=error.headers or {}))
    code = "malformed_request" if error.status_code < 500 else "internal_error"
    return render(request, HttpProblem(code, KINDS[code].title + "."))


def _place(location: Sequence[str | int]) -> str:
    """`body.segments.3.end`, without the head that FastAPI puts before body fields."""
    parts = [str(part) for part in location]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts)


def internal_error(request: Request) -> JSONResponse:
    """The answer to what nobody expected; the words of the exception stay in the log."""
    return render(request, HttpProblem("internal_error", "The failure was logged under this request id."))
