"""One spelling for every value, so that equal inputs hash alike however they were written."""

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
else:
    # A recursive alias sends readers of run-time annotations (pydantic's TypeAdapter) into endless recursion.
    Json: TypeAlias = Any


def canonical_json(value: Json) -> str:
    """Return `value` as JSON with sorted keys, no spaces, NFC text, and whole floats written as integers.

    Raises ValueError for NaN and infinity, which have no JSON spelling and equal nothing.
    """
    return json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _canonical(value: Json) -> Json:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical spelling")
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {unicodedata.normalize("NFC", key): _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value]


def sha256_of(value: Json | bytes) -> str:
    """Return the hex SHA-256 of bytes as they are, or of the canonical JSON of anything else."""
    data = value if isinstance(value, bytes) else canonical_json(value).encode()
    return hashlib.sha256(data).hexdigest()
