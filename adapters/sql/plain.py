"""Values as columns hold them: JSON text, packed JSON, vectors."""

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from domain.canonical import Json

COMPRESS_FROM_BYTES = 1024
"""Below this a header and a dictionary cost more than they save."""
COMPRESSION_LEVEL = 3
"""zlib level: most of the gain on JSON at a third of the time of the default."""
_PLAIN, _ZLIB = b"j", b"z"


def to_text(value: Json) -> str:
    """Return JSON with sorted keys, so that equal values are equal texts. Raises ValueError for NaN and infinity."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def from_text(value: str | bytes) -> Any:
    """Return the value of JSON text. Raises ValueError."""
    return json.loads(value)


def pack(value: str | bytes) -> bytes:
    """Return JSON text as bytes, compressed when it is large; the first byte says which."""
    raw = value.encode() if isinstance(value, str) else value
    return _PLAIN + raw if len(raw) < COMPRESS_FROM_BYTES else _ZLIB + zlib.compress(raw, COMPRESSION_LEVEL)


def unpack(value: bytes) -> bytes:
    """Return the JSON text that `pack` was given. Raises ValueError for anything else."""
    if value[:1] == _PLAIN:
        return value[1:]
    if value[:1] != _ZLIB:
        raise ValueError("not packed JSON")
    try:
        return zlib.decompress(value[1:])
    except zlib.error as error:
        raise ValueError(str(error)) from error


def floats_to_bytes(vectors: Sequence[Sequence[float]] | Sequence[float] | NDArray[np.float32]) -> bytes:
    """Return float32, little-endian, row after row."""
    return np.asarray(vectors, dtype="<f4").tobytes()


def floats_from_bytes(data: bytes, dimensions: int) -> NDArray[np.float32]:
    """Return the rows of `floats_to_bytes`, shaped (n, dimensions)."""
    return np.frombuffer(data, dtype="<f4").reshape(-1, max(1, dimensions)).astype(np.float32, copy=False)


def upsert(dialect: str, table: Table) -> Any:
    """Return an INSERT of the dialect that has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)
