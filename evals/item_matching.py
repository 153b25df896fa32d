"""When a reported item is one that a labelled meeting has: the place it cites and the words it says, one to one.

The rule is that of the labelled data, which tells of every item of a meeting and of what only looks like one.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, Protocol

from domain.recap import ActionItem, Statement
from domain.transcript import Segment
from training.meetings import Item, LabelledMeeting

Kind = Literal["decisions", "actions", "questions"]
ITEM_KINDS: Final[tuple[Kind, ...]] = ("decisions", "actions", "questions")
BESIDE: Final = 1
"""Turns before and after the evidence that a citation may point at."""
WORDS_SHARE: Final = 0.3
"""Of the labelled item's content words, from which an item says the same."""
SHORTEST_WORD: Final = 4
"""Letters of a content word."""
STEM_LETTERS: Final = 5
"""Letters by which two words are the same: a stem in all of these languages alike."""
STOP_WORDS: Final[Mapping[str, str]] = {
    "de": "STOPWORDS_GERMAN",
    "en": "STOPWORDS_EN_PLUS",
    "es": "STOPWORDS_SPANISH",
    "fr": "STOPWORDS_FRENCH",
    "it": "STOPWORDS_ITALIAN",
    "nl": "STOPWORDS_DUTCH",
    "pt": "STOPWORDS_PORTUGUESE",
}
"""NLTK's lists, as bm25s packs them. The longer lists of others hold words that items are made of (`announce`, `page`)."""


class RecapItems(Protocol):
    """What was found in a meeting; a recap is one too. Kinds in the order in which they are reported."""

    @property
    def decisions(self) -> Sequence[Statement]: ...
    @property
    def action_items(self) -> Sequence[ActionItem]: ...
    @property
    def open_questions(self) -> Sequence[Statement]: ...


