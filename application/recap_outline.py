"""A recap in the order of its template, with its times as links into the transcript. Pure functions."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from application.recap_times import has_times
from application.transcript_formats import anchor, one_line, short_time
from domain.outline import ChapterOutline, Line, Moment, RecapOutline, Section
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Segment

MOST_MOMENTS: Final = 3
"""Times named after a statement; a reader follows the first few."""
HEADINGS: Final[Mapping[str, str]] = {
    "summary": "Summary",
    "key_points": "Key points",
    "decisions": "Decisions",
    "action_items": "Action items",
    "open_questions": "Open questions",
    "chapters": "Chapters",
}


def recap_outline(recap: Recap, segments: Sequence[Segment] = ()) -> RecapOutline:
    """Return what a reader sees; `segments` of the transcript turn cited ids into times and links."""
    known = {segment.id: segment for segment in segments}
    base = f"/v1/transcripts/{quote(recap.transcript_id, safe='')}?format=html" if recap.transcript_id and segments else None
    sections = (_section(recap, name, known, base) for name in recap.sections)
    shown = tuple(section for section in sections if section.lines or section.chapters)
    return RecapOutline(one_line(recap.title) or "Recap", recap.language, tuple(_notes(recap)), shown)


def _notes(recap: Recap) -> list[str]:
    notes = [f"{recap.support:.0%} supported by what was said."]
    if recap.degraded:
        notes.append("Parts are quoted instead of phrased: " + "; ".join(one_line(why) for why in recap.degraded) + ".")
    return notes


def _section(recap: Recap, name: str, known: Mapping[int, Segment], base: str | None) -> Section:
    if name == "chapters":
        return Section(name, HEADINGS[name], chapters=tuple(_chapter(chapter, known, base) for chapter in recap.chapters))
    statements: Sequence[Statement | ActionItem] = getattr(recap, name)
    return Section(name, HEADINGS[name], tuple(_line(statement, known, base) for statement in statements))


def _chapter(chapter: Chapter, known: Mapping[int, Segment], base: str | None) -> ChapterOutline:
    first = chapter.segment_ids[0] if chapter.segment_ids else None
    href = f"{base}#{anchor(first)}" if base and first in known and first is not None else None
    begin = Moment(short_time(chapter.start), chapter.start, href)
    end = Moment(short_time(chapter.end), chapter.end, None)
    return ChapterOutline(one_line(chapter.title), begin, end, tuple(_line(s, known, base) for s in chapter.summary))


def _line(statement: Statement | ActionItem, known: Mapping[int, Segment], base: str | None) -> Line:
    moments = [_moment(i, known, base) for i in statement.segment_ids]
    if has_times(statement) and not any(i in known for i in statement.segment_ids):
        moments = [Moment(short_time(statement.start), statement.start, None)]
    speakers = [statement.speaker] if statement.speaker else [known[i].speaker for i in statement.segment_ids if i in known]
    named = dict.fromkeys(one_line(speaker) for speaker in speakers if speaker)
    return Line(
        one_line(statement.text),
        tuple(moments[:MOST_MOMENTS]),
        max(0, len(moments) - MOST_MOMENTS),
        tuple(named),
        *(_owed(statement) if isinstance(statement, ActionItem) else ()),
    )


def _owed(item: ActionItem) -> tuple[str | None, ...]:
    words = (item.owner, item.due, item.due_date, item.due_rule)
    return tuple(one_line(said) if said else None for said in words)


def _moment(segment_id: int, known: Mapping[int, Segment], base: str | None) -> Moment:
    if segment_id not in known:
        return Moment(f"segment {segment_id}", None, None)
    start = known[segment_id].start
    return Moment(short_time(start), start, f"{base}#{anchor(segment_id)}" if base else None)
