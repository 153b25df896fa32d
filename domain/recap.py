"""Recaps: statements that cite the segments they rest on."""

from dataclasses import dataclass

from domain.call import Provenance
from domain.template import SECTIONS


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a recap, the ids of the segments it cites, and how far they support it (0 to 1).

    `start` and `end`: from the first cited segment's start to the last one's end, seconds. `speaker`: who said all of it, None
    when several did. `confidence`: for decisions and open questions, how probable it is that there is such an item (0 to 1).
    """

    text: str
    segment_ids: tuple[int, ...]
    support: float
    start: float = 0.0
    end: float = 0.0
    speaker: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something somebody is to do. `owner` and `due` are words of the conversation, or None when it named none.

    `due_date`: `due` as an ISO date where the recording's date tells which one it is, and `due_rule` how it was told. The rest as
    for a statement.
    """

    text: str
    segment_ids: tuple[int, ...]
    support: float
    owner: str | None = None
    due: str | None = None
    due_date: str | None = None
    due_rule: str | None = None
    start: float = 0.0
    end: float = 0.0
    speaker: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the conversation about one topic. Times in seconds; segment ids in order."""

    title: str
    start: float
    end: float
    segment_ids: tuple[int, ...]
    summary: tuple[Statement, ...]

    @property
    def told(self) -> str:
        """All that it says, as one text."""
        return " ".join([self.title, *(statement.text for statement in self.summary)])


@dataclass(frozen=True, slots=True)
class Recap:
    """What a conversation came to. `degraded` lists why parts are quoted instead of phrased; empty means none.

    `support` is the mean support of all statements, 1.0 for an empty recap. `sections` are those of its template, in their order;
    the others are empty. `speakers`: what those of its transcript were called when it was made.
    """

    id: str
    transcript_id: str | None
    language: str
    title: str
    summary: tuple[Statement, ...]
    key_points: tuple[Statement, ...]
    decisions: tuple[Statement, ...]
    action_items: tuple[ActionItem, ...]
    open_questions: tuple[Statement, ...]
    chapters: tuple[Chapter, ...]
    support: float
    degraded: tuple[str, ...] = ()
    provenance: tuple[Provenance, ...] = ()
    sections: tuple[str, ...] = SECTIONS
    speakers: tuple[str, ...] = ()
