"""Answers as plain data that a row can hold, and back under the same rules."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adapters.guard.call import GuardedCall
from domain.call import Answer, Provenance
from domain.canonical import Json
from domain.errors import InvalidModelOutput

FORMAT = 1
"""Version of the stored form; a row of another version counts as a miss."""

_PROVENANCE = TypeAdapter(Provenance)


def pack(answer: Answer[Any], call: GuardedCall[Any], stored_at: float) -> Json:
    """Return the answer as plain data. `stored_at` in Unix seconds."""
    return {
        "format": FORMAT,
        "stored_at": stored_at,
        "value": call.rules.encode(answer.value),
        "provenance": _PROVENANCE.dump_python(answer.provenance, mode="json"),
    }


def unpack(stored: Json, call: GuardedCall[Any], oldest: float) -> Answer[Any]:
    """Return the stored answer. Raises InvalidModelOutput when it is damaged, of another call, or older than `oldest`."""
    if not isinstance(stored, Mapping) or stored.get("format") != FORMAT:
        raise InvalidModelOutput("the stored answer is of another format")
    stored_at = stored.get("stored_at")
    if not isinstance(stored_at, int | float) or not stored_at >= oldest:
        raise InvalidModelOutput("the stored answer is too old")
    try:
        provenance = _PROVENANCE.validate_python(stored.get("provenance"))
    except ValidationError:
        raise InvalidModelOutput("the stored provenance is damaged") from None
    if provenance.key != call.spec.key:
        raise InvalidModelOutput("the stored answer belongs to another call")
    return Answer(call.rules.decode(stored.get("value")), provenance)
