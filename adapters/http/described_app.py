"""The OpenAPI document with the errors that are really sent."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from adapters.http.documents import PROBLEM_REFERENCE, title_of
from adapters.http.keys import OPEN
from adapters.http.problems import PROBLEM_JSON
from adapters.http.views import ProblemView

FRAMEWORK_ERRORS = ("HTTPValidationError", "ValidationError")
"""Schemas that FastAPI puts into every document and that this service never sends."""

SCHEME = "key"
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "`wordloop keys create TENANT` makes one. Needed wherever the service listens beyond its own machine.",
}
WRITING = ("post", "patch", "delete")


class DescribedApp(FastAPI):
    """FastAPI whose document names problem+json where FastAPI would name its own validation error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["ProblemView"] = ProblemView.model_json_schema()
            document["components"]["securitySchemes"] = {SCHEME: KEY}
            operations = [(path, *each) for path, known in document["paths"].items() for each in known.items()]
            for path, method, operation in operations:
                answers = operation["responses"]
                if path not in OPEN:
                    _ask_for_a_key(operation)
                if method in WRITING:
                    _tell_of_room(answers)
                for status in [status for status, answer in answers.items() if _is_frameworks(answer)]:
                    del answers[status]
            for name in FRAMEWORK_ERRORS:
                schemas.pop(name, None)
            self.openapi_schema = document
        return self.openapi_schema


def _ask_for_a_key(operation: dict[str, Any]) -> None:
    """Say that a key may be asked for, and how its refusals look: in the form of the route's other refusals."""
    operation["security"] = [{}, {SCHEME: []}]
    answers = operation["responses"]
    refusal = next((answers[status] for status in answers if int(status) >= HTTPStatus.BAD_REQUEST), None)
    for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        content = refusal["content"] if refusal else {PROBLEM_JSON: PROBLEM_REFERENCE}
        answers.setdefault(str(status.value), {"description": f"{status.phrase}, where keys are asked for", "content": content})


def _tell_of_room(answers: dict[str, Any]) -> None:
    """Where a store may fail to answer, it may also have no room."""
    failed = answers.get(str(HTTPStatus.SERVICE_UNAVAILABLE.value))
    if failed is not None:
        full = str(HTTPStatus.INSUFFICIENT_STORAGE.value)
        answers[full] = {"description": title_of(HTTPStatus.INSUFFICIENT_STORAGE.value), "content": failed["content"]}


def _is_frameworks(answer: dict[str, Any]) -> bool:
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return str(reference).endswith(FRAMEWORK_ERRORS)
