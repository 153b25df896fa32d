"""A recap and what is indexed of a conversation, with the speakers called as they are called now.

A recap is stored as it was made, with the names of that time beside it; so whatever names follow, in whatever order, it is told
under those of now, and no model is asked. Names stand in fields: who said a statement, who owns a task. Written words are changed
only where they name a speaker by a label of ours such as `Speaker 1`, whole words, and nobody said these words in the
conversation: a person's name may be a word of the language (Will, May), which nobody could tell apart.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from domain.named_speakers import label_of
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.search import PassageKind, Told
from domain.transcript import Transcript

Spoken = TypeVar("Spoken", Statement, ActionItem)
Spelling: TypeAlias = Callable[[str], str]


def named_as_now(recap: Recap, transcript: Transcript) -> Recap:
    """Return the recap of the transcript with its speakers called as the transcript calls them."""
    if recap.speakers == transcript.speakers.names:
        return recap
    now = _Names(recap, transcript)
    return replace(
        recap,
        title=now.spelt(recap.title),
        summary=now.of_all(recap.summary),
        key_points=now.of_all(recap.key_points),
        decisions=now.of_all(recap.decisions),
        action_items=tuple(replace(item, owner=now.owner(item.owner)) for item in now.of_all(recap.action_items)),
        open_questions=now.of_all(recap.open_questions),
        chapters=tuple(
            replace(chapter, title=now.spelt(chapter.title), summary=now.of_all(chapter.summary)) for chapter in recap.chapters
        ),
        speakers=transcript.speakers.names,
    )


class _Names:
    """The names of now for those of the time when a recap was made."""

    def __init__(self, recap: Recap, transcript: Transcript) -> None:
        pairs = list(zip(recap.speakers, transcript.speakers.names, strict=False))
        after = {before: {now for other, now in pairs if other == before} for before, _ in pairs}
        self._now = {before: next(iter(names)) for before, names in after.items() if len(names) == 1}
        self._said_by = {segment.id: segment.speaker for segment in transcript.segments}
        ours = {before: now for index, (before, now) in enumerate(pairs) if before == label_of(index) and before in self._now}
        self.spelt = _spelling(ours, transcript)

    def owner(self, owner: str | None) -> str | None:
        return owner if owner is None else self._now.get(owner, owner)

    def of_all(self, statements: Sequence[Spoken]) -> tuple[Spoken, ...]:
        return tuple(self._of(statement) for statement in statements)

    def _of(self, statement: Spoken) -> Spoken:
        cited = {self._said_by[i] for i in statement.segment_ids if i in self._said_by}
        speaker = cited.pop() if len(cited) == 1 else None
        return replace(statement, text=self.spelt(statement.text), speaker=speaker)


def _spelling(ours: Mapping[str, str], transcript: Transcript) -> Spelling:
    """Return what puts names in the place of our labels, all at once, but for those that were said."""
    changed = {label: name for label, name in ours.items() if label != name}
    patterns = {label: re.compile(rf"(?<!\w){re.escape(label)}(?!\w)") for label in changed}
    unsaid = [label for label, one in patterns.items() if not any(one.search(segment.text) for segment in transcript.segments)]
    if not unsaid:
        return lambda text: text
    any_of = re.compile(rf"(?<!\w)({'|'.join(map(re.escape, unsaid))})(?!\w)")
    return lambda text: any_of.sub(lambda found: changed[found[1]], text)


@dataclass(frozen=True, slots=True)
class ToldAsNow:
    """Tells passages of a transcript, and of the chapters of its recaps, under the names of now."""

    transcript: Transcript
    recaps: Sequence[Recap] = ()

    def __call__(self, told: Told) -> Told:
        recap = next((recap for recap in self.recaps if recap.id == told.recap_id), None)
        title = told.title if recap is None else recap.title or None
        if told.kind is PassageKind.LINE:
            return replace(told, speaker=self._speaker(told.segment_ids), title=title)
        chapter = None if recap is None else self._chapter(recap, told)
        return replace(told, text=told.text if chapter is None else chapter.told, title=title)

    def _speaker(self, segment_ids: Sequence[int]) -> str | None:
        speakers = {self.transcript.segments[i].speaker for i in segment_ids if i < len(self.transcript.segments)}
        return speakers.pop() if len(speakers) == 1 else None

    @staticmethod
    def _chapter(recap: Recap, told: Told) -> Chapter | None:
        index = (told.segment_ids, told.start)
        return next((chapter for chapter in recap.chapters if (chapter.segment_ids, chapter.start) == index), None)
