"""Who is meant: names that the conversation itself holds, as speakers or as words of address."""

import re
from collections.abc import Sequence
from typing import Final

from application.recap.lexicon import word_set
from application.recap.sentences import Sentence

_TITLE: Final = (
    r"(?:Mister|Missus|Miss|Doctor|Nurse|Professor|Mr\.?|Mrs\.?|Ms\.?|Dr\.?|Prof\.?|Herr|Frau|Madame|Monsieur|Señora?|Dona)"
)
NAME: Final = rf"(?:{_TITLE}\s+)?[A-ZÀ-Ý][\w'’-]+(?:\s+[A-ZÀ-Ý][\w'’-]+)?"
_CALLED_FIRST: Final = re.compile(
    rf"^(?:(?:And|So|But|Then|Okay|Good|Great|Thanks|Now|Well|Yes|No)[,.]?\s+)*(?P<name>{NAME}),\s+(?=(?:can|could|"
    rf"would|will|do|did|are|how|what|when|where|who|why|please|you|is|have|shall)\b)"
)
_CALLED_LAST: Final = re.compile(rf",\s+(?P<name>{NAME})[.?!]?$")
_THANKED: Final = re.compile(rf"\b(?:thanks|thank you)(?: very much)?,?\s+(?P<name>{NAME})\s*[.!,]", re.IGNORECASE)
_REPORTED: Final = re.compile(
    rf"\b(?P<name>{NAME}) (?:told|said|promised|offered|wrote|will|is going to|has promised|wants|can't|cannot|is away|"
    rf"is sick|is not here|isn't)\b"
)
_NO_NAMES: Final = word_set(
    "i yes no so then well okay ok good great thanks thank and but the that this it we you they he she all right everybody "
    "everyone guys folks sir madam please now also however monday tuesday wednesday thursday friday saturday sunday sorry "
    "actually maybe basically look listen hey hi hello true exactly first second next finally last later today tomorrow again "
    "perhaps anyway nobody somebody someone anybody people who what which there here one if when because these those my our your "
    "his her their its each both some most many somehow nothing something everything "
)


def _real(name: str | None) -> str | None:
    return None if name is None or name.split()[0].lower() in _NO_NAMES else name


def called(text: str) -> str | None:
    """Return the name that a sentence is addressed to: `Tom, can you …` and `… can you, Tom?`."""
    for pattern in (_CALLED_FIRST, _CALLED_LAST):
        if match := pattern.search(text):
            return _real(match["name"])
    return None


def thanked(text: str) -> str | None:
    """Return who is thanked by name, so who spoke just before."""
    match = _THANKED.search(text)
    name = _real(match["name"]) if match else None
    return name if name and name[0].isupper() else None


def names_in(sentences: Sequence[Sentence]) -> tuple[str, ...]:
    """Return every name that may own a task, longest first: speakers, people addressed or thanked, and absent ones."""
    found: dict[str, None] = {}
    for sentence in sentences:
        reported = _REPORTED.search(sentence.clean)
        absent = _real(reported["name"]) if reported else None
        for name in (sentence.speaker, called(sentence.clean), thanked(sentence.clean), absent):
            if name:
                found[name] = None
    return tuple(sorted(found, key=lambda name: (-len(name), name)))
