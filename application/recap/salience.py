"""Which lines of a chapter say most, each something else: centroid similarity and maximal marginal relevance.

MMR after Carbonell and Goldstein (1998).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from application.recap.lines import SpokenLine
from application.recap.text import content
from application.recap.vectors import Vector, centroid, dot
from domain.search import CosineScale

RELEVANCE, NOVELTY = 0.8, 0.12
"""Weights of both in MMR; best of several on ten AMI meetings, within noise (the paper has 0.7 and 0.3, of cosines)."""
CHAPTER_WEIGHT: Final = 0.33
CONVERSATION_WEIGHT: Final = 0.24
"""Of how near a line is to the middle of its chapter, and of all, on the scale of the vectors: no weight knows a cosine."""
LENGTH_WEIGHT: Final = 0.15
FULL_LENGTH: Final = 10
"""Content words from which a line counts as long enough to stand alone."""
ITEM_WEIGHT: Final = 0.50
"""Of the finder's probability that the line is evidence of an item: what a conversation came to has to be read."""
FEWEST_CONTENT_WORDS: Final = 2


def telling_lines(
    lines: Sequence[SpokenLine],
    vectors: Mapping[int, Vector],
    scale: CosineScale,
    middle: Vector,
    items: Mapping[int, float],
    words: int,
) -> list[SpokenLine]:
    """Return the lines of one chapter that say most, best first, together at most `words` words (one line at least).

    `vectors` and `items` (probabilities) are keyed by the line's index; `scale` says what their cosines mean;
    `middle` is the direction of the whole conversation. A line that is as near as `scale.same` to a chosen one only repeats it.
    """
    claims = {line.index: content(line.text) for line in lines}
    able = [line for line in lines if len(claims[line.index]) >= FEWEST_CONTENT_WORDS] or list(lines)
    own = centroid(vectors[line.index] for line in able if line.index in vectors)
    relevance = {
        line.index: _weight(len(claims[line.index]), items.get(line.index, 0.0))
        + _centrality(vectors.get(line.index), own, middle, scale)
        for line in able
    }
    chosen: list[SpokenLine] = []
    closest = dict.fromkeys(relevance, 0.0)
    used = 0
    while able:
        best = max(able, key=lambda line: RELEVANCE * relevance[line.index] - NOVELTY * scale.scaled(closest[line.index]))
        able = [line for line in able if line.index != best.index]
        if chosen and (used + best.words > words or closest[best.index] >= scale.same):
            continue
        chosen.append(best)
        used += best.words
        for other in able if best.index in vectors else ():
            if other.index in vectors:
                closest[other.index] = max(closest[other.index], dot(vectors[best.index], vectors[other.index]))
    return chosen


def _weight(claims: int, item: float) -> float:
    return LENGTH_WEIGHT * min(1.0, claims / FULL_LENGTH) + ITEM_WEIGHT * item


def _centrality(vector: Vector | None, own: Vector, middle: Vector, scale: CosineScale) -> float:
    if not vector or not own:
        return 0.0
    return CHAPTER_WEIGHT * scale.scaled(dot(vector, own)) + CONVERSATION_WEIGHT * scale.scaled(dot(vector, middle))
