"""Which speakers a sentence names: by their label, or by a word of it that no other speaker's has."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from application.recap.text import UNSPACED, WORD, folded

NAME_LETTERS: Final = 3
"""Of a part of a label that stands for the whole: `Lane` for `Dr Lane`, but not `Dr`."""


@dataclass(frozen=True, slots=True)
class Calling:
    """One way to name a speaker: words that follow one another, as the label spells them."""

    speaker: str
    words: tuple[str, ...]

    def names(self, sentence: str) -> bool:
        """Whether a written sentence names the speaker: with a capital, or spelt as the label is.

        One letter at the beginning may be a word of the language.
        """
        if UNSPACED.search(self.speaker):
            return self.said_in(sentence)
        words = WORD.findall(sentence)
        alone = int(len(self.words) == 1 and len(self.words[0]) == 1)
        return any(self._stands(words[start:]) for start in range(alone, len(words) - len(self.words) + 1))

    def said_in(self, spoken: str) -> bool:
        """Whether the name was said, however it was spelt."""
        wanted = [folded(word) for word in self.words]
        if UNSPACED.search(self.speaker):
            return all(word in folded(spoken) for word in wanted)
        words = [folded(word) for word in WORD.findall(spoken)]
        indices = range(len(words) - len(wanted) + 1)
        return any(all(map(_is, words[start:], wanted)) for start in indices)

    def _stands(self, words: list[str]) -> bool:
        spelt = words[0] == self.words[0] or not words[0][0].islower()
        return spelt and all(_is(folded(word), folded(wanted)) for word, wanted in zip(words, self.words, strict=False))


@lru_cache(maxsize=16)
def callings(speakers: frozenset[str]) -> tuple[Calling, ...]:
    """Return the ways in which each speaker may be named; asked for every sentence of a recap."""
    return tuple(_callings(speakers))


def _callings(speakers: frozenset[str]) -> Iterator[Calling]:
    labels = {speaker: tuple(WORD.findall(speaker)) for speaker in sorted(speakers)}
    spread = Counter(word for label in labels.values() for word in {folded(word) for word in label})
    for speaker, label in labels.items():
        if label:
            yield Calling(speaker, label)
        for word in label if len(label) > 1 else ():
            if spread[folded(word)] == 1 and word.isalpha() and (len(word) >= NAME_LETTERS or UNSPACED.search(word)):
                yield Calling(speaker, (word,))


def _is(word: str, wanted: str) -> bool:
    """Whether a word is the wanted one, or its genitive with an apostrophe."""
    return word == wanted or word.startswith((f"{wanted}'", f"{wanted}’"))
