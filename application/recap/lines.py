"""From segments to lines: what is read, found, cited and shown to a model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from application.recap.text import WORD, one_line, sentences
from domain.finding import Line
from domain.transcript import Segment

MOST_WORDS: Final = 60
"""Words of a line: a longer segment is cut at its sentence ends, so that every word of it is read."""
MOST_CHARACTERS: Final = 480
"""Of a line in a script without spaces, or of words that never end."""
UNSPACED_STOPS: Final = tuple("。！？")
"""Stops that no space follows."""


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """A segment, or a part of a long one; times in seconds. `index` is its place in the conversation."""

    index: int
    segment_id: int
    speaker: str | None
    text: str
    start: float
    end: float

    @property
    def words(self) -> int:
        return max(len(self.text.split()), len(self.text) // 8)

    @property
    def read(self) -> Line:
        """As the finder reads it."""
        return Line(self.speaker, self.text)

    @property
    def shown(self) -> str:
        """As a language model sees it."""
        return shown(self.read)


def shown(line: Line) -> str:
    """Return a line as a language model sees it: who spoke and the words, on one line, without markup."""
    speaker = one_line((line.speaker or "").replace(":", " "))[:40]
    return f"{speaker}: {line.text}" if speaker else line.text


def lines_of(segments: Sequence[Segment]) -> list[SpokenLine]:
    """Return the lines of a conversation in its order; segments without words give none."""
    found: list[SpokenLine] = []
    for segment in segments:
        spoken = one_line(segment.text)
        for text in _parts(spoken) if WORD.search(spoken) else ():
            found.append(SpokenLine(len(found), segment.id, segment.speaker, text, segment.start, segment.end))
    return found


def _parts(text: str) -> Iterator[str]:
    """Cut at sentence ends where that is enough, else between words, else inside a word."""
    return _packed(piece for sentence in sentences(text) for piece in _packed(_chunks(sentence)))


def _chunks(sentence: str) -> Iterator[str]:
    for word in sentence.split():
        for start in range(0, len(word), MOST_CHARACTERS):
            yield word[start : start + MOST_CHARACTERS]


def _packed(pieces: Iterable[str]) -> Iterator[str]:
    """Put pieces that follow one another together, as many as make a line."""
    part, words = "", 0
    for piece in pieces:
        space = "" if part.endswith(UNSPACED_STOPS) else " "
        size = len(piece.split())
        if part and (words + size > MOST_WORDS or len(part) + len(space) + len(piece) > MOST_CHARACTERS):
            yield part
            part, words = "", 0
        part = f"{part}{space}{piece}" if part else piece
        words += size
    if part:
        yield part
