"""From chapters and items to the recap: what goes into the summary, what becomes a key point, what is left out."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.grounding import REPORTING_STEMS
from application.recap.injection import addresses_the_model, has_link
from application.recap.items import Item
from application.recap.lexicon import STOP_WORDS
from application.recap.sentences import Sentence
from application.recap.text import WORD, content_stems, stem, tokens
from application.recap.vectors import Vector, dot
from domain.recap import ActionItem, Statement

REPEATS: Final = 0.72
"""Cosine of MiniLM from which a key point would only repeat a statement (dev meetings)."""
TITLE_SUPPORT: Final = 0.7
"""Share of a title's content words that the conversation must hold."""
TITLE_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class Weighed:
    """A statement with its vector and the weight of its chapter (words spoken)."""

    statement: Statement
    vector: Vector | None
    weight: int


def quote(sentence: Sentence) -> Statement:
    """What was said, as it was said, with the speaker's name in front."""
    text = f"{sentence.speaker}: {sentence.clean}" if sentence.speaker else sentence.clean
    return Statement(text, sentence.segment_ids, 1.0)


def segment_ids(sentences: Sequence[Sentence]) -> tuple[int, ...]:
    """Return the segments of the sentences, each once, in their order."""
    return tuple(dict.fromkeys(segment for sentence in sentences for segment in sentence.segment_ids))


def summary_and_rest(chapters: Sequence[Sequence[Weighed]], words: int) -> tuple[list[Statement], list[Weighed]]:
    """Give every chapter its first statement, the longest chapters their second while words are left.

    When even the first statements are too many, the longest chapters keep theirs: the others stay in `chapters`.
    """
    order = sorted(
        ((rank, -weighed.weight, place) for place, chapter in enumerate(chapters) for rank, weighed in enumerate(chapter)),
    )
    chosen: set[tuple[int, int]] = set()
    used = 0
    for rank, _, place in order:
        size = len(chapters[place][rank].statement.text.split())
        if chosen and used + size > words:
            continue
        chosen.add((place, rank))
        used += size
    summary = [chapters[place][rank].statement for place, rank in sorted(chosen)]
    rest = [w for place, chapter in enumerate(chapters) for rank, w in enumerate(chapter) if (place, rank) not in chosen]
    return summary, rest


def key_points(candidates: Sequence[Weighed], told: Sequence[Weighed], limit: int) -> list[Statement]:
    """Return up to `limit` candidates, best first in, in their order, that say what nothing told yet says."""
    kept: list[tuple[int, Weighed]] = []
    for place, candidate in enumerate(candidates):
        if len(kept) == limit:
            break
        if not any(_repeats(candidate, other) for other in (*told, *(w for _, w in kept))):
            kept.append((place, candidate))
    return [w.statement for _, w in sorted(kept, key=lambda pair: (pair[1].statement.segment_ids, pair[0]))]


def _repeats(left: Weighed, right: Weighed) -> bool:
    if left.statement.text == right.statement.text:
        return True
    if left.vector is not None and right.vector is not None:
        return dot(left.vector, right.vector) >= REPEATS
    ours, theirs = (frozenset(content_stems(tokens(w.statement.text))) for w in (left, right))
    return bool(ours) and len(ours & theirs) >= 0.8 * len(ours)


def statement_of(item: Item, sentences: Sequence[Sentence]) -> Statement:
    """An item's text is made of the words of its sentences only, so they carry it fully."""
    return Statement(item.text, segment_ids([sentences[place] for place in item.places]), 1.0)


def action_of(item: Item, sentences: Sequence[Sentence]) -> ActionItem:
    """Word an action item as the recap has it."""
    cited = segment_ids([sentences[place] for place in item.places])
    return ActionItem(item.text, cited, 1.0, item.owner, item.due)


def sound_title(title: str, sentences: Sequence[Sentence]) -> bool:
    """True when the words of a title were said and it neither orders nor links."""
    claims = frozenset(content_stems(tokens(title))) - REPORTING_STEMS
    held = frozenset(stem for s in sentences if not s.suspicious for stem in s.stems)
    if not claims or len(title) > TITLE_LENGTH or addresses_the_model(title) or has_link(title):
        return False
    return len(claims & held) / len(claims) >= TITLE_SUPPORT


def whole_words(text: str, limit: int) -> str:
    """Return the words of a text that fit into `limit` characters; one longer word alone is cut."""
    if len(text) <= limit:
        return text
    return text[: limit + 1].rpartition(" ")[0].rstrip(" ,") or text[:limit]


def keyword_title(sentences: Sequence[Sentence], everything: Mapping[str, int], total: int) -> str:
    """Return the two phrases that set these sentences apart from the rest; a title made of spoken words only.

    `everything` counts in how many of `total` chapters a stem occurs (tf-idf over chapters).
    """
    spoken = [s for s in sentences if not s.suspicious]
    counts = Counter(word for s in spoken for word in content_stems(s.words))

    def weight(word: str) -> float:
        return counts[stem(word)] * (math.log((1 + total) / (1 + everything.get(stem(word), 0))) + 1)

    phrases: dict[str, float] = {}
    for sentence in spoken:
        for run in re.split(r"[.,;:?!]", sentence.clean):
            words = [w if w.lower() not in STOP_WORDS and len(w) > 2 and not w.isdigit() else "" for w in WORD.findall(run)]
            for part in " ".join(w or "|" for w in words).split("|"):
                spoken_words = part.split()[:3]
                if spoken_words:
                    value = sum(weight(w.lower()) for w in spoken_words) / math.sqrt(len(spoken_words))
                    phrases.setdefault(" ".join(spoken_words), value)
    chosen: list[str] = []
    for phrase in sorted(phrases, key=lambda p: (-phrases[p], p)):
        if not any(set(content_stems(tokens(phrase))) & set(content_stems(tokens(other))) for other in chosen):
            chosen.append(phrase if chosen else phrase[:1].upper() + phrase[1:])
        if len(chosen) == 2:
            break
    return whole_words(", ".join(chosen), TITLE_LENGTH)
