"""Chapters: where the topic changes, by similarity of neighbouring passages, pauses and spoken signposts.

Depth scores after TextTiling (Hearst 1997), over sentence vectors instead of word counts.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from application.recap.sentences import Sentence
from application.recap.settings import RecapSettings
from application.recap.vectors import Vector, dot, running_sums, stretch

WINDOW: Final = (3, 12)
"""Fewest and most sentences compared on each side of a gap."""
PAUSE_WEIGHT: Final = 0.10
FULL_PAUSE_S: Final = 3.0
"""A silence of this many seconds counts in full; shorter ones in proportion."""
SIGNPOST_WEIGHT: Final = 0.25
TURN_WEIGHT: Final = 0.05
INSIDE_SEGMENT_PENALTY: Final = 0.50
"""Cutting through a segment makes two chapters cite it: only when nothing else will do."""
LONGEST: Final = 2.2
"""A chapter above this many times the mean length is cut again, so that no stretch is told in one line."""
SIGNPOST: Final = re.compile(
    r"\b(?:next|last|final|first|second|third|other|another)\s+(?:point|topic|item|question|issue|thing|subject|agenda)\b"
    r"|\b(?:one|two) more thing|\b(?:move|moving|go|going)\s+on\b|\bon\s+(?:my|the|our)\s+(?:list|agenda)\b"
    r"|\bcan\s+we\s+(?:also\s+)?(?:talk|speak|discuss)|\b(?:like|want)\s+to\s+(?:talk|speak)\s+about|"
    r"\blet\s+me\s+(?:repeat|summari[sz]e|recap)"
    r"|^(?:for|as for|about|regarding|concerning)\s+the\b|^(?:now|so|okay|right),?\s+(?:let's|let us)\b"
    r"|\bnächste[rs]?\s+(?:punkt|thema)|\bpoint\s+suivant|\bsiguiente\s+(?:punto|tema)|\bpróximo\s+(?:ponto|tema)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ChapterSpan:
    """The sentences `[first, end)` of one chapter, as places in the whole list."""

    first: int
    end: int


def chapter_count(words: int, settings: RecapSettings) -> int:
    """Return how many chapters a conversation of so many words is told in: grows with the root of its length."""
    minutes = words / settings.words_per_minute
    wanted = round(settings.first_chapters + settings.chapters_per_root_minute * math.sqrt(minutes))
    return max(1, min(wanted, words // settings.minimum_chapter_words))


def chapter_spans(
    sentences: Sequence[Sentence], places: Sequence[int], vectors: Sequence[Vector], settings: RecapSettings
) -> list[ChapterSpan]:
    """Cut a conversation where its topic shifts; the spans follow one another and cover every sentence.

    `places` are the sentences that have a vector, in order. Lengths are bounded both ways.
    """
    if not sentences:
        return []
    lengths = [max(1, len(sentence.words)) for sentence in sentences]
    before = [0]
    for length in lengths:
        before.append(before[-1] + length)
    count = chapter_count(before[-1], settings)
    if count == 1 or len(places) < 2 * WINDOW[0]:
        return [ChapterSpan(0, len(sentences))]
    scores = _gap_scores(sentences, places, vectors, count)
    mean = before[-1] / count
    smallest = max(settings.minimum_chapter_words * 0.75, mean / 3)
    cuts = {0, len(sentences)}
    for place in sorted(scores, key=lambda place: (-scores[place], place)):
        if len(cuts) > count:
            break
        if _fits(place, cuts, before, smallest):
            cuts.add(place)
    for _ in range(2 * count):
        cut = _cut_of_longest(cuts, before, scores, LONGEST * mean, smallest)
        if cut is None:
            break
        cuts.add(cut)
    edges = sorted(cuts)
    return [ChapterSpan(first, end) for first, end in pairwise(edges)]


def _gap_scores(sentences: Sequence[Sentence], places: Sequence[int], vectors: Sequence[Vector], count: int) -> dict[int, float]:
    """Return for each sentence that may start a chapter how good a start it is."""
    window = max(WINDOW[0], min(WINDOW[1], len(places) // (2 * count)))
    sums = running_sums(vectors)
    similar = [
        dot(stretch(sums, max(0, gap - window), gap), stretch(sums, gap, min(len(places), gap + window)))
        for gap in range(1, len(places))
    ]
    left, right = _climb(similar), _climb(similar[::-1])[::-1]
    scores: dict[int, float] = {}
    for index, value in enumerate(similar):
        place = places[index + 1]
        here, last = sentences[place], sentences[place - 1]
        score = (left[index] - value) + (right[index] - value)
        score += PAUSE_WEIGHT * min(1.0, max(0.0, here.start - last.end) / FULL_PAUSE_S)
        score += TURN_WEIGHT * (here.turn != last.turn)
        score += SIGNPOST_WEIGHT * bool(SIGNPOST.search(here.clean))
        score -= INSIDE_SEGMENT_PENALTY * bool(set(here.segment_ids) & set(last.segment_ids))
        scores[place] = score
    return scores


def _climb(values: Sequence[float]) -> list[float]:
    """For each value the height reached by walking backwards while it does not fall."""
    peaks: list[float] = []
    for index, value in enumerate(values):
        peaks.append(max(value, peaks[-1]) if index and values[index - 1] >= value else value)
    return peaks


def _fits(place: int, cuts: set[int], before: Sequence[int], smallest: float) -> bool:
    if place in cuts:
        return False
    below = max(cut for cut in cuts if cut < place)
    above = min(cut for cut in cuts if cut > place)
    return min(before[place] - before[below], before[above] - before[place]) >= smallest


def _cut_of_longest(
    cuts: set[int], before: Sequence[int], scores: dict[int, float], longest: float, smallest: float
) -> int | None:
    edges = sorted(cuts)
    for first, end in sorted(pairwise(edges), key=lambda pair: before[pair[0]] - before[pair[1]]):
        if before[end] - before[first] <= longest:
            return None
        inside = [place for place in scores if first < place < end and _fits(place, cuts, before, smallest)]
        if inside:
            return max(inside, key=lambda place: (scores[place], -place))
    return None
