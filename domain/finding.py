"""What a reader of the whole conversation makes of each line of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One segment as it is read: who spoke (None when nobody knows), and the words."""

    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a line's text, `start` to `end` in characters, and how probable it is (0 to 1)."""

    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class LineReading:
    """Probabilities (0 to 1) that a line is evidence of a decision, of a task, of a question that stays open, or of something
    that only looks like one of them.

    `order`: that it speaks to a machine that reads along, not to people. `speaker_owns`: that its speaker is the one who takes a
    task. `owner`: the name of whoever takes it, where the line says one. `due`: the words that say until when. Owner and due are
    meaningful on lines of a task only.
    """

    decision: float
    task: float
    question: float
    look_alike: float
    order: float = 0.0
    speaker_owns: float = 0.0
    owner: Span | None = None
    due: Span | None = None


NOTHING_FOUND = LineReading(decision=0.0, task=0.0, question=0.0, look_alike=0.0)
"""Of a line that is evidence of nothing."""
