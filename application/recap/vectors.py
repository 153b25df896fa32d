"""Plain arithmetic on vectors, and the word-count vectors that stand in when no embedder answers."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import add, mul, sub
from typing import Final, TypeAlias

from application.recap.text import content, tokens
from domain.search import CosineScale

Vector: TypeAlias = tuple[float, ...]
LEXICAL_DIMENSIONS: Final = 256
"""Buckets of the stand-in vectors: enough that two topics of one conversation rarely collide."""


LEXICAL_COSINES: Final = CosineScale(0.0, 0.6, 0.9)
"""What cosines of these vectors mean: 0 without a word in common, 0.6 where most of the rarer words are, 0.9 where it is all but
the same words."""


def dot(left: Sequence[float], right: Sequence[float]) -> float:
    """Return the inner product; the cosine of two unit-length vectors."""
    return float(sum(map(mul, left, right)))


def unit(vector: Sequence[float]) -> Vector:
    """Return the vector at length one; a zero vector stays zero."""
    length = math.sqrt(dot(vector, vector))
    return tuple(value / length for value in vector) if length > 0 else tuple(vector)


def centroid(vectors: Iterable[Sequence[float]]) -> Vector:
    """Return the unit-length mean direction; () of nothing."""
    total: Sequence[float] = ()
    for vector in vectors:
        total = tuple(map(add, total, vector)) if total else vector
    return unit(total)


def running_sums(vectors: Sequence[Vector]) -> list[Vector]:
    """Return n + 1 sums, so that the sum of any stretch is one subtraction."""
    sums: list[Vector] = [tuple(0.0 for _ in vectors[0])] if vectors else []
    for vector in vectors:
        sums.append(tuple(map(add, sums[-1], vector)))
    return sums


def stretch(sums: Sequence[Vector], start: int, end: int) -> Vector:
    """Return the mean direction of the vectors `[start, end)` from their running sums."""
    return unit(tuple(map(sub, sums[end], sums[start])))


def lexical_vectors(texts: Sequence[str]) -> tuple[Vector, ...]:
    """Return hashed tf-idf vectors of unit length (Salton and Buckley 1988, smoothed idf), the same on every machine."""
    bags = [Counter(content(text) or tokens(text)) for text in texts]
    seen = Counter(word for bag in bags for word in bag)
    return tuple(unit(_hashed(bag, seen, len(bags))) for bag in bags)


def _hashed(bag: Counter[str], seen: Counter[str], count: int) -> Vector:
    values = [0.0] * LEXICAL_DIMENSIONS
    for word, times in bag.items():
        bucket = int.from_bytes(hashlib.blake2s(word.encode(), digest_size=4).digest(), "big") % LEXICAL_DIMENSIONS
        values[bucket] += (1 + math.log(times)) * (math.log((1 + count) / (1 + seen[word])) + 1)
    return tuple(values)
