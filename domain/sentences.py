"""Cuts segments of several sentences into sentences, so that one can be cited without the others."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from domain.transcript import Segment, Word

SHORTEST_SENTENCE_SECONDS = 0.6
"""A shorter piece stays with its neighbour: "Yes." is cited with what it answers."""
LONGEST_SEGMENT_SECONDS = 15.0
"""A longer piece without a full stop is cut at a comma or pause: two lines of speech at 2.5 words per second."""

_SENTENCE_END = re.compile(r"[.!?。！？…]+[\"'”’»)\]]*$")
_CLAUSE_END = re.compile(r"[,;:、，；：]+[\"'”’»)\]]*$")
_NO_SENTENCE_END = re.compile(r"(^|[\s(\"'])(mr|mrs|ms|dr|prof|st|no|vs|etc|e\.g|i\.e|z\.b|bzw|sr|sra|[a-z])\.$", re.IGNORECASE)


def sentences_of(segment: Segment) -> tuple[Segment, ...]:
    """Return the segment as sentences in order, with their own words and times; as it is when it has no word times.

    Scores are those of the whole segment: the recogniser gave them to all its words together. Ids are left alone.
    """
    texts = word_texts(segment)
    if texts is None:
        return (segment,)
    cuts = _sentence_cuts(segment, texts)
    pieces = [part for piece in _between(cuts, len(texts)) for part in _at_clauses(segment, texts, piece)]
    return tuple(_cut(segment, texts, first, last) for first, last in pieces) if len(pieces) > 1 else (segment,)


def cut_before(segment: Segment, indices: Sequence[int]) -> tuple[Segment, ...]:
    """Return the segment cut before the words at `indices`, rising; as it is when its words are not found in its text."""
    texts = word_texts(segment)
    if texts is None or not indices:
        return (segment,)
    return tuple(_cut(segment, texts, first, last) for first, last in _between(indices, len(texts)))


def word_texts(segment: Segment) -> list[str] | None:
    """Return the text of the segment cut before each word, or None when its words are not found in it."""
    starts: list[int] = []
    position = 0
    for word in segment.words:
        found = segment.text.find(word.text.strip(), position)
        if found < 0:
            return None
        starts.append(found)
        position = found + len(word.text.strip())
    if not starts:
        return None
    bounds = [0, *starts[1:], len(segment.text)]
    return [segment.text[first:last] for first, last in pairwise(bounds)]


def _sentence_cuts(segment: Segment, texts: Sequence[str]) -> list[int]:
    cuts = []
    since = 0
    for i in range(len(texts) - 1):
        if not ends_sentence(texts[i]):
            continue
        said = segment.words[i].end - segment.words[since].start
        left = segment.words[-1].end - segment.words[i + 1].start
        if min(said, left) >= SHORTEST_SENTENCE_SECONDS:
            cuts.append(i + 1)
            since = i + 1
    return cuts


def ends_sentence(text: str) -> bool:
    """Whether a stretch of text ends as a sentence does; after an abbreviation it does not."""
    stripped = text.strip()
    return bool(_SENTENCE_END.search(stripped)) and not _NO_SENTENCE_END.search(stripped)


def ends_clause(text: str) -> bool:
    """Whether a stretch of text ends at a comma or the like."""
    return bool(_CLAUSE_END.search(text.strip()))


def _between(cuts: Sequence[int], count: int) -> list[tuple[int, int]]:
    bounds = [0, *cuts, count]
    return list(pairwise(bounds))


def _at_clauses(segment: Segment, texts: Sequence[str], piece: tuple[int, int]) -> list[tuple[int, int]]:
    """Cut a piece that is too long in two, at the clause end or pause nearest to its middle, again and again."""
    first, last = piece
    words = segment.words[first:last]
    if words[-1].end - words[0].start <= LONGEST_SEGMENT_SECONDS or len(words) < 4:
        return [piece]
    middle = (words[0].start + words[-1].end) / 2
    inner = range(first + 2, last - 1)
    clauses = [i for i in inner if ends_clause(texts[i - 1])]
    if clauses:
        cut = min(clauses, key=lambda i: abs(segment.words[i].start - middle))
    else:
        cut = max(inner, key=lambda i: _pause(segment.words, i) - abs(segment.words[i].start - middle) / 100)
    return [*_at_clauses(segment, texts, (first, cut)), *_at_clauses(segment, texts, (cut, last))]


def _pause(words: Sequence[Word], i: int) -> float:
    return words[i].start - words[i - 1].end


def _cut(segment: Segment, texts: Sequence[str], first: int, last: int) -> Segment:
    words = segment.words[first:last]
    start = segment.start if first == 0 else words[0].start
    end = segment.end if last == len(segment.words) else words[-1].end
    return replace(segment, start=start, end=end, text="".join(texts[first:last]).strip(), words=words)
