"""From segments to sentences: the units that are embedded, selected and cited."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.injection import addresses_the_model
from application.recap.text import UNSPACED, cleaned, content_stems, is_backchannel, numbers, tokens
from domain.transcript import Segment

SENTENCE_END: Final = re.compile(
    r"(?<!\bMr\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bSt\.)(?<!\bMrs\.)(?<!\bProf\.)(?<=[.!?…])[\"')\]]*\s+(?=[^\sa-z])|(?<=[。！？])\s*"
)
"""A stop, then something that is no small letter: keeps `3.5`, `e.g. this` and `Dr. Lane` whole."""
_VERB: Final = r"(?:is|are|was|were|has|have|had|can|could|will|would|should|must|may|needs?|do|does|did|sent|says?|shows?)"
COMMA_SPLICE: Final = re.compile(
    r",\s+(?=(?:but |then |but then )?(?:I|we|let us|let's|it|that|they|there|you)(?:'\w+)? (?!all\b|know\b|mean\b)\w)"
    rf"|,\s+(?=(?:but )?(?:the|this|that|these|our|my|his|her|their|your|some|most|one) (?:[\w'-]+ ){{0,4}}?{_VERB}\b)"
    rf"|,\s+(?=(?:and )?(?:can|could|would|will|shall|do|does|did|are|is) (?:you|we|I|they|it|there)\b)"
    rf"|,\s+(?=(?:which|how|what|when|who|where|why) (?:[\w'-]+ ){{0,3}}?{_VERB}\b[^,]*\?)"
    r"|,\s+(?=(?:[A-Z][\w.]* ){0,2}[A-Z]\w*, (?:can|could|would|will|how|what|when|do|did) )"
    r"|,\s+(?=so (?:we|I|let us|let's|[\w'-]+ [\w'-]+ [\w'-]+) )"
)
"""Where a recogniser wrote a comma for a full stop (`It was slow, we fixed it, could you test it?`)."""
SUBORDINATE: Final = re.compile(
    r"^(?:(?:and|but|so|then|or)\s+)?(?:if|when|whenever|because|since|although|though|while|whereas|after|before|until|unless|once|as|"
    r"in case|whether|what|how|who|where|which|given|for|from|with|in|on|at|by|to|wenn|weil|si|quand|cuando)\b",
    re.IGNORECASE,
)
"""A clause that leans on the next one: the comma behind it is right."""
SHORTEST_CLAUSE: Final = 3
"""Words on both sides of a comma that ends a sentence."""
MAX_WORDS: Final = 60
"""Longest sentence in words: speech without punctuation is cut here, well inside the 256 tokens that MiniLM reads."""
MAX_CHARACTERS: Final = 400
MAX_UNSPACED: Final = 120
"""Characters of a sentence in scripts without spaces, where one character is about one token."""
JOIN_PAUSE_S: Final = 1.5
"""A pause that ends a sentence even when the recogniser wrote no full stop. Seconds."""
ORDER_REACH: Final = 3
"""Sentences behind one that talks to a model which are distrusted with it, while the same person goes on: the order often comes
in the next breath. No more, or one such sentence would silence the rest of a lecture."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A citable sentence. `turn` counts changes of speaker (constant when nobody is named); times in seconds.

    `clean` is the text without fillers; `suspicious` marks words that talk to a model rather than to people.
    """

    index: int
    text: str
    clean: str
    segment_ids: tuple[int, ...]
    start: float
    end: float
    turn: int
    speaker: str | None
    words: tuple[str, ...]
    stems: frozenset[str]
    numbers: frozenset[int]
    suspicious: bool = False

    @property
    def is_backchannel(self) -> bool:
        return not self.words or is_backchannel(self.words)

    @property
    def is_question(self) -> bool:
        return self.text.rstrip("\"' )").endswith(("?", "？"))


def sentences_of(segments: Sequence[Segment]) -> list[Sentence]:
    """Return the sentences of a transcript in its order; every word of every segment is in exactly one of them."""
    found: list[Sentence] = []
    poisoned: frozenset[int] = frozenset()
    order: tuple[int, int] | None = None
    for turn, run in _runs(segments):
        for text, parts in _split(run):
            ids = tuple(segment.id for segment in parts)
            speaker = parts[0].speaker
            suspicious = addresses_the_model(text)
            if suspicious:
                poisoned |= set(ids)
                order = (turn, len(found) + ORDER_REACH) if speaker else None
            words = tokens(text)
            goes_on = order is not None and turn == order[0] and len(found) <= order[1]
            tainted = suspicious or goes_on or bool(poisoned & set(ids))
            stems = frozenset(content_stems(words))
            place = (ids, parts[0].start, parts[-1].end, turn, speaker)
            found.append(Sentence(len(found), text, cleaned(text), *place, words, stems, numbers(words), tainted))
    return found


def _runs(segments: Sequence[Segment]) -> Iterator[tuple[int, list[Segment]]]:
    """Group neighbours that may share a sentence: same speaker, no long pause, no full stop between them."""
    turn, run = 0, list[Segment]()
    for segment in segments:
        if not segment.text.strip():
            continue
        if run:
            last = run[-1]
            same_speaker = last.speaker == segment.speaker
            goes_on = not last.text.rstrip("\"' )").endswith((".", "!", "?", "…", "。", "！", "？"))
            words = sum(len(part.text.split()) for part in run)
            if not (same_speaker and goes_on and segment.start - last.end < JOIN_PAUSE_S and words < MAX_WORDS):
                yield turn, run
                run = []
            turn += not same_speaker
        run.append(segment)
    if run:
        yield turn, run


def _split(run: Sequence[Segment]) -> Iterator[tuple[str, list[Segment]]]:
    """Cut a run into sentences and say which segments each one touches."""
    text, edges = "", list[tuple[int, Segment]]()
    for segment in run:
        text = f"{text} {segment.text.strip()}" if text else segment.text.strip()
        edges.append((len(text), segment))
    position = 0
    for sentence in (p for part in SENTENCE_END.split(text) for clause in _unspliced(part) for p in _bounded(clause)):
        start = text.index(sentence, position)
        position = start + len(sentence)
        begins = 0
        touched: list[Segment] = []
        for ends, segment in edges:
            if begins < position and start < ends:
                touched.append(segment)
            begins = ends
        yield sentence, touched


def _unspliced(text: str) -> Iterator[str]:
    """Cut at commas that stand for full stops, so that one sentence makes one claim."""
    start = 0
    for match in COMMA_SPLICE.finditer(text):
        left, right = text[start : match.start()], text[match.end() : match.end() + MAX_CHARACTERS]
        long_enough = min(len(left.split()), len(right.split())) >= SHORTEST_CLAUSE
        if long_enough and not SUBORDINATE.match(left.strip()):
            yield f"{left},"
            start = match.end()
    yield text[start:]


def _bounded(text: str) -> Iterator[str]:
    """Cut what is too long for one vector, at a comma when there is one in reach."""
    text = text.strip()
    while text:
        limit = MAX_UNSPACED if UNSPACED.search(text[:MAX_CHARACTERS]) else MAX_CHARACTERS
        words = list(re.finditer(r"\S+", text[: 4 * MAX_CHARACTERS]))
        if len(words) <= MAX_WORDS and len(text) <= limit:
            yield text
            return
        limit = min(limit, words[MAX_WORDS - 1].end() if len(words) > MAX_WORDS else limit)
        cut = max(text.rfind(mark, limit // 2, limit) + 1 for mark in (",", ";", "、", "，"))
        cut = cut or text.rfind(" ", limit // 2, limit + 1)
        cut = cut if cut > 0 else limit
        yield text[:cut].strip()
        text = text[cut:].strip()
