"""The OpenAPI document with the errors that are really sent, and in the order that generated clients read it."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel

from adapters.http.common.documents import ENVELOPE, PROBLEM_REFERENCE, RETRY_AFTER, title_of
from adapters.http.common.problem_views import ProblemView
from adapters.http.common.problems import OPENAI_PATHS, PROBLEM_JSON
from adapters.http.documentation.examples import BODIES
from adapters.http.estimates.bodies import EstimateBody
from adapters.http.jobs.event_views import JobEventView
from adapters.http.middleware.envelope import PROBES
from adapters.http.middleware.keys import is_open
from adapters.http.uploads.bodies import AudioUrlBody

FRAMEWORK_ERRORS = ("HTTPValidationError", "ValidationError")
"""Schemas that FastAPI puts into every document and that this service never sends."""
SCHEMAS = "#/components/schemas/"
LEAVING: tuple[type[BaseModel], ...] = (ProblemView, JobEventView)
"""What leaves without being the declared answer of a route."""
COMING: tuple[type[BaseModel], ...] = (AudioUrlBody, EstimateBody)
"""Bodies that handlers read themselves. They have names in the document, so that generated clients have classes for them."""
SCHEME = "key"
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "`wordloop keys create TENANT` makes one. Needed wherever the service listens beyond its own machine.",
}
WRITING = ("post", "patch", "delete")
JSON = "application/json"
PROBLEM = {PROBLEM_JSON: PROBLEM_REFERENCE}


class DescribedApp(FastAPI):
    """FastAPI whose document names problem+json where FastAPI would name its own validation error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            _name_schemas(document.setdefault("components", {}).setdefault("schemas", {}))
            document["components"]["securitySchemes"] = {SCHEME: KEY}
            for path, method, operation in _operations(document):
                _tell_of_validation(path, operation["responses"])
                if not is_open(path):
                    _ask_for_a_key(operation)
                _tell_of_other_sites(operation["responses"])
                if path not in PROBES:
                    _tell_of_slots(operation["responses"])
                if "requestBody" not in operation:
                    _take_no_body(operation["responses"])
                if method in WRITING:
                    _tell_of_room(operation["responses"])
                _put_json_first(operation["responses"])
                _show_a_body(operation)
            self.openapi_schema = document
        return self.openapi_schema


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, known in document["paths"].items():
        for method, operation in known.items():
            yield path, method, operation


def _name_schemas(schemas: dict[str, Any]) -> None:
    for model in (*LEAVING, *COMING):
        mode: Literal["serialization", "validation"] = "serialization" if model in LEAVING else "validation"
        described = model.model_json_schema(ref_template=SCHEMAS + "{model}", mode=mode)
        for name, schema in described.pop("$defs", {}).items():
            schemas.setdefault(name, schema)
        schemas[model.__name__] = described
    for name in FRAMEWORK_ERRORS:
        schemas.pop(name, None)
    for name, schema in list(schemas.items()):
        _name_branches(name, schema, schemas)


def _name_branches(name: str, schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Name the object among the forms of a value: generators of clients stumble over one without a name."""
    for index, branch in enumerate(schema.get("anyOf", ())):
        if branch.get("type") == "object":
            schemas[f"{name}Object"] = branch
            schema["anyOf"][index] = {"$ref": f"{SCHEMAS}{name}Object"}


def _tell_of_validation(path: str, answers: dict[str, Any]) -> None:
    """Where FastAPI names its own error for what does not fit, name ours: OpenAI's clients hear it with 400."""
    for status in [status for status, answer in answers.items() if _is_frameworks(answer)]:
        del answers[status]
        ours, content = (HTTPStatus.BAD_REQUEST.value, ENVELOPE) if path.startswith(OPENAI_PATHS) else (int(status), PROBLEM)
        answers.setdefault(str(ours), {"description": title_of(ours), "content": content})


def _ask_for_a_key(operation: dict[str, Any]) -> None:
    """Say that a key may be asked for, and how its refusals look."""
    operation["security"] = [{}, {SCHEME: []}]
    answers, content = operation["responses"], _refusals(operation["responses"])
    for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        answers.setdefault(str(status.value), {"description": f"{status.phrase}, where keys are asked for", "content": content})


def _tell_of_other_sites(answers: dict[str, Any]) -> None:
    """Where no key is asked for, other names of the service and pages of other sites are refused on every route."""
    content = _refusals(answers)
    for status in (HTTPStatus.FORBIDDEN, HTTPStatus.MISDIRECTED_REQUEST):
        answers.setdefault(
            str(status.value), {"description": f"{status.phrase}, where no keys are asked for", "content": content}
        )


def _tell_of_slots(answers: dict[str, Any]) -> None:
    """Every request but a probe's may find all slots taken."""
    busy = {"description": "All places are taken; try again", "content": _refusals(answers), "headers": RETRY_AFTER}
    answers.setdefault(str(HTTPStatus.SERVICE_UNAVAILABLE.value), busy)
    answers.setdefault(str(HTTPStatus.TOO_MANY_REQUESTS.value), busy | {"description": "Too many of your requests at once"})


def _take_no_body(answers: dict[str, Any]) -> None:
    """Say how a body is refused; in chunks it is waited for, since it may be none."""
    content = _refusals(answers)
    answers.setdefault(str(HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value), {"description": "No body is taken", "content": content})
    answers.setdefault(str(HTTPStatus.REQUEST_TIMEOUT.value), {"description": "The body did not come", "content": content})


def _refusals(answers: Mapping[str, Any]) -> Any:
    """The form of the route's other refusals."""
    refusal = next((answers[status] for status in answers if int(status) >= HTTPStatus.BAD_REQUEST), None)
    return refusal["content"] if refusal else PROBLEM


def _tell_of_room(answers: dict[str, Any]) -> None:
    """Where a store may fail to answer, it may also have no room."""
    failed = answers.get(str(HTTPStatus.SERVICE_UNAVAILABLE.value))
    if failed is not None:
        full = str(HTTPStatus.INSUFFICIENT_STORAGE.value)
        answers[full] = {"description": title_of(HTTPStatus.INSUFFICIENT_STORAGE.value), "content": failed["content"]}


def _put_json_first(answers: dict[str, Any]) -> None:
    """Generators of clients take the first form of an answer that they know: the one that has members."""
    for answer in answers.values():
        if JSON in (content := answer.get("content", {})):
            answer["content"] = {JSON: content[JSON], **content}


def _show_a_body(operation: dict[str, Any]) -> None:
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content and operation["operationId"] in BODIES:
        content[JSON]["example"] = BODIES[operation["operationId"]]


def _is_frameworks(answer: dict[str, Any]) -> bool:
    reference = answer.get("content", {}).get(JSON, {}).get("schema", {}).get("$ref", "")
    return str(reference).endswith(FRAMEWORK_ERRORS)
