"""The opening sentence of a longer recap: what it was all about, in the titles of the chapters that took longest."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.grounding import REPORTING_STEMS, grounded
from application.recap.merge import segment_ids
from application.recap.sentences import Sentence
from application.recap.text import WORD, content_stems, tokens
from domain.recap import Statement

SHORTEST_RECAP: Final = 4
"""Chapters from which a recap is opened by an overview: fewer are an overview already."""
TOPICS: Final = 2
MEETING: Final = 3
"""Speakers from which a conversation is called a meeting."""
OCCASIONS: Final[Mapping[str, str]] = {
    "stand-up": "stand-up",
    "interview": "interview",
    "sales-call": "call",
    "lecture": "lecture",
}
_BEFORE: Final = re.compile(
    r"^(?:(?:team|group|further)\s+)?(?:discuss(?:ing|ion)(?:\s+(?:on|of|about))?|overview\s+of)\s+", re.IGNORECASE
)
_AFTER: Final = re.compile(r"\s+(?:discussions?|overview|meeting|session)$", re.IGNORECASE)
_NO_PHRASE: Final = re.compile(
    r"[,;:.?!]|\b(?:is|are|was|were|has|have|had|will|he|she|they|we|you|it)\b|['’](?:s|re|ll|m)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A chapter's title as the model gave it, with the chapter's sentences."""

    title: str
    sentences: Sequence[Sentence]

    @property
    def weight(self) -> int:
        """Words spoken in the chapter."""
        return sum(len(s.words) for s in self.sentences)


def overview(topics: Sequence[Topic], chapters: int, template: str, language: str, speakers: frozenset[str]) -> Statement | None:
    """Return `The meeting was about A and B.` from the titles of the longest chapters, None when none is fit for it.

    Each title has to be a phrase of its own whose words its chapter bears out; the sentences that do are cited. English
    only: the words around the titles are ours.
    """
    if chapters < SHORTEST_RECAP or language.lower().split("-")[0] != "en":
        return None
    spelling = spellings(s.clean for topic in topics for s in topic.sentences)
    chosen: list[tuple[int, str, Sequence[Sentence]]] = []
    taken: list[frozenset[str]] = []
    for place, topic in sorted(enumerate(topics), key=lambda pair: (-pair[1].weight, pair[0])):
        phrase = phrase_of(topic.title, spelling)
        stems = frozenset(content_stems(tokens(phrase))) - REPORTING_STEMS
        if not stems or any(2 * len(stems & other) >= min(len(stems), len(other)) for other in taken):
            continue
        spoken = [s for s in topic.sentences if not s.suspicious]
        held = grounded(phrase, spoken, None, {}, speakers)
        if held.support < 1.0:
            continue
        chosen.append((place, phrase, held.sources))
        taken.append(stems)
        if len(chosen) == TOPICS:
            break
    if not chosen:
        return None
    chosen.sort(key=lambda each: each[0])
    named = joined([phrase for _, phrase, _ in chosen])
    sources = [source for _, _, found in chosen for source in found]
    occasion = OCCASIONS.get(template) or ("meeting" if len(speakers) >= MEETING else "conversation")
    return Statement(f"The {occasion} was about {named}.", segment_ids(sources), 1.0)


def phrase_of(title: str, spelling: Mapping[str, str]) -> str:
    """Return a title as words in the middle of a sentence; empty when it is no phrase of two words or more."""
    words = _AFTER.sub("", _BEFORE.sub("", title.strip()))
    if _NO_PHRASE.search(words) or len(words.split()) < 2:
        return ""
    return WORD.sub(lambda match: spelling.get(match[0].lower(), _small(match[0])), words)


def spellings(texts: Iterable[str]) -> dict[str, str]:
    """Return how words are written inside sentences, where a capital says that it is a name."""
    seen: dict[str, Counter[str]] = {}
    for text in texts:
        for word in WORD.findall(text)[1:]:
            seen.setdefault(word.lower(), Counter())[word] += 1
    return {word: forms.most_common(1)[0][0] for word, forms in seen.items()}


def joined(phrases: Sequence[str]) -> str:
    """Return `A and B`, with a comma where a phrase has an `and` of its own."""
    between = ", and " if any(" and " in phrase for phrase in phrases) else " and "
    return between.join(phrases)


def _small(word: str) -> str:
    """A word that nobody said inside a sentence: small, unless it is written as no common word is."""
    return word if any(letter.isupper() for letter in word[1:]) or len(word) == 1 else word.lower()
