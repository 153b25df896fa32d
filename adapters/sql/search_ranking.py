"""Which passages answer a query, best first, from what is held in memory; exact cosines of the few nearest come from the rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.sql.search_blocks import Ids, codes_of
from adapters.sql.search_held import Held
from adapters.sql.search_parts import FARTHEST, Mask, Part
from domain.search import CosineScale, coverage, relevance

CANDIDATES: Final = 100
"""Passages of each ranking that are scored at least; what both leave out answers worse than a hundred others, twice."""
LOOKED_AT: Final = 8
"""Nearest codes, per candidate, whose exact cosine is taken: codes of one bit per component mistake the order."""
K1, B = 1.2, 0.75
"""Saturation of repeated words and weight of length in BM25, the usual ones (Robertson and Zaragoza, "The Probabilistic Relevance
Framework", 2009)."""
SCORE_DIGITS: Final = 4
"""Finer than any judgement of relevance; what rounds to nothing is no hit."""

Weights = Mapping[str, float]
Floats = NDArray[np.float32]
ExactCosines = Callable[[int, NDArray[np.float32], Ids], Mapping[int, float]]
"""Gives the cosines of passages, by id, with a unit-length query in a space; those that have no vector there are left out."""


@dataclass(frozen=True, slots=True)
class Aim:
    """A unit-length query vector in the space of its model, and what that model's cosines mean."""

    space: int
    vector: NDArray[np.float32]
    scale: CosineScale


@dataclass(frozen=True, slots=True)
class Sign:
    """What speaks for a passage: the share of the query's words it has, its BM25 score, its cosine and what that means."""

    covered: float = 0.0
    words: float = 0.0
    cosine: float = 0.0
    closeness: float = 0.0


def rarity(held: Held, words: Sequence[str]) -> dict[str, float]:
    """Return the weight of each folded word: how rare it is among the tenant's passages (the idf of BM25)."""
    total = sum(part.standing for part in held.parts)
    weights = {}
    for word in words:
        among = sum(int(np.count_nonzero(part.live[part.postings(word)[0]])) for part in held.parts)
        weights[word] = math.log(1 + (total - among + 0.5) / (among + 0.5))
    return weights


class Ranking:
    """One query over what a tenant has. `left`: by part, the passages that count."""

    def __init__(self, held: Held, left: Sequence[Mask], weights: Weights) -> None:
        self._held = held
        self._left = left
        self._weights = weights
        self._covers = [self._cover(part) for part in held.parts] if weights else []
        self.signs: dict[int, Sign] = {}

    def by_words(self, depth: int) -> None:
        """Add the passages that have most of the query's words by weight; among equals those that BM25 prefers."""
        if not self._covers:
            return
        chosen = [np.where(left, cover, 0.0) for cover, left in zip(self._covers, self._left, strict=True)]
        there = np.concatenate([cover[cover > 0] for cover in chosen])
        if not len(there):
            return
        least = float(np.partition(there, len(there) - depth)[len(there) - depth]) if len(there) > depth else 0.0
        found: list[tuple[float, float, int]] = []
        mean = _mean_length(self._held)
        for part, cover in zip(self._held.parts, chosen, strict=True):
            rows = np.flatnonzero(cover >= least) if least > 0 else np.flatnonzero(cover)
            scores = self._bm25(part, rows, mean)
            best = np.lexsort((part.ids[rows], -scores, -cover[rows]))[:depth]
            found += [(-float(cover[rows[n]]), -float(scores[n]), int(part.ids[rows[n]])) for n in best]
        asked = sum(self._weights.values())
        for covered, words, passage_id in sorted(found)[:depth]:
            self.signs[passage_id] = Sign(coverage(-covered, asked), -words)

    def by_meaning(self, aims: Sequence[Aim], depth: int, exact: ExactCosines) -> None:
        """Add the passages nearest to the query, and the cosines of those found by words.

        A passage is compared in the first space of `aims` in which it has a vector.
        """
        left, compared = list(self._left), set[int]()
        for aim in aims:
            near = self._nearest(aim, left, depth * LOOKED_AT)
            sought = np.array([*near, *(passage_id for passage_id in self.signs if passage_id not in compared)], dtype=np.int64)
            cosines = exact(aim.space, aim.vector, np.unique(sought))
            nearest = sorted(cosines, key=lambda passage_id: (-cosines[passage_id], passage_id))[:depth]
            for passage_id in {*nearest, *(self.signs.keys() & cosines.keys())} - compared:
                known = self.signs.get(passage_id) or Sign(near[passage_id])
                cosine = cosines[passage_id]
                self.signs[passage_id] = replace(known, cosine=cosine, closeness=aim.scale.closeness(cosine))
            compared |= cosines.keys()
            left = [_outside(part, aim.space, mask) for part, mask in zip(self._held.parts, left, strict=True)]

    def best(self, limit: int) -> list[tuple[int, float]]:
        """Return (passage id, score), best first, none with a score of 0."""
        ranked = []
        for passage_id, sign in self.signs.items():
            score = round(relevance(sign.closeness, sign.covered), SCORE_DIGITS)
            if score > 0:
                ranked.append((-score, -sign.cosine, -sign.words, passage_id))
        return [(passage_id, -score) for score, _, _, passage_id in sorted(ranked)[:limit]]

    def _cover(self, part: Part) -> Floats:
        found = np.zeros(len(part.ids), dtype=np.float32)
        for word, weight in self._weights.items():
            found[part.postings(word)[0]] += np.float32(weight)
        return found

    def _bm25(self, part: Part, rows: Ids, mean: float) -> NDArray[np.float64]:
        found = np.zeros(len(rows))
        length = K1 * (1 - B + B * part.lengths[rows] / mean)
        for word, weight in self._weights.items():
            having, times = part.postings(word)
            if not len(having):
                continue
            index = np.minimum(np.searchsorted(having, rows), len(having) - 1)
            often = np.where(having[index] == rows, times[index], 0)
            found += weight * often * (K1 + 1) / (often + length)
        return found

    def _nearest(self, aim: Aim, left: Sequence[Mask], count: int) -> dict[int, float]:
        """Return the `count` passages whose codes are nearest: by id, the share of the query's words that each has."""
        (code,) = codes_of(aim.vector[None, :])
        found = [part.distances(aim.space, code, mask) for part, mask in zip(self._held.parts, left, strict=True)]
        asked, near = sum(self._weights.values()), dict[int, float]()
        bound = _bound([distances for _, distances in found], count)
        for at_most in (bound - 1, bound):  # of those at the bound as many as there is room for
            for number, (rows, distances) in enumerate(found):
                chosen = rows[distances <= at_most] if at_most < bound else rows[distances == bound][: count - len(near)]
                covers = self._covers[number][chosen] if self._covers else np.zeros(len(chosen))
                ids = self._held.parts[number].ids[chosen]
                near |= {int(one): coverage(float(cover), asked) for one, cover in zip(ids, covers, strict=True)}
        return near


def _bound(distances: Sequence[NDArray[np.uint16]], count: int) -> int:
    """Return the distance of the passage that is the `count`th nearest; that of the farthest where there are fewer."""
    everything = np.concatenate(distances) if distances else np.empty(0, dtype=np.uint16)
    if len(everything) > count:
        return min(int(np.partition(everything, count - 1)[count - 1]), FARTHEST - 1)
    return FARTHEST - 1


def _outside(part: Part, space: int, mask: Mask) -> Mask:
    """Return the passages that count and have no vector in a space."""
    if space not in part.codes:
        return mask
    outside = mask.copy()
    outside[part.codes[space][0]] = False
    return outside


def _mean_length(held: Held) -> float:
    total = sum(len(part.ids) for part in held.parts)
    return max(1.0, sum(float(part.lengths.sum()) for part in held.parts) / max(1, total))
