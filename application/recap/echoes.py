"""Words of a prompt's own example that come back as if somebody had said them."""

from collections.abc import Iterable
from typing import Final

from application.recap.lexicon import REPORTING
from application.recap.text import content_stems, stem, tokens

RUN: Final = 3
"""So many words of the example in a row, one of them a content word that the notes do not have, are copied."""
_NARRATION: Final = frozenset(stem(word) for word in REPORTING)


def echoes_example(text: str, example: Iterable[str], notes: str) -> bool:
    """True when `text` holds a run of the example's words that the notes can not have given."""
    said = frozenset(content_stems(tokens(notes)))
    foreign = frozenset(content_stems(tokens(text))) - said - _NARRATION
    if not foreign:
        return False
    shown = {run for part in example for run in _runs(tokens(part))}
    return any(run in shown and foreign & frozenset(content_stems(run)) for run in _runs(tokens(text)))


def _runs(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [words[start : start + RUN] for start in range(len(words) - RUN + 1)]
