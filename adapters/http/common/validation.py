"""What does not fit a schema, told in the words of the API: no name of a library or of a Python type gets out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import from_json

from adapters.http.common.body import LANGUAGE

FieldPath: TypeAlias = tuple[str | int, ...]

HAS_TO_BE = "has to be "
KINDS: Mapping[tuple[str, ...], str] = {
    ("missing",): "is missing",
    ("extra_forbidden",): "is not known here",
    ("string_type",): "has to be text",
    ("string_unicode",): "has to be text in valid Unicode",
    ("int_type", "int_parsing", "int_parsing_size", "int_from_float"): "has to be a whole number",
    ("float_type", "float_parsing"): "has to be a number",
    ("finite_number",): "has to be a finite number",
    ("bool_type", "bool_parsing"): "has to be true or false",
    ("list_type", "tuple_type"): "has to be a list",
    ("dict_type", "model_type", "model_attributes_type"): "has to be an object",
    ("greater_than",): "has to be greater than {gt}",
    ("greater_than_equal",): "has to be at least {ge}",
    ("less_than",): "has to be less than {lt}",
    ("less_than_equal",): "has to be at most {le}",
    ("string_too_short",): "needs at least {min_length:character}",
    ("string_too_long",): "takes at most {max_length:character}",
    ("too_short",): "needs at least {min_length:item}",
    ("too_long",): "takes at most {max_length:item}",
    ("literal_error", "enum"): "has to be {expected}",
}
WORDS: Mapping[str, str] = {kind: words for kinds, words in KINDS.items() for kind in kinds}
OTHERWISE = "is not what this field takes"
"""Of kinds that no schema here can give today."""
PATTERNS: Mapping[str, str] = {
    LANGUAGE: "has to be a language: a code of ISO 639 such as `en`, a tag such as `en-US`, or its English name",
    r"^[A-Za-z0-9_-]{1,64}$": "has to be an id: letters, digits, `-` and `_`, at most 64 of them",
    r"^[a-z][a-z0-9_-]{0,39}$": "has to be the name of a template: small letters, digits, `-` and `_`",
}
"""What patterns of the API's fields mean. Others are told as they are."""
BRANCH = re.compile(r"(str|int|float|bool|none|dict|list|tuple|literal|function|constrained|nullable|lax|union|[A-Z]).*")
"""How a branch of a union is named inside a location: by its type. The fields of this API begin with a small letter."""
SUBJECTS = {"query": "The query parameter `{}`", "path": "`{}` in the path", "header": "The header `{}`"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at one place of a request: `segments.0.end`, `has to be a number`, and both as a sentence without its end."""

    field_path: str
    words: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Error:
    """An error at a place, the branch of a union that found it, and where that union stands (None outside of unions)."""

    where: str
    field_path: FieldPath
    kind: str
    words: str
    union: FieldPath | None
    branch: str | int | None


class _Count(float):
    """A number in a sentence: `1,000`, or with a noun as its format `1 item`, `2 items`."""

    def __format__(self, noun: str) -> str:
        value = float(self)
        number = f"{int(value):,}" if value.is_integer() else f"{value:,}"
        return f"{number} {noun}{'' if value == 1 else 's'}" if noun else number


def unfit(error: ValidationError, body: Any) -> RequestValidationError:
    """What a handler finds in a body that it checks itself, as FastAPI tells it. `body`: the fields, or the bytes of JSON."""
    found = error.errors(include_url=False, include_input=False)
    readable = isinstance(body, bytes) and found[0]["type"] != "json_invalid"
    return RequestValidationError(
        [{**item, "loc": ("body", *item["loc"])} for item in found], body=from_json(body) if readable else body
    )


def findings(error: RequestValidationError) -> list[Finding]:
    """All that is wrong, in order. A union is told once, and a list is not called empty because its items are wrong."""
    errors = [_error(item, error.body) for item in error.errors()]
    unions = {each.union: _best([other for other in errors if other.union == each.union]) for each in errors}
    told: list[_Error] = []
    for each in errors:
        told += [each] if each.union is None else unions.pop(each.union, [])
    above = {each.field_path[:depth] for each in told for depth in range(len(each.field_path))}
    return [_finding(each) for each in told if each.kind != "too_short" or each.field_path not in above]


def sentence(found: Sequence[Finding]) -> str:
    """The first finding as a sentence, and how many more there are."""
    more = len(found) - 1
    return found[0].sentence + (f" (and {more} more in `errors`)" if more else "") + "."


def _best(errors: Sequence[_Error]) -> list[_Error]:
    """Of a union: the errors of the branch that what was sent fits best, or all that it may be where it fits none."""
    branches: dict[str | int | None, list[_Error]] = {}
    for error in errors:
        branches.setdefault(error.branch, []).append(error)
    if fitting := [found for found in branches.values() if not all(_is_of_another_type(error) for error in found)]:
        return min(fitting, key=len)
    choices = dict.fromkeys(error.words.removeprefix(HAS_TO_BE) for error in errors)
    return [replace(errors[0], words=HAS_TO_BE + " or ".join(choices))]


def _is_of_another_type(error: _Error) -> bool:
    """Whether the branch was not entered at all."""
    return error.field_path == error.union and error.words.startswith(HAS_TO_BE)


def _error(item: Mapping[str, Any], body: Any) -> _Error:
    where, *location = item["loc"]
    field_path: list[str | int] = []
    union: FieldPath | None = None
    branch: str | int | None = None
    for part in location:
        if isinstance(part, str) and BRANCH.fullmatch(part) and not (isinstance(body, Mapping) and part in body):
            union, branch = (tuple(field_path), part) if union is None else (union, branch)
        elif part != "[key]":
            field_path.append(part)
            body = _inside(body, part)
    return _Error(str(where), tuple(field_path), item["type"], _words(item), union, branch)


def _inside(body: Any, part: str | int) -> Any:
    try:
        return body[part]
    except (KeyError, IndexError, TypeError):
        return None


def _words(item: Mapping[str, Any]) -> str:
    """What is wrong. Of values that were sent nothing is repeated: they may be somebody's words."""
    context = item.get("ctx") or {}
    if item["type"] == "value_error":
        return str(context["error"])
    if item["type"] == "string_pattern_mismatch":
        return PATTERNS.get(context["pattern"], f"has to match `{context['pattern']}`")
    shown = {name: _Count(value) if isinstance(value, (int, float)) else value for name, value in context.items()}
    return WORDS.get(item["type"], OTHERWISE).format(**shown)


def _finding(error: _Error) -> Finding:
    named = ".".join(str(part) for part in error.field_path)
    field_path = named if error.where == "body" and named else ".".join(part for part in (error.where, named) if part)
    if error.kind == "value_error" and not error.words.startswith("is "):  # a sentence of our own, which needs no subject
        words = error.words[:1].upper() + error.words[1:]
        return Finding(field_path, error.words, f"`{named}`: {error.words}" if named else words)
    subject = SUBJECTS.get(error.where, "`{}`").format(named) if named else f"The {error.where}"
    return Finding(field_path, error.words, f"{subject} {error.words}")
