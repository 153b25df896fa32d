"""Recaps: statements that cite the segments they rest on."""

from dataclasses import dataclass

from domain.call import Provenance


@dataclass(frozen=True, slots=True)
class Statement:
    """One sentence of a recap, the ids of the segments it cites, and how far they support it (0 to 1)."""

    text: str
    segment_ids: tuple[int, ...]
    support: float


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something somebody is to do. `owner` and `due` are words of the conversation, or None when it named none."""

    text: str
    segment_ids: tuple[int, ...]
    support: float
    owner: str | None = None
    due: str | None = None


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of the conversation about one topic. Times in seconds; segment ids in order."""

    title: str
    start: float
    end: float
    segment_ids: tuple[int, ...]
    summary: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Recap:
    """What a conversation came to. `degraded` lists why parts are quoted instead of phrased; empty means none.

    `support` is the mean support of all statements, 1.0 for an empty recap.
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
