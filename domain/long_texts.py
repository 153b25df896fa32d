"""Texts longer than a model reads: where to cut them."""

from collections.abc import Sequence
from math import ceil


def even_spans(offsets: Sequence[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """Return the (start, end) characters of the pieces of a text: at most `most` tokens each, of like length, cut between words.

    `offsets` are the characters of its tokens, in order. A piece is cut inside a word only where that word alone is too long.
    """
    size = ceil(len(offsets) / ceil(len(offsets) / most)) if offsets else most
    spans: list[tuple[int, int]] = []
    start = 0
    while start < len(offsets):
        end = _between_words(offsets, start, min(start + size, len(offsets)))
        spans.append((offsets[start][0], offsets[end - 1][1]))
        start = end
    return spans


def _between_words(offsets: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """Return the last place up to `end` where a gap stands before the token; `end` itself when there is none after `start`."""
    if end == len(offsets):
        return end
    found = end
    while found > start and offsets[found][0] <= offsets[found - 1][1]:
        found -= 1
    return found if found > start else end
