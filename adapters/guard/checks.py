"""Rules that the outputs of all kinds share. Details name the rule and the place, never the content."""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from domain.call import Usage
from domain.errors import InvalidModelOutput
from ports.model_backend import RawOutput

LAYOUT = frozenset("\n\t\r")
"""Control characters that lay text out; the only ones that text may hold."""
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make text read otherwise than it is stored (CVE-2021-42574)."""
MOST_USAGE = 1e9
"""Seconds or tokens of one call beyond which a report can only be an error."""


def payload_of(raw: RawOutput) -> Mapping[str, Any]:
    """Return the payload, when it is an object at all."""
    if not isinstance(raw.payload, Mapping):
        raise InvalidModelOutput("the output is not an object")
    return raw.payload


def number(value: object, rule: str) -> float:
    """Return a finite float; booleans and numeric strings are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidModelOutput(f"{rule} is not a number")
    try:
        converted = float(value)
    except OverflowError:
        raise InvalidModelOutput(f"{rule} is not finite") from None
    if not math.isfinite(converted):
        raise InvalidModelOutput(f"{rule} is not finite")
    return converted


def number_between(value: object, low: float, high: float, rule: str) -> float:
    """Return a finite float inside [low, high]."""
    converted = number(value, rule)
    if not low <= converted <= high:
        raise InvalidModelOutput(f"{rule} is not between {low:g} and {high:g}")
    return converted


def items(value: object, rule: str) -> list[Any]:
    """Return the members of a list."""
    if not isinstance(value, list | tuple):
        raise InvalidModelOutput(f"{rule} is not a list")
    return list(value)


def clean_text(value: object, longest: int, rule: str) -> str:
    """Return text without control, bidirectional or surrogate characters, at most `longest` characters."""
    if not isinstance(value, str):
        raise InvalidModelOutput(f"{rule} is not text")
    if len(value) > longest:
        raise InvalidModelOutput(f"{rule} is longer than {longest} characters")
    if any(_is_unclean(character) for character in value):
        raise InvalidModelOutput(f"{rule} holds control characters")
    return value


def _is_unclean(character: str) -> bool:
    if character in LAYOUT:
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or character in BIDI_CONTROLS


def checked_usage(raw: RawOutput) -> Usage:
    """Return what the backend says it used, when that can be counted."""
    if not isinstance(raw.usage, Usage):
        raise InvalidModelOutput("the usage is not a usage")
    for amount in astuple(raw.usage):
        number_between(amount, 0, MOST_USAGE, "usage")
    return raw.usage
