"""Words of any language, and of none in particular: compared by their beginnings, counted, cleaned when they are quoted."""

import re
import unicodedata
from typing import Final

MARKS: Final = (
    r"\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f"
    r"\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
)
"""Accents and vowel signs behind their letter (Latin, Hebrew, Arabic, Devanagari, Thai): part of its word."""
_LETTERS: Final = rf"(?:[^\W_]|[{MARKS}])+"
WORD: Final = re.compile(rf"{_LETTERS}(?:['’]{_LETTERS})*")
NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
UNSPACED: Final = re.compile(r"[぀-ヿ㐀-鿿가-힯฀-๿]")
"""Scripts written without spaces between words (kana, Han, Hangul, Thai): read as character pairs."""
STOPS: Final = ".!?…。！？।؟۔"
CLOSING: Final = "\"')”’»›」』"
"""What may stand behind the stop of a sentence and still belong to it."""
SENTENCE_END: Final = re.compile(rf"(?<=[.!?…।؟۔])[{CLOSING}]*\s+|(?<=[。！？])[{CLOSING}]*\s*")
SHORT_CAPITAL: Final = re.compile(r"\b[^\W\d_]\w{0,2}\.$")
"""`Dr.`, `J.`: a stop behind so short a word with a capital may be none."""
BEFORE: Final = 6
"""Characters in which such a word stands."""
SHORTEST: Final = 4
"""Letters of a word that says something by itself; shorter ones are mostly grammar, in all languages that were looked at."""
STEM: Final = 6
"""Letters that have to agree, since endings change."""
UNSPOKEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff<>`{}|\\\[\]]+")
"""Control characters, invisible marks and the signs of markup: nobody says them, and models and pages read them as more."""
LINK: Final = re.compile(r"(?:\b\w+:)?//\S+|\bwww\.\S+|\S+@\S+\.\S+")


def folded(text: str) -> str:
    """Return lower-case text without accents; letters that only look alike become the plain one (Unicode NFKD)."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


def tokens(text: str) -> tuple[str, ...]:
    """Return the folded words of `text`; unspaced scripts give overlapping character pairs."""
    found: list[str] = []
    for word in WORD.findall(folded(text)):
        if UNSPACED.search(word) and len(word) > 2:
            found += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            found.append(word)
    return tuple(found)


def content(text: str) -> frozenset[str]:
    """Return the beginnings of the words that carry a topic."""
    return frozenset(word[:STEM] for word in tokens(text) if len(word) >= SHORTEST or UNSPACED.search(word))


def numbers(text: str) -> frozenset[str]:
    """Return every number written in figures."""
    return frozenset(NUMBER.findall(unicodedata.normalize("NFKC", text)))


def one_line(text: str) -> str:
    """Return words on one line, without control characters, invisible marks and markup."""
    return re.sub(r"\s+", " ", UNSPOKEN.sub(" ", text)).strip()


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, in order; every word is in one of them."""
    found: list[str] = []
    start = 0
    for stop in SENTENCE_END.finditer(text):
        if not _goes_on(text, stop.start(), stop.end()):
            found.append(text[start : stop.end()].strip())
            start = stop.end()
    return [part for part in (*found, text[start:].strip()) if part]


def _goes_on(text: str, stop: int, after: int) -> bool:
    """Whether a sentence goes on behind a stop: a small letter follows, a figure, or the stop may be that of an abbreviation."""
    following = text[after : after + 1]
    if following.islower() or text[stop - 1] != ".":
        return following.islower()
    short = SHORT_CAPITAL.search(text, max(0, stop - BEFORE), stop)
    return following.isdigit() or (short is not None and short[0][0].isupper())


def whole(sentence: str) -> bool:
    """Return whether a sentence ends in a stop."""
    return sentence.rstrip(CLOSING).endswith(tuple(STOPS))


def quoted(text: str) -> str:
    """Return what was said as it can stand in minutes: no word twice in a row, a capital, a full stop, no addresses.

    Only words are taken away, none is added.
    """
    kept: list[str] = []
    for token in LINK.sub(" ", one_line(text)).split():
        bare = token.strip(".,;:!?\"'()…-–—").lower()
        previous = kept[-1].strip(".,;:!?\"'()…-–—").lower() if kept else ""
        if not bare:
            continue
        if kept and bare == previous and not bare.isdigit():
            kept[-1] = token
        else:
            kept.append(token)
    joined = " ".join(kept).strip(" ,;:-–—")
    if not joined:
        return ""
    joined = joined[0].upper() + joined[1:]
    return joined if whole(joined) else joined + "."
