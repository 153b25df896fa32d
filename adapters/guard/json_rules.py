"""What the output of a language model has to be: one finished JSON object that follows its schema."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from adapters.guard.checks import clean_text, payload_of
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from ports.model_backend import RawOutput

CHARACTERS_PER_TOKEN = 32
"""Longest plausible mean; bounds the text by the tokens that were allowed."""
HALF_A_LETTER = "\ufffd"
DEEPEST = 32
"""Levels of nesting that a caller has to expect."""


@dataclass(frozen=True, slots=True)
class JsonRules:
    """Rules for an answer of at most `max_tokens` that follows `schema` (None: free text, as `{"text": ...}`).

    `verbatim`: the value is `{"text", "finish_reason"}`, and `length` is a reason to end like any other.
    """

    schema: Mapping[str, Json] | None
    max_tokens: int
    stop: tuple[str, ...] = ()
    verbatim: bool = False
    _validator: Draft202012Validator = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.schema is not None:
            Draft202012Validator.check_schema(self.schema)
        # Without a registry of its own, jsonschema fetches references that lead outside.
        schema = self.schema if self.schema is not None else _FREE_TEXT
        object.__setattr__(self, "_validator", Draft202012Validator(schema, registry=Registry()))

    def check(self, raw: RawOutput) -> Mapping[str, Json]:
        payload = payload_of(raw)
        reason = payload.get("finish_reason")
        if not isinstance(reason, str) or reason not in ("stop", "length"):
            raise InvalidModelOutput("the answer did not finish of itself")
        if reason == "length" and not self.verbatim:
            raise InvalidModelOutput("the answer was cut off at its token limit")
        text = clean_text(payload.get("text"), self.max_tokens * CHARACTERS_PER_TOKEN, "text")
        if any(sequence in text for sequence in self.stop):
            raise InvalidModelOutput("the answer goes on after a stop sequence")
        if self.verbatim:
            return self._as_written({"text": text, "finish_reason": reason})
        return self._follow({"text": text} if self.schema is None else parsed(text))

    def encode(self, value: Mapping[str, Json]) -> Json:
        return value

    def decode(self, stored: Json) -> Mapping[str, Json]:
        return self._as_written(stored) if self.verbatim else self._follow(stored)

    def _as_written(self, value: object) -> Mapping[str, Json]:
        """Return `{"text", "finish_reason"}`. What came to its own end follows the schema; what was cut off can not."""
        if not isinstance(value, Mapping) or value.keys() != {"text", "finish_reason"}:
            raise InvalidModelOutput("the answer is not words with the reason of their end")
        text = clean_text(value["text"], self.max_tokens * CHARACTERS_PER_TOKEN, "text")
        if value["finish_reason"] == "length":
            # The last token may be a part of a letter, which engines decode to this mark.
            return {"text": text.rstrip(HALF_A_LETTER), "finish_reason": "length"}
        if self.schema is not None:
            self._follow(parsed(text))
        elif not text and not self.stop:
            raise InvalidModelOutput("the answer is empty")
        return {"text": text, "finish_reason": "stop"}

    def _follow(self, value: object) -> Mapping[str, Json]:
        if not isinstance(value, Mapping):
            raise InvalidModelOutput("the answer is not a JSON object")
        check_strings(value, self.max_tokens * CHARACTERS_PER_TOKEN)
        try:
            broken = next(self._validator.iter_errors(value), None)
        except (ArithmeticError, RecursionError, ValueError, Unresolvable):
            raise InvalidModelOutput("the answer can not be held against its schema") from None
        if broken is not None:
            # The path through the schema, which is ours; the path through the answer may quote it.
            raise InvalidModelOutput(f"the answer breaks its schema at /{'/'.join(map(str, broken.absolute_schema_path))}")
        return cast(Mapping[str, Json], value)


_FREE_TEXT: dict[str, Json] = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}


def parsed(text: str) -> object:
    """Return the one JSON value that `text` is: no NaN, no infinity, no name twice."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InvalidModelOutput("the answer is not JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name comes twice")
    return value


def check_strings(value: object, longest: int, depth: int = 0) -> None:
    """Refuse control characters in any name or string, numbers that are not finite, and nesting beyond `DEEPEST`."""
    if depth > DEEPEST:
        raise InvalidModelOutput(f"the answer is nested deeper than {DEEPEST} levels")
    if isinstance(value, str):
        clean_text(value, longest, "a string of the answer")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            clean_text(name, longest, "a name in the answer")
            check_strings(item, longest, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_strings(item, longest, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidModelOutput("a number of the answer is not finite")
