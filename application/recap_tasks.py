"""The action items of a recap as tasks, with the words they rest on. Pure functions."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from application.recap_outline import MOST_MOMENTS
from application.transcript_formats import one_line, short_time
from domain.canonical import sha256_of
from domain.outline import Task
from domain.recap import ActionItem, Recap
from domain.transcript import Segment

UID_DIGITS: Final = 32
"""Hexadecimal digits of a task's name: 128 bits, as a UUID has."""


def tasks_of(recap: Recap, segments: Sequence[Segment] = ()) -> tuple[Task, ...]:
    """Return a task per action item; `segments` of the transcript give the quotes."""
    known = {segment.id: segment for segment in segments}
    seen: dict[str, int] = {}
    return tuple(_task(recap, item, known, seen) for item in recap.action_items)


def _task(recap: Recap, item: ActionItem, known: Mapping[int, Segment], seen: dict[str, int]) -> Task:
    text = one_line(item.text)
    summary = f"{one_line(item.owner)}: {text}" if item.owner else text
    due = date.fromisoformat(item.due_date) if item.due_date else None
    return Task(_uid(recap, item, seen), summary, "\n".join(_description(item, known)), due)


def _uid(recap: Recap, item: ActionItem, seen: dict[str, int]) -> str:
    """Named by the conversation and the item, so that a second recap of the same words changes a task instead of doubling it."""
    name = sha256_of({"of": recap.transcript_id or recap.id, "text": item.text, "segments": list(item.segment_ids)})[:UID_DIGITS]
    seen[name] = seen.get(name, 0) + 1
    return f"{name}@wordloop" if seen[name] == 1 else f"{name}-{seen[name]}@wordloop"


def _description(item: ActionItem, known: Mapping[int, Segment]) -> list[str]:
    lines = [f"Due: {one_line(item.due)}"] if item.due else []
    lines += [f"Date: {one_line(item.due_rule)}"] if item.due_rule else []
    quoted = [known[i] for i in item.segment_ids if i in known][:MOST_MOMENTS]
    for segment in quoted:
        speaker = f"{one_line(segment.speaker)}: " if segment.speaker else ""
        lines.append(f'{short_time(segment.start)} {speaker}"{one_line(segment.text)}"')
    return lines
