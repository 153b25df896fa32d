"""Error kinds to HTTP: the one table, and the two spellings (RFC 9457 problem+json and OpenAI's envelope)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from domain import errors
from domain.job import Problem

OPENAI_PATHS = ("/v1/audio/", "/v1/embeddings", "/v1/models", "/v1/chat/")
"""Where clients of OpenAI's SDKs read errors."""
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """How an error kind looks outside. `retry` False tells SDKs that retry by status not to."""

    status: int
    title: str
    retry: bool | None = None


KINDS: Mapping[str, Kind] = {
    "invalid_request": Kind(422, "The request has no meaning"),
    "validation_failed": Kind(422, "The request does not fit its schema"),
    "malformed_request": Kind(400, "The request can not be read"),
    "unauthorized": Kind(401, "A key is needed", retry=False),
    "forbidden": Kind(403, "The key does not allow this", retry=False),
    "page_refused": Kind(403, "Web pages of other sites may not ask", retry=False),
    "host_refused": Kind(421, "The service does not answer under this name", retry=False),
    "not_found": Kind(404, "No such thing"),
    "model_not_found": Kind(404, "No such model"),
    "method_not_allowed": Kind(405, "Method not allowed"),
    "not_acceptable": Kind(406, "No such format"),
    "upload_stalled": Kind(408, "The upload stalled"),
    "gone": Kind(410, "Deleted or expired"),
    "invalid_audio": Kind(422, "Not decodable audio"),
    "unsupported_audio": Kind(415, "This kind of file is never accepted"),
    "unsupported_media_type": Kind(415, "Unsupported media type"),
    "unsupported_parameter": Kind(400, "This parameter or value is not supported"),
    "too_large": Kind(413, "Too large"),
    "address_refused": Kind(422, "This address is not called"),
    "source_refused": Kind(422, "The recording's server refused"),
    "source_unavailable": Kind(502, "The recording's server can not be reached"),
    "offset_conflict": Kind(409, "The piece does not begin where the upload ends"),
    "upload_incomplete": Kind(409, "The upload is not complete", retry=False),
    "upload_busy": Kind(423, "Another request adds to this upload"),
    "checksum_mismatch": Kind(460, "The piece is not what its checksum says"),
    "tus_version": Kind(412, "This version of the tus protocol is not spoken"),
    "idempotency_mismatch": Kind(422, "The idempotency key was used for another request"),
    "budget_exceeded": Kind(402, "The budget does not cover this", retry=False),
    "queue_full": Kind(503, "The job queue is full"),
    "still_running": Kind(409, "Running work has to stop first"),
    "rate_limited": Kind(429, "Rate limited"),
    "too_many_requests_at_once": Kind(503, "All places are taken"),
    "model_unavailable": Kind(503, "A model is not available"),
    "model_overloaded": Kind(503, "A model is overloaded"),
    "circuit_open": Kind(503, "A model is not available"),
    "model_timeout": Kind(504, "A model did not answer in time"),
    "model_rejected": Kind(422, "The model can not take this input"),
    "invalid_model_output": Kind(502, "A model gave no usable answer"),
    "model_error": Kind(502, "A model gave no usable answer"),
    "deadline_exceeded": Kind(504, "Not done in time"),
    "not_done_yet": Kind(504, "The job is not done yet", retry=False),
    "job_cancelled": Kind(409, "The job was cancelled", retry=False),
    "storage_failed": Kind(503, "The store does not answer"),
    "storage_full": Kind(507, "No room left to store it"),
    "quota_exceeded": Kind(507, "Your recordings take all the room you have", retry=False),
    "not_ready": Kind(503, "Not ready"),
    "no_answer": Kind(502, "The service broke off its answer"),
    "late_answer": Kind(504, "The service did not answer in time"),
    "method_unknown": Kind(501, "This method is not known", retry=False),
    "not_implemented": Kind(501, "Not available yet", retry=False),
    "internal_error": Kind(500, "Something failed on our side"),
}
STATUS_KINDS = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


@dataclass(eq=False)
class HttpProblem(HTTPException):
    """A refusal that only the gateway knows. `members` are further members of the problem."""

    code: str
    text: str
    param: str | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    extra_headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(KINDS[self.code].status, self.text, dict(self.extra_headers))


def code_of(error: errors.WordloopError) -> str:
    """The error kind in snake case, or that of the nearest ancestor in the table."""
    for kind in type(error).__mro__:
        code = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).lstrip("_")
        if code in KINDS:
            return code
    return "internal_error"


def of_domain(error: errors.WordloopError) -> HttpProblem:
    """A domain error as a refusal. Kinds without a row are our own fault and keep their words to themselves."""
    code = code_of(error)
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.BudgetExceeded):
        members = {"what": error.what, "left": error.left}
    if isinstance(error, errors.WithRetryAfter) and error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    elif isinstance(error, errors.StorageFailed):
        headers["Retry-After"] = "1"
    detail = error.detail if code != "internal_error" else "The failure was logged under this request id."
    return HttpProblem(code, detail, members=members, extra_headers=headers)


def of_job(problem: Problem, headers: Mapping[str, str]) -> HttpProblem:
    """Why a job failed, as a refusal."""
    code = problem.code if problem.code in KINDS else "internal_error"
    return HttpProblem(code, problem.detail, extra_headers=headers)


def problem_members(problem: Problem) -> dict[str, Any]:
    """Why a job failed, as the `error` member of a job."""
    kind = KINDS.get(problem.code, KINDS["internal_error"])
    return {
        "type": f"/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "code": problem.code,
    }


def render(request: Request, problem: HttpProblem, details: Sequence[Mapping[str, Any]] = ()) -> JSONResponse:
    """Spell a refusal as the route's clients expect it."""
    kind = KINDS[problem.code]
    headers = dict(problem.extra_headers)
    if kind.retry is not None:
        headers["x-should-retry"] = "true" if kind.retry else "false"
    request_id = request.scope.get("state", {}).get("request_id")
    if request.url.path.startswith(OPENAI_PATHS):
        return JSONResponse(envelope_of(problem, details), _openai_status(problem), headers)
    body: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.text,
        "instance": request.url.path,
        "code": problem.code,
        "request_id": request_id,
        **problem.members,
    }
    if problem.param:
        details = [*details, {"location": problem.param, "message": problem.text}]
    if details:
        body["errors"] = list(details)
    return JSONResponse(body, kind.status, headers, PROBLEM_JSON)


def envelope_of(problem: HttpProblem, details: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """A refusal as OpenAI's error object."""
    first = details[0] if details else {}
    param = problem.param or (str(first["location"]) if first else None)
    kind = _openai_type(_openai_status(problem))
    return {"error": {"message": problem.text, "type": kind, "param": param, "code": problem.code, **problem.members}}


def _openai_status(problem: HttpProblem) -> int:
    """OpenAI's clients know 400 for every request that does not fit, so 422 from validation becomes 400."""
    return 400 if problem.code in ("validation_failed", "invalid_request") else KINDS[problem.code].status


def _openai_type(status: int) -> str:
    named = {402: "insufficient_quota", 429: "rate_limit_error"}
    return named.get(status, "invalid_request_error" if status < 500 else "server_error")
