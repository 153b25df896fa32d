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
REFUSAL_FORMAT = "refusal-1"
"""Marks a row that holds no answer but the rule that the answer broke; code that does not know it makes the call again."""

_PROVENANCE = TypeAdapter(Provenance)


def pack(answer: Answer[Any], call: GuardedCall[Any], stored_at: float) -> Json:
    """Return the answer as plain data. `stored_at` in Unix seconds."""
    return {
        "format": FORMAT,
        "stored_at": stored_at,
        "value": call.rules.encode(answer.value),
        "provenance": _PROVENANCE.dump_python(answer.provenance, mode="json"),
    }


def pack_refusal(error: InvalidModelOutput, call: GuardedCall[Any], stored_at: float) -> Json:
    """Return a refusal as plain data: which rule was broken, never by what. `stored_at` in Unix seconds."""
    return {"format": REFUSAL_FORMAT, "stored_at": stored_at, "key": call.spec.key, "detail": error.detail}


def refusal_in(stored: Json, call: GuardedCall[Any], oldest: float) -> InvalidModelOutput | None:
    """Return the stored refusal of this call; None where none is stored, or only one from before `oldest`."""
    if not isinstance(stored, Mapping) or stored.get("format") != REFUSAL_FORMAT or stored.get("key") != call.spec.key:
        return None
    stored_at, detail = stored.get("stored_at"), stored.get("detail")
    if not isinstance(stored_at, int | float) or not stored_at > oldest or not isinstance(detail, str):
        return None
    return InvalidModelOutput(detail)


def is_refusal(stored: Json) -> bool:
    """Whether a row holds a refusal, of whatever age."""
    return isinstance(stored, Mapping) and stored.get("format") == REFUSAL_FORMAT


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
