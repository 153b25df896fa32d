"""Summaries made of whole sentences of the transcript, in its order: what a recap has to beat at the same length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from application.recap.text import one_line, quoted, sentences
from domain.transcript import Segment

METHODS: Final = ("lead", "centroid", "mmr")
RELEVANCE: Final = 0.7
"""Weight of relevance against novelty, as in Carbonell and Goldstein (1998)."""
FEWEST_WORDS: Final = 4
"""Shorter sentences (`Okay, next point.`) are no candidates for centroid and MMR, which would only weaken them."""
MOST_WORDS: Final = 60
"""Of a sentence, well inside the 256 tokens that MiniLM reads: speech without punctuation is cut here."""

Array = Any
"""numpy: float32, shape (sentences, dimensions), rows of unit length."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a segment, cleaned as a recap's quotes are."""

    clean: str
    segment_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """A summary and the segments that it is made of."""

    text: str
    segment_ids: frozenset[int]


def candidates(segments: Sequence[Segment]) -> list[Sentence]:
    """Return the sentences that say something, each short enough for one vector."""
    found = [(cut, segment.id) for segment in segments for each in sentences(one_line(segment.text)) for cut in _bounded(each)]
    return [Sentence(clean, (index,)) for clean, index in ((quoted(text), index) for text, index in found) if clean]


def _bounded(sentence: str) -> Iterator[str]:
    words = sentence.split()
    return (" ".join(words[start : start + MOST_WORDS]) for start in range(0, len(words), MOST_WORDS))


def extract(method: str, sentences: Sequence[Sentence], vectors: Array, words: int) -> Extract:
    """Return the summary of about `words` words that a method makes (the last sentence may pass the limit by half of itself)."""
    chosen: list[int] = []
    used = 0
    for index in _order(method, sentences, vectors):
        size = len(sentences[index].clean.split())
        if used + size / 2 > words:
            if method == "lead":
                break
            continue
        chosen.append(index)
        used += size
    kept = [sentences[index] for index in sorted(chosen)]
    return Extract(" ".join(s.clean for s in kept), frozenset(i for s in kept for i in s.segment_ids))


def _order(method: str, sentences: Sequence[Sentence], vectors: Array) -> list[int]:
    if method == "lead":
        return list(range(len(sentences)))
    long = [index for index, sentence in enumerate(sentences) if len(sentence.clean.split()) >= FEWEST_WORDS]
    middle = vectors[long].mean(axis=0)
    relevance = vectors @ (middle / np.linalg.norm(middle))
    if method == "centroid":
        return sorted(long, key=lambda index: (-float(relevance[index]), index))
    if method != "mmr":
        raise ValueError(f"a method is one of {', '.join(METHODS)}")
    order: list[int] = []
    left = np.array(long)
    closest = np.zeros(len(sentences))
    while len(left):
        best = int(left[np.argmax(RELEVANCE * relevance[left] - (1 - RELEVANCE) * closest[left])])
        order.append(best)
        left = left[left != best]
        closest = np.maximum(closest, vectors @ vectors[best])
    return order
