"""Which sentences of a chapter say most, each something else: centroid similarity and maximal marginal relevance.

MMR after Carbonell and Goldstein (1998).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from application.recap.sentences import Sentence
from application.recap.vectors import Vector, centroid, dot

RELEVANCE: Final = 0.8
"""Share of relevance against novelty in MMR (0.7 in the paper); best of 0.6 to 0.8 on ten AMI meetings, within noise."""
REPEATED: Final = 0.9
"""Cosine from which a sentence only repeats one that is already chosen."""
CHAPTER_WEIGHT: Final = 0.55
CONVERSATION_WEIGHT: Final = 0.40
LENGTH_WEIGHT: Final = 0.15
FULL_LENGTH: Final = 12
"""Content words from which a sentence counts as long enough to stand alone."""
ITEM_WEIGHT: Final = 0.10
NUMBER_WEIGHT: Final = 0.05
OPENING_WEIGHT: Final = 0.10
QUESTION_PENALTY: Final = 0.12
FEWEST_CONTENT_WORDS: Final = 3


def ranked_sentences(
    sentences: Sequence[Sentence],
    vectors: Mapping[int, Vector],
    conversation: Vector,
    items: frozenset[int],
    count: int,
    words: int,
) -> list[Sentence]:
    """Return up to `count` sentences of one chapter, best first, together at most `words` words (one at least).

    `vectors` are keyed by sentence index; `items` are the sentences that decisions, action items and questions
    rest on. Words that talk to a model are never chosen.
    """
    able = [s for s in sentences if s.index in vectors and not s.suspicious]
    candidates = [s for s in able if len(s.stems) >= FEWEST_CONTENT_WORDS] or able
    if not candidates:
        return []
    middle = centroid(vectors[s.index] for s in candidates)
    relevance = {
        s.index: _relevance(s, vectors[s.index], middle, conversation, place / len(candidates), s.index in items)
        for place, s in enumerate(candidates)
    }
    chosen: list[Sentence] = []
    closest = dict.fromkeys(relevance, 0.0)
    used = 0
    while candidates and len(chosen) < count:
        best = max(candidates, key=lambda s: RELEVANCE * relevance[s.index] - (1 - RELEVANCE) * closest[s.index])
        candidates = [s for s in candidates if s.index != best.index]
        size = max(len(best.clean.split()), len(best.words) // 2)
        if chosen and (used + size > words or closest[best.index] >= REPEATED):
            continue
        chosen.append(best)
        used += size
        for other in candidates:
            closest[other.index] = max(closest[other.index], dot(vectors[best.index], vectors[other.index]))
    return chosen


def _relevance(sentence: Sentence, vector: Vector, middle: Vector, conversation: Vector, position: float, item: bool) -> float:
    score = CHAPTER_WEIGHT * dot(vector, middle) + CONVERSATION_WEIGHT * dot(vector, conversation)
    score += LENGTH_WEIGHT * min(1.0, len(sentence.stems) / FULL_LENGTH)
    score += ITEM_WEIGHT * item + NUMBER_WEIGHT * bool(sentence.numbers) + OPENING_WEIGHT * (1 - position)
    return score - QUESTION_PENALTY * sentence.is_question
