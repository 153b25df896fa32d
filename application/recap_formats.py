"""Recaps as Markdown, as text that reads well aloud, and action items as CSV. Pure functions."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from application.recap_outline import recap_outline
from application.recap_times import has_times
from application.transcript_formats import escape_markdown, one_line
from domain.outline import ChapterOutline, Line, Moment, Section
from domain.recap import ActionItem, Recap
from domain.transcript import Segment

COLUMNS: Final = ("owner", "task", "due", "due_date", "due_rule", "start", "end", "segment_ids")
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection), full-width forms included."""
MOST_SPEAKERS: Final = 3
"""Speakers named after a statement; it was said by all when there are more."""


def recap_markdown(recap: Recap, segments: Sequence[Segment] = ()) -> str:
    """Markdown whose times link to the transcript; without `segments` of the transcript the ids of what is cited are named."""
    outline = recap_outline(recap, segments)
    parts = [f"# {escape_markdown(outline.title)}", *(f"> {note}" for note in outline.notes)]
    for section in outline.sections:
        parts += [f"## {section.heading}", *_markdown(section)]
    return "\n\n".join(parts) + "\n"


def recap_text(recap: Recap, segments: Sequence[Segment] = ()) -> str:
    """Sentences without markup, one statement a line, times in words: for reading aloud."""
    outline = recap_outline(recap, segments)
    lines = [outline.title, *outline.notes]
    for section in outline.sections:
        lines += ["", section.heading, *(_aloud(line) for line in section.lines)]
        for number, chapter in enumerate(section.chapters, 1):
            lines += [_chapter_aloud(number, chapter), *(_aloud(line) for line in chapter.lines)]
    return "\n".join(lines) + "\n"


def action_items_csv(recap: Recap, _segments: Sequence[Segment] = ()) -> str:
    """Action items as CSV (RFC 4180), one a row, times in seconds; no cell is a formula to a spreadsheet."""
    written = io.StringIO()
    rows = csv.writer(written, quoting=csv.QUOTE_ALL)
    rows.writerow(COLUMNS)
    rows.writerows([_cell(value) for value in _row(item)] for item in recap.action_items)
    return written.getvalue()


def _markdown(section: Section) -> Iterator[str]:
    if section.lines:
        yield "\n".join(f"- {_line(line)}" for line in section.lines)
    for chapter in section.chapters:
        yield f"### {_link(chapter.begin)}-{chapter.end.label} {escape_markdown(chapter.title)}"
        if chapter.lines:
            yield "\n".join(f"- {_line(line)}" for line in chapter.lines)


def _line(line: Line) -> str:
    owner = f"**{escape_markdown(line.owner)}**: " if line.owner else ""
    day = f", {line.due_date}" if line.due_date else ""
    due = f" (due {escape_markdown(line.due)}{day})" if line.due else ""
    named = [*map(_link, line.moments), *([f"+{line.more}"] if line.more else [])]
    return f"{owner}{escape_markdown(line.text)}{due}" + (f" ({', '.join(named)})" if named else "")


def _link(moment: Moment) -> str:
    return f"[{moment.label}]({moment.href})" if moment.href else moment.label


def _aloud(line: Line) -> str:
    said = [_sentence(line.text)]
    if line.owner:
        said.append(f"This is for {_sentence(line.owner)}")
    if line.due:
        said.append(_sentence(f"It is due {line.due}" + (f", which is {_day(line.due_date)}" if line.due_date else "")))
    times = [f"at {spoken_time(m.seconds)}" for m in line.moments if m.seconds is not None]
    if times:
        rest = [f"at {line.more} more {'place' if line.more == 1 else 'places'}"] if line.more else []
        who = f"from {_listed(line.speakers)} " if 0 < len(line.speakers) <= MOST_SPEAKERS else ""
        said.append(f"Heard {who}{_listed([*times, *rest])}.")
    return " ".join(said)


def _chapter_aloud(number: int, chapter: ChapterOutline) -> str:
    begin, end = (spoken_time(moment.seconds or 0.0) for moment in (chapter.begin, chapter.end))
    return f"Chapter {number}, {chapter.title}, from {begin} to {end}."


def spoken_time(seconds: float) -> str:
    """A time as one says it: `1 hour 2 minutes 5 seconds`; the first second is `the start`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    named = ((hours, "hour"), (minute, "minute"), (second, "second"))
    return " ".join(f"{count} {unit if count == 1 else f'{unit}s'}" for count, unit in named if count) or "the start"


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B} {day.year}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…", "。")) else f"{text}."


def _listed(names: Sequence[str]) -> str:
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _row(item: ActionItem) -> tuple[str, ...]:
    times = [f"{second:.3f}" if has_times(item) else "" for second in (item.start, item.end)]
    words = (item.owner, item.text, item.due, item.due_date, item.due_rule)
    return (*(word or "" for word in words), *times, " ".join(map(str, item.segment_ids)))


def _cell(value: str) -> str:
    """One line of text; an apostrophe before what would be a formula, as spreadsheets themselves mark text."""
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text
