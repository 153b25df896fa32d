"""The OpenAPI document with the errors that are really sent."""

from typing import Any

from fastapi import FastAPI

from adapters.http.views import ProblemView

FRAMEWORK_ERRORS = ("HTTPValidationError", "ValidationError")
"""Schemas that FastAPI puts into every document and that this service never sends."""


class DescribedApp(FastAPI):
    """FastAPI whose document names problem+json where FastAPI would name its own validation error."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["ProblemView"] = ProblemView.model_json_schema()
            for operation in (operation for path in document["paths"].values() for operation in path.values()):
                answers = operation["responses"]
                for status in [status for status, answer in answers.items() if _is_frameworks(answer)]:
                    del answers[status]
            for name in FRAMEWORK_ERRORS:
                schemas.pop(name, None)
            self.openapi_schema = document
        return self.openapi_schema


def _is_frameworks(answer: dict[str, Any]) -> bool:
    reference = answer.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    return str(reference).endswith(FRAMEWORK_ERRORS)