@dataclass(frozen=True, slots=True)
class FoundItems:
    """The plain case of `RecapItems`."""

    decisions: tuple[Statement, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    open_questions: tuple[Statement, ...] = ()


ItemsOf = Callable[[Sequence[Segment], str], RecapItems]
"""Segments of a meeting, whose ids are the places of its turns, and its language -> what is found in it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An item as it was reported; `cited` are ids of segments. Without a confidence it was said without a doubt (1.0)."""

    kind: Kind
    text: str
    cited: frozenset[int]
    confidence: float = 1.0
    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Matching:
    """What became of the items reported, by their place in `reported`.

    `matched`, and by their own words alone `matched_own`: which labelled item of the kind each is. `wrong_kinds`: those that
    match an item of another kind only. `look_alikes`: places in the meeting's look-alikes that were reported.
    """

    reported: tuple[Reported, ...]
    matched: Mapping[int, Item]
    matched_own: Mapping[int, Item]
    wrong_kinds: frozenset[int]
    look_alikes: frozenset[int]


def match(items: RecapItems, meeting: LabelledMeeting) -> Matching:
    """Hold what was reported of a meeting against its labels."""
    reported, said = reported_of(items), _Said(meeting)
    labelled = dict(zip(ITEM_KINDS, meeting.items, strict=True))

    def by_both(item: Reported, label: Item) -> bool:
        return is_placed(item.cited, label.evidence) and said.holds(item, label.text)

    def by_own_words(item: Reported, label: Item) -> bool:
        return is_placed(item.cited, label.evidence) and said.itself_holds(item, label.text)

    matched = _paired(reported, labelled, by_both)
    left = [index for index in range(len(reported)) if index not in matched]
    wrong = {
        index
        for index in left
        for kind in ITEM_KINDS
        if kind != reported[index].kind and any(by_both(reported[index], label) for label in labelled[kind])
    }
    look_alikes = {
        number
        for number, label in enumerate(meeting.look_alikes)
        if any(reported[index].cited & set(label.evidence) and said.holds(reported[index], label.text) for index in left)
    }
    return Matching(tuple(reported), matched, _paired(reported, labelled, by_own_words), frozenset(wrong), frozenset(look_alikes))


def reported_of(items: RecapItems) -> list[Reported]:
    """Return all items in the order in which they are reported."""
    tasks = [_reported("actions", each, each.owner, each.due) for each in items.action_items]
    return [
        *(_reported("decisions", each) for each in items.decisions),
        *tasks,
        *(_reported("questions", each) for each in items.open_questions),
    ]


def is_placed(cited: frozenset[int], evidence: Sequence[int]) -> bool:
    """True when at least a third of the cited segments, and one at least, lie in the evidence or beside it."""
    near = {turn + step for turn in evidence for step in range(-BESIDE, BESIDE + 1)}
    inside = len(cited & near)
    return inside > 0 and 3 * inside >= len(cited)


def content_words(text: str, language: str) -> frozenset[str]:
    """Return the beginnings of the words that are not grammar; digits are no words."""
    grammar = _stop_words(language)
    words = re.findall(r"[^\W\d_]+", folded(text))
    return frozenset(word[:STEM_LETTERS] for word in words if len(word) >= SHORTEST_WORD and word not in grammar)


def says(label: frozenset[str], said: frozenset[str]) -> bool:
    """True when `said` holds enough of a label's content words; a label that has none asks for none."""
    return len(label & said) >= WORDS_SHARE * len(label)


def is_owner_right(found: str | None, label: Item) -> bool:
    """True for one of the label's names; where it has none, for none."""
    return folded(found or "") in ({folded(name) for name in label.owners} or {""})


def is_due_right(found: str | None, label: Item) -> bool:
    """True when neither says until when, or what one says holds what the other says."""
    said, wanted = folded(found or ""), folded(label.due or "")
    return (said in wanted or wanted in said) if said and wanted else said == wanted


def folded(text: str) -> str:
    """Return a text without case, accents and outer blanks (NFKD, combining marks dropped)."""
    plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
    return plain.casefold().strip()


@lru_cache(maxsize=32)
def _stop_words(language: str) -> frozenset[str]:
    """Folded as texts are; empty for a language without a list."""
    if language not in STOP_WORDS:
        return frozenset()
    from bm25s import stopwords

    return frozenset(map(folded, getattr(stopwords, STOP_WORDS[language])))


def _reported(kind: Kind, item: Statement | ActionItem, owner: str | None = None, due: str | None = None) -> Reported:
    confidence = 1.0 if item.confidence is None else item.confidence
    return Reported(kind, item.text, frozenset(item.segment_ids), confidence, owner, due)


class _Said:
    """The content words of a meeting's turns, and of items with and without the turns that they cite."""

    def __init__(self, meeting: LabelledMeeting) -> None:
        self._language = meeting.language
        self._turns = [content_words(turn.text, meeting.language) for turn in meeting.turns]

    def holds(self, item: Reported, label: str) -> bool:
        cited = [self._turns[turn] for turn in item.cited if 0 <= turn < len(self._turns)]
        return says(content_words(label, self._language), content_words(item.text, self._language).union(*cited))

    def itself_holds(self, item: Reported, label: str) -> bool:
        return says(content_words(label, self._language), content_words(item.text, self._language))


def _paired(
    reported: Sequence[Reported], labelled: Mapping[Kind, Sequence[Item]], fits: Callable[[Reported, Item], bool]
) -> dict[int, Item]:
    """Give each reported item, in order, the first labelled one of its kind that is free and fits."""
    free = {kind: list(range(len(labels))) for kind, labels in labelled.items()}
    found: dict[int, Item] = {}
    for index, item in enumerate(reported):
        fitting = [label for label in free[item.kind] if fits(item, labelled[item.kind][label])]
        if fitting:
            free[item.kind].remove(fitting[0])
            found[index] = labelled[item.kind][fitting[0]]
    return found
