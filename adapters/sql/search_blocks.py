"""What a search reads of one source, as one row: words, what filters ask for, and one bit per component of every vector.

A block is written whole in the transaction that changes its passages and is never changed after, so a process may keep it in
memory under its id. It goes with its source: a deletion takes one row, and no index has to be cleaned.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.sql.search_words import folded

MOST_TIMES: Final = 255
"""Repetitions of a word in a passage that are counted: BM25 is flat long before."""
WORD_BYTES: Final = 8
"""Codes are compared in machine words of 64 bits."""

Ids = NDArray[np.int64]
Bits = NDArray[np.uint64]
_LAYOUT: Final = (
    ("ids", "<i8"), ("speakers", "<i4"), ("kinds", "<i4"), ("recorded", "<f8"), ("lengths", "<i4"),
    ("offsets", "<i4"), ("rows", "<i4"), ("times", "|u1"),
)  # fmt: skip
"""Arrays of a block, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Indexed:
    """A passage as it is indexed. `speaker` and `recorded_at` may be unknown."""

    id: int
    text: str
    speaker: str | None
    kind: str
    recorded_at: float | None


@dataclass(frozen=True)
class Block:
    """Passages of one source by row. `speakers` and `kinds` are places in `names` and `kind_names`, -1 for none.

    `vocabulary[w]` is in `rows[offsets[w]:offsets[w + 1]]`, ascending, `times` often. `codes`: by vector space, the rows
    that have a vector there and the code of each, shaped (rows, words of 64 bits).
    """

    conversation_id: str
    names: tuple[str, ...]
    kind_names: tuple[str, ...]
    vocabulary: tuple[str, ...]
    ids: Ids
    speakers: NDArray[np.int32]
    kinds: NDArray[np.int32]
    recorded: NDArray[np.float64]
    lengths: NDArray[np.int32]
    offsets: NDArray[np.int32]
    rows: NDArray[np.int32]
    times: NDArray[np.uint8]
    codes: Mapping[int, tuple[NDArray[np.int32], Bits]]

    @cached_property
    def width(self) -> int:
        """Passages."""
        return len(self.ids)

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads."""
        head = {
            "conversation_id": self.conversation_id,
            "names": self.names,
            "kinds": self.kind_names,
            "words": self.vocabulary,
            "sizes": [len(getattr(self, name)) for name, _ in _LAYOUT],
            "spaces": [[space, len(rows), bits.shape[1]] for space, (rows, bits) in self.codes.items()],
        }
        told = json.dumps(head, ensure_ascii=False).encode()
        parts = [len(told).to_bytes(4, "little"), told]
        parts += [getattr(self, name).astype(kind, copy=False).tobytes() for name, kind in _LAYOUT]
        for rows, bits in self.codes.values():
            parts += [rows.astype("<i4", copy=False).tobytes(), bits.astype("<u8", copy=False).tobytes()]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Block":
        """Return the block; its arrays are views of `data`."""
        start = 4 + int.from_bytes(data[:4], "little")
        head = json.loads(data[4:start])
        index = start

        def take(kind: str, count: int) -> NDArray[Any]:
            nonlocal index
            found = np.frombuffer(data, dtype=kind, count=count, offset=index)
            index += found.nbytes
            return found

        arrays: dict[str, Any] = {name: take(kind, size) for (name, kind), size in zip(_LAYOUT, head["sizes"], strict=True)}
        codes = {
            space: (take("<i4", rows), take("<u8", rows * words).reshape(rows, words)) for space, rows, words in head["spaces"]
        }
        names, kinds, words = (tuple(head[name]) for name in ("names", "kinds", "words"))
        return cls(head["conversation_id"], names, kinds, words, **arrays, codes=codes)


def block_of(
    conversation_id: str, passages: Sequence[Indexed], vectors: Mapping[int, tuple[Sequence[int], NDArray[np.float32]]]
) -> Block:
    """Return the block of passages. `vectors`: by space, rows and their vectors, shaped (rows, dimensions)."""
    names = _dictionary(passage.speaker for passage in passages)
    kinds = _dictionary(passage.kind for passage in passages)
    postings: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    lengths = []
    for row, passage in enumerate(passages):
        words = folded(passage.text)
        lengths.append(len(words))
        for word, times in Counter(words).items():
            postings[word].append((row, min(times, MOST_TIMES)))
    flat = [each for held in postings.values() for each in held]
    return Block(
        conversation_id,
        tuple(names),
        tuple(kinds),
        tuple(postings),
        np.array([passage.id for passage in passages], dtype=np.int64),
        np.array([names.get(passage.speaker, -1) for passage in passages], dtype=np.int32),
        np.array([kinds[passage.kind] for passage in passages], dtype=np.int32),
        np.array([np.nan if p.recorded_at is None else p.recorded_at for p in passages], dtype=np.float64),
        np.array(lengths, dtype=np.int32),
        np.array([0, *accumulate(len(held) for held in postings.values())], dtype=np.int32),
        np.array([row for row, _ in flat], dtype=np.int32),
        np.array([times for _, times in flat], dtype=np.uint8),
        {space: (np.array(rows, dtype=np.int32), codes_of(found)) for space, (rows, found) in vectors.items() if len(rows)},
    )


def _dictionary(values: Any) -> dict[Any, int]:
    return {value: index for index, value in enumerate(dict.fromkeys(value for value in values if value is not None))}


def codes_of(vectors: NDArray[np.float32]) -> Bits:
    """Return one bit per component of each vector, whether it is above zero, in words of 64 bits: shaped (n, words).

    Two vectors whose codes differ in few bits point in about the same direction (Charikar, "Similarity estimation techniques from
    rounding algorithms", 2002); components of sentence embeddings are spread evenly enough to serve as the random directions.
    """
    packed = np.packbits(vectors > 0, axis=1)
    short = -packed.shape[1] % WORD_BYTES
    padded = np.pad(packed, ((0, 0), (0, short)))
    return np.ascontiguousarray(padded).view("<u8")
