"""The smallest value that follows a JSON schema, as far as such a value is easy to find."""

from collections.abc import Mapping
from typing import Any

WORD = "scripted"
FIRST: dict[str, int | float | bool] = {"integer": 0, "number": 0.0, "boolean": False}


def example_of(schema: Mapping[str, Any]) -> Any:
    """Return a value of `schema`: the first choice, the lowest number, the fewest items, every named property.

    Patterns, formats and references are not followed: the guard refuses an answer that breaks them, as it does a model's.
    """
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return example_of(schema[choice][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example_of(each) for name, each in (schema.get("properties") or {}).items()}
    if kind == "array":
        return [example_of(schema.get("items") or {})] * int(schema.get("minItems", 0))
    if kind == "string":
        return WORD.ljust(int(schema.get("minLength", 0)), ".")[: schema.get("maxLength")]
    return schema.get("minimum", FIRST.get(kind))
