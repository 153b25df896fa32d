"""Recaps as Markdown and plain text, every statement with the times of what it cites. Pure functions."""

from collections.abc import Mapping, Sequence

from application.transcript_formats import escape_markdown, one_line, short_time
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.transcript import Segment

MOST_TIMES = 3
"""Times named after a statement; a reader follows the first few."""


def recap_markdown(recap: Recap, segments: Sequence[Segment] = ()) -> str:
    """Markdown; `segments` of the transcript turn cited ids into times, without them the ids are named."""
    starts = {segment.id: segment.start for segment in segments}
    parts = [f"# {escape_markdown(recap.title) or 'Recap'}", *_notes(recap)]
    parts += _section("Summary", [_line(s, starts) for s in recap.summary])
    parts += _section("Key points", [_line(s, starts) for s in recap.key_points])
    parts += _section("Decisions", [_line(s, starts) for s in recap.decisions])
    parts += _section("Action items", [_action(item, starts) for item in recap.action_items])
    parts += _section("Open questions", [_line(s, starts) for s in recap.open_questions])
    if recap.chapters:
        parts.append("## Chapters")
        for chapter in recap.chapters:
            parts += _chapter(chapter, starts)
    return "\n\n".join(parts) + "\n"


def recap_text(recap: Recap, segments: Sequence[Segment] = ()) -> str:
    """The same without markup, one statement a line."""
    starts = {segment.id: segment.start for segment in segments}
    lines = [one_line(recap.title) or "Recap", *[note.strip("> ") for note in _notes(recap)]]
    named = (
        ("Summary", recap.summary),
        ("Key points", recap.key_points),
        ("Decisions", recap.decisions),
        ("Action items", recap.action_items),
        ("Open questions", recap.open_questions),
    )
    for name, statements in named:
        if statements:
            lines += ["", name.upper(), *[f"- {_plain(s, starts)}" for s in statements]]
    if recap.chapters:
        lines += ["", "CHAPTERS"]
        for chapter in recap.chapters:
            lines += [f"{_range(chapter)}  {one_line(chapter.title)}", *[f"  - {_plain(s, starts)}" for s in chapter.summary]]
    return "\n".join(lines) + "\n"


def _notes(recap: Recap) -> list[str]:
    notes = [f"> {recap.support:.0%} supported by what was said."]
    if recap.degraded:
        notes.append("> Parts are quoted instead of phrased: " + "; ".join(one_line(why) for why in recap.degraded) + ".")
    return notes


def _section(name: str, lines: Sequence[str]) -> list[str]:
    return [f"## {name}", "\n".join(f"- {line}" for line in lines)] if lines else []


def _chapter(chapter: Chapter, starts: Mapping[int, float]) -> list[str]:
    head = f"### {_range(chapter)} {escape_markdown(chapter.title)}"
    return [head, "\n".join(f"- {_line(s, starts)}" for s in chapter.summary)] if chapter.summary else [head]


def _range(chapter: Chapter) -> str:
    return f"{short_time(chapter.start)}-{short_time(chapter.end)}"


def _line(statement: Statement | ActionItem, starts: Mapping[int, float]) -> str:
    return f"{escape_markdown(statement.text)}{_cited(statement.segment_ids, starts, '`[', ']`')}"


def _action(item: ActionItem, starts: Mapping[int, float]) -> str:
    owner = f"**{escape_markdown(item.owner)}**: " if item.owner else ""
    due = f" (due {escape_markdown(item.due)})" if item.due else ""
    return f"{owner}{escape_markdown(item.text)}{due}{_cited(item.segment_ids, starts, '`[', ']`')}"


def _plain(statement: Statement | ActionItem, starts: Mapping[int, float]) -> str:
    owner = f"{one_line(statement.owner)}: " if isinstance(statement, ActionItem) and statement.owner else ""
    due = f" (due {one_line(statement.due)})" if isinstance(statement, ActionItem) and statement.due else ""
    return f"{owner}{one_line(statement.text)}{due}{_cited(statement.segment_ids, starts, '[', ']')}"


def _cited(segment_ids: Sequence[int], starts: Mapping[int, float], opening: str, closing: str) -> str:
    if not segment_ids:
        return ""
    named = [short_time(starts[i]) if i in starts else f"#{i}" for i in segment_ids[:MOST_TIMES]]
    more = [f"+{len(segment_ids) - MOST_TIMES}"] if len(segment_ids) > MOST_TIMES else []
    return f" {opening}{', '.join([*named, *more])}{closing}"
