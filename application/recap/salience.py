"""Which lines of a chapter say most, each something else: centroid similarity and maximal marginal relevance.

MMR after Carbonell and Goldstein (1998).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from application.recap.lines import SpokenLine
from application.recap.text import content
from application.recap.vectors import Vector, centroid, dot

RELEVANCE: Final = 0.8
"""Share of relevance against novelty in MMR (0.7 in the paper); best of 0.6 to 0.8 on ten AMI meetings, within noise."""
REPEATED: Final = 0.9
"""Cosine from which a line only repeats one that is already chosen."""
CHAPTER_WEIGHT: Final = 0.55
CONVERSATION_WEIGHT: Final = 0.40
LENGTH_WEIGHT: Final = 0.15
FULL_LENGTH: Final = 10
"""Content words from which a line counts as long enough to stand alone."""
ITEM_WEIGHT: Final = 0.50
"""Of the finder's probability that the line is evidence of an item: what a conversation came to has to be read."""
FEWEST_CONTENT_WORDS: Final = 2


def telling_lines(
    lines: Sequence[SpokenLine], vectors: Mapping[int, Vector], middle: Vector, items: Mapping[int, float], words: int
) -> list[SpokenLine]:
    """Return the lines of one chapter that say most, best first, together at most `words` words (one line at least).

    `vectors` and `items` (probabilities) are keyed by the line's index; `middle` is the direction of the whole conversation.
    """
    claims = {line.index: content(line.text) for line in lines}
    able = [line for line in lines if len(claims[line.index]) >= FEWEST_CONTENT_WORDS] or list(lines)
    own = centroid(vectors[line.index] for line in able if line.index in vectors)
    relevance = {
        line.index: _relevance(len(claims[line.index]), vectors.get(line.index), own, middle, items.get(line.index, 0.0))
        for line in able
    }
    chosen: list[SpokenLine] = []
    closest = dict.fromkeys(relevance, 0.0)
    used = 0
    while able:
        best = max(able, key=lambda line: RELEVANCE * relevance[line.index] - (1 - RELEVANCE) * closest[line.index])
        able = [line for line in able if line.index != best.index]
        if chosen and (used + best.words > words or closest[best.index] >= REPEATED):
            continue
        chosen.append(best)
        used += best.words
        for other in able if best.index in vectors else ():
            if other.index in vectors:
                closest[other.index] = max(closest[other.index], dot(vectors[best.index], vectors[other.index]))
    return chosen


def _relevance(claims: int, vector: Vector | None, own: Vector, middle: Vector, item: float) -> float:
    score = LENGTH_WEIGHT * min(1.0, claims / FULL_LENGTH) + ITEM_WEIGHT * item
    return score + (CHAPTER_WEIGHT * dot(vector, own) + CONVERSATION_WEIGHT * dot(vector, middle) if vector and own else 0.0)
