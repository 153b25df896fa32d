"""What was found in a conversation before it becomes part of a recap, and how repetitions of it are joined."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.recap.sentences import Sentence
from application.recap.text import content_stems, tokens
from application.recap.vectors import Vector, dot

SAME_MEANING: Final = 0.62
"""Cosine of MiniLM from which two sentences of one conversation and one kind say the same thing (dev meetings)."""
SAME_WORDS: Final = 0.60
"""Share of the shorter one's content words."""


@dataclass(frozen=True, slots=True)
class Item:
    """A decision, an action item or an open question, resting on `places` (sentence indices)."""

    text: str
    places: tuple[int, ...]
    score: float
    owner: str | None = None
    due: str | None = None
    restated: bool = False

    @property
    def stems(self) -> frozenset[str]:
        return frozenset(content_stems(tokens(self.text)))


@dataclass(frozen=True, slots=True)
class Dialogue:
    """The sentences of a conversation with the vectors of those that have one."""

    sentences: Sequence[Sentence]
    vectors: Mapping[int, Vector]

    def before(self, index: int, count: int) -> Sequence[Sentence]:
        """Up to `count` sentences before, nearest first."""
        return self.sentences[max(0, index - count) : index][::-1]

    def after(self, index: int, count: int) -> Sequence[Sentence]:
        return self.sentences[index + 1 : index + 1 + count]

    def named(self) -> bool:
        return any(sentence.speaker for sentence in self.sentences)

    def similarity(self, left: int, right: int) -> float:
        if left not in self.vectors or right not in self.vectors:
            return 0.0
        return dot(self.vectors[left], self.vectors[right])


def other_voice(left: Sentence, right: Sentence) -> bool:
    """True when another person speaks, or nobody can tell."""
    return left.speaker is None or left.speaker != right.speaker


def distinct(
    items: Sequence[Item], dialogue: Dialogue, limit: int, same: Callable[[Item, Item], bool] | None = None
) -> list[Item]:
    """Join items that say the same and keep the best `limit`, in the order of the conversation.

    The best-scored wording stays; owner and due are filled in from the others; the places of all are cited, so
    that every joined claim keeps its source.
    """
    kept: list[Item] = []
    for item in sorted(items, key=lambda item: (item.restated, -item.score, item.places)):
        for place, other in enumerate(kept):
            if (same and same(item, other)) or _says_the_same(item, other, dialogue):
                kept[place] = _joined(other, item)
                break
        else:
            kept.append(item)
    best = sorted(kept, key=lambda item: (-item.score, item.places))[:limit]
    return sorted(best, key=lambda item: item.places[0])


def _joined(kept: Item, other: Item) -> Item:
    owner = kept.owner or other.owner
    due = kept.due or other.due
    helps = (owner, due) != (kept.owner, kept.due) or not other.restated
    places = tuple(sorted({*kept.places, *other.places})) if helps and len(kept.places) < 4 else kept.places
    return replace(kept, owner=owner, due=due, places=places)


def _says_the_same(left: Item, right: Item, dialogue: Dialogue) -> bool:
    if left.owner and right.owner and left.owner != right.owner:
        return False
    shorter, longer = sorted((left.stems, right.stems), key=len)
    if shorter and len(shorter & longer) / len(shorter) >= SAME_WORDS and len(shorter & longer) >= 2:
        return True
    return dialogue.similarity(left.places[-1], right.places[-1]) >= SAME_MEANING and bool(shorter & longer)
