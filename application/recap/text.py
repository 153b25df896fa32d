"""Words of a sentence: tokens, stems, numbers, negation, and the light cleaning of quoted speech."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from application.recap.lexicon import BACKCHANNELS, FILLERS, ORDINALS, SCALES, STOP_WORDS, TENS, UNITS

WORD: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
NUMBER: Final = re.compile(r"^(\d+)(?:st|nd|rd|th)?$")
UNSPACED: Final = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")
"""Scripts written without spaces between words (kana, Han, Hangul, Thai): read as character pairs."""
STEM_LENGTH: Final = 7
"""Letters of a stem that must agree. `presentation` and `presented` meet, `interest` and `interface` do not."""
SUFFIXES: Final = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ingly",
    "ings",
    "ing",
    "edly",
    "ies",
    "ied",
    "ers",
    "ed",
    "es",
    "er",
    "ly",
    "s",
)


def tokens(text: str) -> tuple[str, ...]:
    """Return the lower-case words of `text`; unspaced scripts give overlapping character pairs."""
    found: list[str] = []
    for word in WORD.findall(text.lower().replace("’", "'")):
        if UNSPACED.search(word) and len(word) > 2:
            found += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            found.append(word)
    return tuple(found)


def stem(word: str) -> str:
    """Return what stays of a word when its ending may change: enough to compare, not to read."""
    word = word.removesuffix("'s").removesuffix("'")
    for suffix in SUFFIXES:
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            word = word[: -len(suffix)]
            break
    word = word.removesuffix("e") if len(word) > 3 else word
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word.removesuffix("y")[:STEM_LENGTH] if len(word) > 3 else word


def content_stems(words: Iterable[str]) -> tuple[str, ...]:
    """Return the stems of the words that carry a topic: neither function words, fillers nor numbers."""
    parts = (part for word in words for part in word.split("-"))
    return tuple(
        stem(part)
        for part in parts
        if len(part) > 1 and part not in STOP_WORDS and part not in FILLERS and _value(part) is None and part not in SCALES
    )


def numbers(words: Sequence[str]) -> frozenset[int]:
    """Return every number said, in figures or in English words (`thirty one`, `eighty thousand`, `16th`)."""
    found: set[int] = set()
    current: int | None = None
    for word in (part for said in words for part in said.split("-")):
        value = _value(word)
        if word in SCALES:
            current = (current or 1) * SCALES[word]
        elif value is None:
            if current is not None:
                found.add(current)
            current = None
        elif current is not None and _continues(current, value):
            current += value
        else:
            if current is not None:
                found.add(current)
            current = value
    return frozenset(found | ({current} if current is not None else set()))


def _continues(current: int, value: int) -> bool:
    """`thirty` goes on with `one`, `three hundred` with `twelve`."""
    return (value < 10 <= current < 100 and current % 10 == 0) or (current >= 100 and value < 100)


def _value(word: str) -> int | None:
    if match := NUMBER.match(word):
        return int(match.group(1)[:12])
    for table in (UNITS, TENS, ORDINALS):
        if word in table:
            return table[word]
    return None


def is_backchannel(words: Sequence[str]) -> bool:
    """True for sentences such as `Yeah, okay.` that say nothing by themselves."""
    return all(word in BACKCHANNELS for word in words)


def cleaned(text: str) -> str:
    """Return a quoted sentence without fillers and stutters, capitalised, with a full stop at its end.

    Only words are taken away, none is added: what stays was said.
    """
    text = re.sub(r"[\x00-\x1f\x7f<>`]+", " ", text)
    text = re.sub(r",?\s*\b(?:you know|I mean)\s*,", ",", text)
    kept: list[str] = []
    for token in text.split():
        bare = token.strip(".,;:!?\"'()…-").lower()
        previous = kept[-1].strip(".,;:!?\"'()…-").lower() if kept else ""
        if bare in FILLERS or not bare:
            if kept and token[-1:] in ".?!" and kept[-1][-1:] not in ".?!":
                kept[-1] = kept[-1].rstrip(",;:") + token[-1]
            continue
        stutter = bare == previous or (0 < len(previous) <= 3 and previous not in STOP_WORDS and bare.startswith(previous))
        if kept and stutter and kept[-1][-1:] not in ".?!" and not bare.isdigit():
            kept[-1] = token
        else:
            kept.append(token)
    joined = " ".join(kept).strip(" ,;:-")
    joined = re.sub(r"\s+([,.;:?!])", r"\1", joined)
    if not joined:
        return ""
    joined = joined[0].upper() + joined[1:]
    return joined if joined[-1] in ".?!…。！？" else joined + "."
