"""What the output of an embedder has to be: one finite unit vector of the right dimension per text."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.guard.checks import payload_of
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from ports.embedder import Vectors
from ports.model_backend import RawOutput

NORM_TOLERANCE = 0.02
"""How far the length of a vector may be from 1 and is set right: twice what bfloat16 rounding does (8 significant bits)."""


@dataclass(frozen=True, slots=True)
class VectorRules:
    """Rules for `count` vectors of `dimensions`. Values are float32, so that an answer reads the same from the cache."""

    count: int
    dimensions: int

    def check(self, raw: RawOutput) -> Vectors:
        rows = payload_of(raw).get("vectors")
        if not isinstance(rows, list | tuple | np.ndarray):
            raise InvalidModelOutput("vectors is not a list")
        if len(rows) != self.count:
            raise InvalidModelOutput(f"not one vector for each of {self.count} texts")
        matrix = np.empty((self.count, self.dimensions))
        for index, row in enumerate(rows):
            matrix[index] = self._row(row)
        return self._unit(matrix)

    def encode(self, value: Vectors) -> Json:
        data = np.asarray(value, "<f4").tobytes()
        return {"float32": base64.b64encode(data).decode(), "dimensions": self.dimensions}

    def decode(self, stored: Json) -> Vectors:
        if not isinstance(stored, Mapping) or not isinstance(data := stored.get("float32"), str):
            raise InvalidModelOutput("the stored vectors are damaged")
        try:
            flat = np.frombuffer(base64.b64decode(data, validate=True), "<f4")
        except (binascii.Error, ValueError):
            raise InvalidModelOutput("the stored vectors are damaged") from None
        dimensions = stored.get("dimensions")
        if not isinstance(dimensions, int) or dimensions != self.dimensions or flat.size != self.count * self.dimensions:
            raise InvalidModelOutput("the stored vectors have another shape")
        matrix = flat.reshape(self.count, self.dimensions)
        self._norms(matrix.astype(np.float64))
        return _plain(matrix)

    def _row(self, row: object) -> Any:
        if isinstance(row, np.ndarray):
            if row.dtype.kind not in "fiu" or row.ndim != 1:
                raise InvalidModelOutput("a vector is not a list of numbers")
        elif not isinstance(row, list | tuple) or not all(isinstance(x, int | float) and not isinstance(x, bool) for x in row):
            raise InvalidModelOutput("a vector is not a list of numbers")
        if len(row) != self.dimensions:
            raise InvalidModelOutput(f"a vector does not have {self.dimensions} dimensions")
        try:
            return np.asarray(row, dtype=np.float64)
        except OverflowError:
            raise InvalidModelOutput("a vector is not finite") from None

    def _norms(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        if not np.isfinite(matrix).all():
            raise InvalidModelOutput("a vector is not finite")
        with np.errstate(over="ignore"):
            norms: NDArray[np.float64] = np.sqrt((matrix * matrix).sum(axis=1))
        if not (np.abs(norms - 1.0) <= NORM_TOLERANCE).all():
            raise InvalidModelOutput("a vector is not of unit length")
        return norms

    def _unit(self, matrix: NDArray[np.float64]) -> Vectors:
        return _plain((matrix / self._norms(matrix)[:, None]).astype(np.float32))


def _plain(matrix: NDArray[np.float32]) -> Vectors:
    return tuple(tuple(row) for row in matrix.tolist())
