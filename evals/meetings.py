"""Meetings with questions and the turns that answer them (QMSum), cut into passages to be found."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PASSAGE_WORDS: Final = 100
"""Words of a passage: about 140 tokens, so the model reads all of it."""
WIDEST_ANSWER: Final = 0.15
"""Questions whose answer takes a larger share of the meeting ask for no particular place (../shared/data/README.md)."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Turns of a meeting, in order; some are empty."""

    id: str
    turns: Sequence[str]


@dataclass(frozen=True, slots=True)
class Passage:
    """Neighbouring turns, or a part of a long one. `first` and `last` are turns, both included."""

    first: int
    last: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """`spans`: turns that answer it, both ends included."""

    id: str
    meeting: str
    text: str
    spans: Sequence[tuple[int, int]]

    def asks_for(self, passage: Passage) -> bool:
        """Whether a turn of the passage is one that answers."""
        return any(first <= passage.last and passage.first <= last for first, last in self.spans)


def read_questions(path: Path, folder: Path) -> tuple[list[Meeting], list[Question]]:
    """Return the meetings that are asked about, and the questions; each meeting lies at its path under `folder`."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["coverage"] < WIDEST_ANSWER]
    questions = [
        Question(row["id"], row["meeting"], row["query"], [(first, last) for first, last in row["spans"]]) for row in rows
    ]
    return [_meeting(name, folder) for name in dict.fromkeys(row["meeting"] for row in rows)], questions


def _meeting(name: str, folder: Path) -> Meeting:
    turns = json.loads((folder / name).read_text(encoding="utf-8"))["turns"]
    return Meeting(name, [turn["text"] for turn in turns])


def passages_of(meeting: Meeting) -> list[Passage]:
    """Return the meeting as passages of about `PASSAGE_WORDS` words; a longer turn is cut."""
    found: list[Passage] = []
    words: list[str] = []
    first = 0
    for index, text in enumerate(meeting.turns):
        spoken = text.split()
        if words and len(words) + len(spoken) > PASSAGE_WORDS:
            found.append(Passage(first, index - 1, " ".join(words)))
            words = []
        if not words:
            first = index
        words += spoken
        while len(words) > PASSAGE_WORDS:
            found.append(Passage(first, index, " ".join(words[:PASSAGE_WORDS])))
            words = words[PASSAGE_WORDS:]
            first = index
    if words:
        found.append(Passage(first, len(meeting.turns) - 1, " ".join(words)))
    return found
