"""Texts in groups that are one embedding call each."""

from collections.abc import Iterator, Sequence
from typing import Final

TEXTS_PER_CALL: Final = 64
"""Texts of one embedding call: one batch of the replica, small enough that no call is long."""
CHARACTERS_PER_CALL: Final = 32_768
"""Characters of one call, for texts that are longer than the model reads: about as much work as 64 sentences of 500."""


def text_groups(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the texts in order, at most `TEXTS_PER_CALL` and `CHARACTERS_PER_CALL` in a group; a longer text is alone."""
    start, characters = 0, 0
    for index, text in enumerate(texts):
        full = index - start >= TEXTS_PER_CALL or characters + len(text) > CHARACTERS_PER_CALL
        if index > start and full:
            yield texts[start:index]
            start, characters = index, 0
        characters += len(text)
    if texts:
        yield texts[start:]
