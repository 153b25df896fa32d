"""When and by whom the statements of a recap were said, for recaps that were stored before they knew."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from domain.recap import ActionItem, Recap, Statement
from domain.transcript import Segment

Spoken = TypeVar("Spoken", Statement, ActionItem)


def with_times(recap: Recap, segments: Sequence[Segment]) -> Recap:
    """Return the recap with the times and the speaker of every statement that has none yet, as its cited segments have them."""
    known = {segment.id: segment for segment in segments}
    chapters = (replace(chapter, summary=tuple(_timed(s, known) for s in chapter.summary)) for chapter in recap.chapters)
    return replace(
        recap,
        summary=tuple(_timed(s, known) for s in recap.summary),
        key_points=tuple(_timed(s, known) for s in recap.key_points),
        decisions=tuple(_timed(s, known) for s in recap.decisions),
        action_items=tuple(_timed(item, known) for item in recap.action_items),
        open_questions=tuple(_timed(s, known) for s in recap.open_questions),
        chapters=tuple(chapters),
    )


def has_times(statement: Statement | ActionItem) -> bool:
    """Say whether the times of a statement are known: nothing is said in no time at the very start."""
    return statement.end > 0


def _timed(statement: Spoken, known: Mapping[int, Segment]) -> Spoken:
    cited = [known[i] for i in statement.segment_ids if i in known]
    if has_times(statement) or not cited:
        return statement
    speakers = {segment.speaker for segment in cited}
    speaker = speakers.pop() if len(speakers) == 1 else None
    return replace(statement, start=cited[0].start, end=cited[-1].end, speaker=speaker)
