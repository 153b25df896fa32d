"""Recaps and transcripts as their readers get them: in order, with times as links, before any format."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Moment:
    """A time that a statement rests on. `label` is `M:SS`, or the place of a segment whose time is not known.

    `seconds` is None then; `href` leads to the words in the transcript, None without one.
    """

    label: str
    seconds: float | None
    href: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A statement with the first moments it rests on, how many `more` there are, and who speaks there.

    `owner` to `due_rule` are those of action items.
    """

    text: str
    moments: tuple[Moment, ...] = ()
    more: int = 0
    speakers: tuple[str, ...] = ()
    owner: str | None = None
    due: str | None = None
    due_date: str | None = None
    due_rule: str | None = None


@dataclass(frozen=True, slots=True)
class ChapterOutline:
    """A chapter with its statements; `begin` and `end` in seconds."""

    title: str
    begin: Moment
    end: Moment
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section under its heading: statements, or chapters."""

    name: str
    heading: str
    lines: tuple[Line, ...] = ()
    chapters: tuple[ChapterOutline, ...] = ()


@dataclass(frozen=True, slots=True)
class RecapOutline:
    """The sections of a recap that hold something, in the order of its template; `notes` say how far to trust it."""

    title: str
    language: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A segment of a transcript; `anchor` is what links to it end with."""

    anchor: str
    time: str
    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptOutline:
    """The segments that have words; `about` in one sentence, `doubts` about what is missing."""

    language: str
    about: str
    paragraphs: tuple[Paragraph, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """An action item for somebody's task list. `uid` is the same for the same item of the same conversation."""

    uid: str
    summary: str
    description: str
    due: date | None
