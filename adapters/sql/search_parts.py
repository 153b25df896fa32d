"""Blocks of many sources put together, so that a search goes through few long arrays and not through many short ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.sql.search_blocks import Bits, Block, Ids
from domain.search import SearchFilters

Mask = NDArray[np.bool_]
Rows = NDArray[np.int32]
STRIDE: Final = 131_072
"""Passages whose codes are compared at a time: two columns of a megabyte, which stay in the processor's cache."""
FARTHEST: Final = np.iinfo(np.uint16).max
"""Stands for the distance of a passage that does not count."""


@dataclass(frozen=True, slots=True)
class Named:
    """A column of names: `names[place]` is that of each row with that `place`, -1 for none."""

    names: Mapping[str, int]
    indices: NDArray[np.int32]

    def among(self, wanted: Sequence[str]) -> Mask:
        """Say of each row whether its name is one of those."""
        known = [self.names[name] for name in wanted if name in self.names]
        return np.isin(self.indices, np.array(known, dtype=np.int32))


@dataclass(frozen=True, slots=True)
class Part:
    """Passages of several sources by row, `sources[block id]` being those of a block; `live` are those that are still there.

    `codes`: by vector space, the rows that have a vector there and their codes, shaped (words of 64 bits, rows).
    """

    sources: Mapping[int, slice]
    ids: Ids
    live: Mask
    conversations: Named
    speakers: Named
    kinds: Named
    recorded: NDArray[np.float64]
    lengths: NDArray[np.int32]
    vocabulary: Mapping[str, int]
    offsets: NDArray[np.int64]
    rows: Rows
    times: NDArray[np.uint8]
    codes: Mapping[int, tuple[Rows, Bits]]

    @classmethod
    def of(cls, block_id: int, block: Block) -> "Part":
        """Return a part of one block."""
        return cls(
            {block_id: slice(0, block.width)},
            block.ids,
            np.ones(block.width, dtype=bool),
            Named({block.conversation_id: 0}, np.zeros(block.width, dtype=np.int32)),
            Named(_indices(block.names), block.speakers),
            Named(_indices(block.kind_names), block.kinds),
            block.recorded,
            block.lengths,
            _indices(block.vocabulary),
            block.offsets.astype(np.int64),
            block.rows,
            block.times,
            {space: (rows, np.ascontiguousarray(bits.T)) for space, (rows, bits) in block.codes.items()},
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays; words and names come on top, and are few."""
        columns = (self.ids, self.live, self.recorded, self.lengths, self.offsets, self.rows, self.times)
        named = (self.conversations.indices, self.speakers.indices, self.kinds.indices)
        return sum(each.nbytes for each in (*columns, *named)) + sum(r.nbytes + b.nbytes for r, b in self.codes.values())

    @property
    def standing(self) -> int:
        """Passages that are still there."""
        return int(np.count_nonzero(self.live))

    def without(self, gone: Iterable[int]) -> "Part":
        """Return the part without the passages of some blocks."""
        live, left = self.live.copy(), dict(self.sources)
        for block_id in gone:
            live[left.pop(block_id)] = False
        return replace(self, live=live, sources=left)

    def postings(self, word: str) -> tuple[Rows, NDArray[np.uint8]]:
        """Return the rows that have a folded word, ascending, and how often; rows that are gone among them."""
        index = self.vocabulary.get(word)
        if index is None:
            return self.rows[:0], self.times[:0]
        held = slice(self.offsets[index], self.offsets[index + 1])
        return self.rows[held], self.times[held]

    def left_by(self, filters: SearchFilters) -> Mask:
        """Say of each row whether the filters leave it."""
        left = self.live
        lists = ((self.conversations, filters.conversation_ids), (self.speakers, filters.speakers), (self.kinds, filters.kinds))
        for column, wanted in lists:
            if wanted:
                left = left & column.among(wanted)
        if filters.recorded_from is not None:
            left = left & (self.recorded >= filters.recorded_from)
        if filters.recorded_before is not None:
            left = left & (self.recorded < filters.recorded_before)
        return left

    def beyond(self, spaces: set[int]) -> int:
        """Return how many passages have a vector, but none in these spaces."""
        if self.codes.keys() <= spaces:
            return 0
        outside = np.zeros(len(self.ids), dtype=bool)
        for space in self.codes.keys() - spaces:
            outside[self.codes[space][0]] = True
        for space in self.codes.keys() & spaces:
            outside[self.codes[space][0]] = False
        return int(np.count_nonzero(outside & self.live))

    def distances(self, space: int, code: Bits, counts: Mask) -> tuple[Rows, NDArray[np.uint16]]:
        """Return the rows of a space, and in how many bits each differs from `code`; `FARTHEST` for those that do not count."""
        rows, bits = self.codes.get(space, (self.rows[:0], np.empty((len(code), 0), dtype=np.uint64)))
        found = np.zeros(len(rows), dtype=np.uint16)
        differing, number = np.empty(STRIDE, dtype=np.uint64), np.empty(STRIDE, dtype=np.uint8)
        for start in range(0, len(rows), STRIDE):
            here = slice(start, min(len(rows), start + STRIDE))
            size = here.stop - here.start
            for column, word in zip(bits, code, strict=True):
                np.bitwise_xor(column[here], word, out=differing[:size])
                np.bitwise_count(differing[:size], out=number[:size])
                found[here] += number[:size]
        found[~counts[rows]] = FARTHEST
        return rows, found


def _indices(names: Sequence[str]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def merged(parts: Sequence[Part]) -> Part:
    """Return one part of the passages that are still there in all of them."""
    keep = [part.live for part in parts]
    first = np.cumsum([0, *(part.standing for part in parts)])
    moved = [np.cumsum(live, dtype=np.int64) - 1 + start for live, start in zip(keep, first, strict=False)]
    sources = {
        block_id: slice(int(to[held.start]), int(to[held.start]) + held.stop - held.start)
        for part, to in zip(parts, moved, strict=True)
        for block_id, held in part.sources.items()
    }
    vocabulary, offsets, rows, times = _merged_words(parts, moved)
    return Part(
        sources,
        _joined([part.ids[live] for part, live in zip(parts, keep, strict=True)], np.int64),
        np.ones(int(first[-1]), dtype=bool),
        _merged_names([part.conversations for part in parts], keep),
        _merged_names([part.speakers for part in parts], keep),
        _merged_names([part.kinds for part in parts], keep),
        _joined([part.recorded[live] for part, live in zip(parts, keep, strict=True)], np.float64),
        _joined([part.lengths[live] for part, live in zip(parts, keep, strict=True)], np.int32),
        vocabulary,
        offsets,
        rows,
        times,
        _merged_codes(parts, moved),
    )


def _joined(arrays: Sequence[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)


def _merged_names(columns: Sequence[Named], keep: Sequence[Mask]) -> Named:
    names: dict[str, int] = {}
    parts = []
    for column, live in zip(columns, keep, strict=True):
        # The last place stands for none, whose number is -1 and so takes it.
        to = np.array([*(names.setdefault(name, len(names)) for name in column.names), -1], dtype=np.int32)
        parts.append(to[column.indices[live]])
    return Named(names, _joined(parts, np.int32))


def _merged_words(
    parts: Sequence[Part], moved: Sequence[Ids]
) -> tuple[dict[str, int], NDArray[np.int64], Rows, NDArray[np.uint8]]:
    vocabulary: dict[str, int] = {}
    words, rows, times = [], [], []
    for part, to in zip(parts, moved, strict=True):
        known = np.array([vocabulary.setdefault(word, len(vocabulary)) for word in part.vocabulary], dtype=np.int32)
        live = part.live[part.rows]
        words.append(np.repeat(known, np.diff(part.offsets))[live])
        rows.append(to[part.rows[live]].astype(np.int32))
        times.append(part.times[live])
    word = _joined(words, np.int32)
    order = np.argsort(word, kind="stable")  # rows of a word stay ascending, since parts come in order of their rows
    offsets = np.concatenate([[0], np.cumsum(np.bincount(word, minlength=len(vocabulary)))]).astype(np.int64)
    return vocabulary, offsets, _joined(rows, np.int32)[order], _joined(times, np.uint8)[order]


def _merged_codes(parts: Sequence[Part], moved: Sequence[Ids]) -> dict[int, tuple[Rows, Bits]]:
    found: dict[int, tuple[Rows, Bits]] = {}
    for space in dict.fromkeys(space for part in parts for space in part.codes):
        rows, bits = [], []
        for part, to in zip(parts, moved, strict=True):
            if space in part.codes:
                there, codes = part.codes[space]
                live = part.live[there]
                rows.append(to[there[live]].astype(np.int32))
                bits.append(codes[:, live])
        found[space] = (np.concatenate(rows), np.ascontiguousarray(np.concatenate(bits, axis=1)))
    return found
