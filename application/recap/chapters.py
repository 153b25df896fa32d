"""Chapters: where the topic changes, by similarity of neighbouring passages and by pauses.

Depth scores after TextTiling (Hearst 1997), over sentence vectors instead of word counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from application.recap.lines import SpokenLine
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector, dot, running_sums, stretch
from domain.search import CosineScale

WINDOW: Final = (3, 12)
"""Fewest and most lines compared on each side of a gap."""
PAUSE_WEIGHT: Final = 1 / 6
"""This weight and those below are parts of the way from unrelated to related on the scale of the vectors."""
FULL_PAUSE_S: Final = 3.0
"""A silence of this many seconds counts in full; shorter ones in proportion."""
TURN_WEIGHT: Final = 1 / 12
INSIDE_SEGMENT_PENALTY: Final = 5 / 6
"""Cutting through a segment makes two chapters cite it: only when nothing else will do."""
LONGEST: Final = 2.2
"""A chapter above this many times the mean length is cut again, so that no stretch is told in one line."""


@dataclass(frozen=True, slots=True)
class ChapterSpan:
    """The lines `[first, end)` of one chapter."""

    first: int
    end: int


def chapter_count(words: int, settings: RecapSettings) -> int:
    """Return how many chapters a conversation of so many words is told in: grows with the root of its length."""
    minutes = words / settings.words_per_minute
    wanted = round(settings.first_chapters + settings.chapters_per_root_minute * math.sqrt(minutes))
    return max(1, min(wanted, words // settings.minimum_chapter_words))


def chapter_spans(
    lines: Sequence[SpokenLine], vectors: Sequence[Vector], scale: CosineScale, settings: RecapSettings, most_words: int
) -> list[ChapterSpan]:
    """Cut a conversation where its topic shifts; the spans follow one another and cover every line.

    `vectors`: one a line, whose cosines mean what `scale` says. Lengths are bounded both ways; a chapter of more than
    `most_words` is cut wherever it can be.
    """
    if not lines:
        return []
    lengths = [max(1, line.words) for line in lines]
    before = [0]
    for length in lengths:
        before.append(before[-1] + length)
    count = max(chapter_count(before[-1], settings), -(-before[-1] // most_words))
    if count == 1 or (len(lines) < 2 * WINDOW[0] and before[-1] <= most_words):
        return [ChapterSpan(0, len(lines))]
    scores = _gap_scores(lines, vectors, scale, count)
    mean = before[-1] / count
    smallest = max(settings.minimum_chapter_words * 0.75, mean / 3)
    cuts = {0, len(lines)}
    for position in sorted(scores, key=lambda position: (-scores[position], position)):
        if len(cuts) > count:
            break
        if _fits(position, cuts, before, smallest):
            cuts.add(position)
    for _ in range(2 * count):
        cut = _cut_of_longest(cuts, before, scores, min(LONGEST * mean, most_words), smallest)
        if cut is None:
            break
        cuts.add(cut)
    edges = sorted(cuts)
    return [ChapterSpan(first, end) for first, end in pairwise(edges)]


def _gap_scores(lines: Sequence[SpokenLine], vectors: Sequence[Vector], scale: CosineScale, count: int) -> dict[int, float]:
    """Return for each line that may start a chapter how good a start it is."""
    window = max(WINDOW[0], min(WINDOW[1], len(lines) // (2 * count)))
    sums = running_sums(vectors)
    similar = [
        dot(stretch(sums, max(0, gap - window), gap), stretch(sums, gap, min(len(lines), gap + window)))
        for gap in range(1, len(lines))
    ]
    left, right = _climb(similar), _climb(similar[::-1])[::-1]
    scores: dict[int, float] = {}
    for index, value in enumerate(similar):
        position = index + 1
        here, last = lines[position], lines[position - 1]
        score = (left[index] - value + right[index] - value) / scale.span
        score += PAUSE_WEIGHT * min(1.0, max(0.0, here.start - last.end) / FULL_PAUSE_S)
        score += TURN_WEIGHT * (here.speaker != last.speaker)
        score -= INSIDE_SEGMENT_PENALTY * (here.segment_id == last.segment_id)
        scores[position] = score
    return scores


def _climb(values: Sequence[float]) -> list[float]:
    """For each value the height reached by walking backwards while it does not fall."""
    peaks: list[float] = []
    for index, value in enumerate(values):
        peaks.append(max(value, peaks[-1]) if index and values[index - 1] >= value else value)
    return peaks


def _fits(position: int, cuts: set[int], before: Sequence[int], smallest: float) -> bool:
    if position in cuts:
        return False
    below = max(cut for cut in cuts if cut < position)
    above = min(cut for cut in cuts if cut > position)
    return min(before[position] - before[below], before[above] - before[position]) >= smallest


def _cut_of_longest(
    cuts: set[int], before: Sequence[int], scores: dict[int, float], longest: float, smallest: float
) -> int | None:
    edges = sorted(cuts)
    for first, end in sorted(pairwise(edges), key=lambda pair: before[pair[0]] - before[pair[1]]):
        if before[end] - before[first] <= longest:
            return None
        inside = [position for position in scores if first < position < end and _fits(position, cuts, before, smallest)]
        if inside:
            return max(inside, key=lambda position: (scores[position], -position))
    return None
