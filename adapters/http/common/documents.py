"""What the OpenAPI document says beyond what FastAPI reads from the handlers."""

from typing import Any

from pydantic import BaseModel

from adapters.http.common.job_views import JobView
from adapters.http.common.problem_views import OpenAIErrorView
from adapters.http.common.problems import KINDS, PROBLEM_JSON

Responses = dict[int | str, dict[str, Any]]

PROBLEM_REFERENCE = {"schema": {"$ref": "#/components/schemas/ProblemView"}}
ENVELOPE = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIErrorView"}}}
LOCATION = {"Location": {"description": "Where it is", "schema": {"type": "string"}}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds", "schema": {"type": "integer"}}}
COMPATIBLE_HEADERS = LOCATION | {
    "Wordloop-Conversation-Id": {
        "description": "What to delete it by; missing where nothing is kept",
        "schema": {"type": "string"},
    },
}
_WITH_RETRY = (409, 429, 503)


def problems(*statuses: int) -> Responses:
    """Refusals of a route as problem+json."""
    return {status: _refusal(status, {PROBLEM_JSON: PROBLEM_REFERENCE}) for status in (*statuses, 500)}


def envelopes(*statuses: int) -> Responses:
    """Refusals of an OpenAI-compatible route."""
    return {status: {"model": OpenAIErrorView, "description": title_of(status)} for status in (*statuses, 500)}


def job_responses() -> Responses:
    """A job, ended or not."""
    return {
        200: {"model": JobView, "description": "The job has ended", "headers": LOCATION},
        202: {"model": JobView, "description": "The job is accepted and kept", "headers": LOCATION | RETRY_AFTER},
    }


def text_formats(model: type[BaseModel], description: str, *media_types: str) -> Responses:
    """A result as JSON or as one of the text formats."""
    content: dict[str, Any] = {media_type: {"schema": {"type": "string"}} for media_type in media_types}
    return {200: {"model": model, "description": description, "content": content}}


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the named parts of a schema where they are used: the document has another place for names."""
    parts = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        named = parts.get(str(node.get("$ref", "")).removeprefix("#/$defs/"), {})
        return {name: resolved(value) for name, value in {**named, **node}.items() if name != "$ref"}

    whole: dict[str, Any] = resolved(schema)
    return whole


def _refusal(status: int, content: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {"description": title_of(status), "content": content}
    return said | ({"headers": RETRY_AFTER} if status in _WITH_RETRY else {})


def title_of(status: int) -> str:
    """The titles of all refusals with this status."""
    return "; ".join(dict.fromkeys(kind.title for kind in KINDS.values() if kind.status == status))
