"""Is a phrased sentence carried by what was said? Words, numbers, names, negation, and who said it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.cues import DECIDED
from application.recap.injection import addresses_the_model, has_link
from application.recap.lexicon import LANGUAGE_NAMES, NEGATIONS, REPORTING
from application.recap.sentences import Sentence
from application.recap.text import content_stems, numbers, stem, tokens
from application.recap.vectors import Vector, centroid, dot

LEXICAL_WEIGHT: Final = 0.7
SEMANTIC_RANGE: Final = (0.25, 0.75)
"""Cosine of MiniLM between a sentence and an unrelated one, and a close paraphrase, of one meeting."""
MOST_CITED: Final = 4
NEGATION_REACH: Final = 5
"""Words behind a negation that it is taken to govern."""
OWN_WORDS: Final = 0.4
"""Share of the supported words that somebody named as the subject must have said."""
HARMLESS_NUMBERS: Final = frozenset({0, 1, 2})
"""Small counts arise from phrasing alone (`two options`, `first`)."""
NEGATIVE: Final = re.compile(
    r"\b(?:un\w+|in(?:sufficient|correct|complete|ability)|im(?:possible|practical)|lack\w*|fail\w*|refus\w*|"
    r"reject\w*|avoid\w*|against|without|drop\w*|stop\w*|"
    r"instead|rather|difficult\w*|hard|problem\w*|concern\w*|issue\w*|too|little|few|less|only|exclud\w*|remov\w*|"
    r"limit\w*|discontinu\w*|away|postpon\w*|"
    r"cancel\w*|missing|absent|absence|doubt\w*|disagree\w*|worr\w*|negativ\w*|open|question\w*|whether)\b",
    re.IGNORECASE,
)
"""Words that can carry a negation of the notes without a `not`."""
MISATTRIBUTED: Final = "somebody else said it"
MOSTLY: Final = 0.6
"""Share of the supported words by which somebody else is the one who said it."""
CLAUSES: Final = re.compile(r",? (?:and|but|while|whereas|so) (?=[A-ZÀ-Ý]|the )|; ")
SUBJECT: Final = re.compile(r"^(?:[Tt]he )?(?P<name>[\w'’-]+(?: [A-ZÀ-Ý][\w'’-]+)*)")
REPORTING_STEMS: Final = frozenset(stem(word) for word in REPORTING)
SETTLED: Final = re.compile(
    r"\b(?:decid\w+|agree[ds]?|approv\w+|settled|resolved|finali[sz]ed|conclud\w+|confirm\w+)\b", re.IGNORECASE
)
_SOFTER: Final = (
    (re.compile(r"\b(?:have |has )?(?:decided|agreed) to\b(?! \w+ing)"), "discussed whether to"),
    (re.compile(r"\b(?:have |has )?(?:decided|agreed|settled) (?:on|upon)\b"), "discussed"),
    (re.compile(r"\b(?:have |has )?(?:decided|concluded|agreed) that\b"), "suggested that"),
    (re.compile(r"\bwas (?:decided|agreed|settled) that\b"), "was suggested that"),
    (re.compile(r"\bwas (?:decided|agreed) to\b"), "was suggested to"),
)


@dataclass(frozen=True, slots=True)
class Grounded:
    """A phrased sentence, the sentences it rests on, how far they carry it (0 to 1), and what speaks against it."""

    text: str
    sources: tuple[Sentence, ...]
    support: float
    fault: str | None = None


def softened(text: str, sources: Sequence[Sentence], settled: frozenset[int]) -> str:
    """Turn `decided to` into `discussed whether to` when nothing among the sources settled anything."""
    if not SETTLED.search(text) or any(s.index in settled or DECIDED.search(s.clean) for s in sources):
        return text
    for pattern, words in _SOFTER:
        text = pattern.sub(words, text)
    return text


def reattributed(text: str, sources: Sequence[Sentence], speakers: frozenset[str]) -> str | None:
    """Give a sentence that begins with the wrong person to the one whose words it is made of; None when there is none."""
    subject = SUBJECT.match(text)
    said = frozenset(content_stems(tokens(text))) & frozenset().union(*(s.stems for s in sources))
    if not subject or not said or CLAUSES.search(text):
        return None
    for speaker in sorted({s.speaker for s in sources if s.speaker}):
        theirs = said & frozenset().union(*(s.stems for s in sources if s.speaker == speaker))
        names = sorted((part for name in speakers for part in (name, *name.split())), key=len, reverse=True)
        wrong = re.match(
            rf"(?:The )?(?:{'|'.join(map(re.escape, names))})(?: (?:team|expert|specialist|designer))?\b", text, re.IGNORECASE
        )
        if wrong and len(theirs) >= MOSTLY * len(said):
            return speaker + text[wrong.end() :]
    return None


def grounded(
    text: str, notes: Sequence[Sentence], vector: Vector | None, vectors: Mapping[int, Vector], speakers: frozenset[str]
) -> Grounded:
    """Check one sentence against the notes it was written from and say which of them it cites.

    Support is the share of its content words found in the cited notes, mixed with its cosine to them. A number, a
    name, a negation or a speaker that the notes do not bear out makes it 0, whatever the words.
    """
    words = tokens(text)
    named = {speaker for speaker in speakers if re.search(rf"\b{re.escape(speaker)}\b", text, re.IGNORECASE)}
    spoken = {stem(part) for speaker in named for part in tokens(speaker)}
    claims = frozenset(content_stems(words)) - REPORTING_STEMS - spoken
    sources = _sources(claims, notes)
    held = frozenset().union(*(_held(source) for source in sources)) if sources else frozenset()
    if not claims or not sources:
        return Grounded(text, sources, 0.0, "nothing of it was said")
    fault = _fault(text, words, claims, sources, named, speakers)
    if fault:
        return Grounded(text, sources, 0.0, fault)
    lexical = len(claims & held) / len(claims)
    if vector is None:
        return Grounded(text, sources, lexical)
    low, high = SEMANTIC_RANGE
    near = dot(vector, centroid(vectors[s.index] for s in sources if s.index in vectors))
    semantic = min(1.0, max(0.0, (near - low) / (high - low)))
    return Grounded(text, sources, LEXICAL_WEIGHT * lexical + (1 - LEXICAL_WEIGHT) * semantic)


def _held(sentence: Sentence) -> frozenset[str]:
    """The stems a source bears out: its words, and the name of who spoke."""
    return sentence.stems | frozenset(stem(part) for part in tokens(sentence.speaker or ""))


def _sources(claims: frozenset[str], notes: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Take the notes that cover most claims, one by one, while each adds something."""
    left, chosen = set(claims), list[Sentence]()
    while left and len(chosen) < MOST_CITED:
        best = max((n for n in notes if n not in chosen), key=lambda n: (len(left & n.stems), -n.index), default=None)
        if best is None or not left & best.stems:
            break
        chosen.append(best)
        left -= best.stems
    return tuple(sorted(chosen, key=lambda s: s.index))


