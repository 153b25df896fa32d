"""Every exception that reaches the app becomes an answer in the two spellings of `problems`."""

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adapters.http.common.problems import KINDS, STATUS_KINDS, HttpProblem, of_domain, render
from adapters.http.common.validation import findings, sentence
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
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return render(request, HttpProblem("malformed_request", "The body is not JSON."))
    found = findings(error)
    details = [{"location": each.field_path, "message": each.words} for each in found[:MOST_ERRORS]]
    return render(request, HttpProblem("validation_failed", sentence(found)), details)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, HttpProblem):
        return render(request, error)
    headers = error.headers or {}
    code = STATUS_KINDS.get(error.status_code, "malformed_request" if error.status_code < 500 else "internal_error")
    words = {
        "not_found": "There is no such route; /docs lists those that there are.",
        "method_not_allowed": f"This route takes {headers.get('Allow', 'other methods')}.",
    }
    return render(request, HttpProblem(code, words.get(code, KINDS[code].title + "."), extra_headers=headers))


def internal_error(request: Request) -> JSONResponse:
    """The answer to what nobody expected; the words of the exception stay in the log."""
    return render(request, HttpProblem("internal_error", "The failure was logged under this request id."))
