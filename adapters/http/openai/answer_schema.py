"""JSON Schemas that callers bring for an answer: what may stand in them."""

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from adapters.http.common.problems import HttpProblem
from adapters.http.openai.chat_bodies import ResponseFormat
from domain.canonical import canonical_json

ANY_OBJECT = {"type": "object"}
MOST_CHARACTERS = 32_768
"""Of a schema: an answer of thousands of tokens has a shorter one."""
DEEPEST = 32
"""Levels of nesting: those that an answer may have (adapters/guard/json_rules.py), with room for the schema's own words."""
REFUSED = {
    "$id": "gives local references another meaning",
    "$dynamicRef": "is not supported",
    "pattern": "would run an expression that the caller wrote",
    "patternProperties": "would run an expression that the caller wrote",
}
NAMES = ("properties", "$defs", "definitions", "dependentSchemas")
"""Members whose own members are names that the caller chose."""
DATA = ("enum", "const", "default", "examples")
"""Members that hold values, not schemas."""


def schema_of(wanted: ResponseFormat | None) -> dict[str, Any] | None:
    """Return the schema of an answer, None for free text. Raises HttpProblem (400)."""
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        return ANY_OBJECT
    if wanted.json_schema is None:
        raise _bad("json_schema is missing")
    schema = wanted.json_schema.answer
    _check(schema)
    return schema


def _check(schema: dict[str, Any]) -> None:
    try:
        if len(canonical_json(schema)) > MOST_CHARACTERS:
            raise _bad(f"the schema has more than {MOST_CHARACTERS} characters")
        _walk(schema, 0)
        Draft202012Validator.check_schema(schema)
    except (SchemaError, ValueError, RecursionError) as error:
        raise _bad("this is no JSON Schema (draft 2020-12)") from error
    if schema.get("type") != "object":
        raise _bad("the answer has to be an object")


def _walk(node: Any, depth: int, names: bool = False) -> None:
    """Refuse what would fetch, run or blow up when an answer is held against the schema."""
    if depth > 2 * DEEPEST:
        raise _bad("the schema is nested too deeply")
    if isinstance(node, list):
        for item in node:
            _walk(item, depth + 1)
    if not isinstance(node, dict):
        return
    for name, value in node.items():
        if names:
            _walk(value, depth + 1)
            continue
        if name in REFUSED:
            raise _bad(f"{name} {REFUSED[name]}")
        if name == "$ref" and not (isinstance(value, str) and value.startswith("#")):
            raise _bad("references lead inside the schema only")
        if name not in DATA:
            _walk(value, depth + 1, names=name in NAMES)


def _bad(why: str) -> HttpProblem:
    return HttpProblem("unsupported_parameter", f"response_format: {why}.", "response_format")