def _fault(
    text: str,
    words: Sequence[str],
    claims: frozenset[str],
    sources: Sequence[Sentence],
    named: set[str],
    speakers: frozenset[str],
) -> str | None:
    if addresses_the_model(text) or has_link(text):
        return "instructions or links"
    said = frozenset().union(*(s.numbers for s in sources)) | numbers(tokens(" ".join(s.speaker or "" for s in sources)))
    if numbers(words) - HARMLESS_NUMBERS - said:
        return "a number that was not said"
    heard = {word for s in sources for word in (*s.words, *tokens(s.speaker or ""))}
    for name in _names(text):
        if not any(
            part in heard or (stem(part) in claims and any(stem(part) in s.stems for s in sources)) for part in tokens(name)
        ):
            return "a name that was not said"
    if _flips(words, text, claims, sources):
        return "a negation that was not said, or was"
    absent = [speaker for speaker in named if not any(_is_by(s, {speaker}) for s in sources)]
    if absent or any(_misattributed(clause, claims, sources, speakers) for clause in CLAUSES.split(text)):
        return MISATTRIBUTED
    return None


def _is_by(source: Sentence, speakers: set[str]) -> bool:
    """True when one of `speakers` said it, or it names one."""
    return source.speaker in speakers or any(set(tokens(speaker)) <= set(source.words) for speaker in speakers)


def _misattributed(clause: str, claims: frozenset[str], sources: Sequence[Sentence], speakers: frozenset[str]) -> bool:
    """True when a clause begins with somebody who said little of what it says."""
    subject = SUBJECT.match(clause)
    first = set(tokens(subject["name"])) if subject else set()
    meant = {speaker for speaker in speakers if first and first <= set(tokens(speaker))}
    if not meant:
        return False
    covered = claims & frozenset(content_stems(tokens(clause))) & frozenset().union(*(s.stems for s in sources))
    theirs = covered & frozenset().union(*(s.stems for s in sources if _is_by(s, meant)))
    return len(theirs) < OWN_WORDS * len(covered)


def _names(text: str) -> list[str]:
    """Capitalised words inside the sentence; languages that capitalise nouns are covered by the words themselves."""
    found = re.findall(r"(?<=[\w,;:] )[A-ZÀ-Ý][\w'’-]+", text)
    return [name for name in found if name not in LANGUAGE_NAMES.values() and name.lower() not in ("i", "i'm", "i'll")]


def _flips(words: Sequence[str], text: str, claims: frozenset[str], sources: Sequence[Sentence]) -> bool:
    """True when the sentence denies what no source denies, or asserts what its main source denies."""
    denied = any(word in NEGATIONS for word in words)
    if denied:
        return not any(any(word in NEGATIONS for word in s.words) or NEGATIVE.search(s.clean) for s in sources)
    if NEGATIVE.search(text):
        return False
    main = max(sources, key=lambda s: len(claims & s.stems))
    shared = claims & main.stems
    if not shared & _governed(main.words):
        return False
    return not any(
        len(shared & s.stems & frozenset(s.stems - _governed(s.words))) >= 0.6 * len(shared) for s in sources if s is not main
    )


def _governed(words: Sequence[str]) -> frozenset[str]:
    """Stems that stand within reach behind a negation."""
    found: set[str] = set()
    for place, word in enumerate(words):
        if word in NEGATIONS:
            found.update(content_stems(words[place + 1 : place + 1 + NEGATION_REACH]))
    return frozenset(found)
