"""What the output of an item finder has to be: one reading per line, probabilities, and spans inside their line."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from typing import Any

from adapters.guard.checks import items, number_between, payload_of
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from domain.finding import Line, LineReading, Span
from ports.model_backend import RawOutput

Readings = tuple[LineReading, ...]
PROBABILITIES = ("decision", "task", "question", "look_alike", "order", "speaker_owns")


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """Rules for one reading per line; `lengths` are those of the lines' texts in characters."""

    lengths: tuple[int, ...]

    def check(self, raw: RawOutput) -> Readings:
        return self._readings(payload_of(raw).get("lines"))

    def encode(self, value: Readings) -> Json:
        return [
            {
                **{name: getattr(reading, name) for name in PROBABILITIES},
                "owner": _plain(reading.owner),
                "due": _plain(reading.due),
            }
            for reading in value
        ]

    def decode(self, stored: Json) -> Readings:
        return self._readings(stored)

    def _readings(self, found: object) -> Readings:
        rows = items(found, "lines")
        if len(rows) != len(self.lengths):
            raise InvalidModelOutput(f"not one reading for each of {len(self.lengths)} lines")
        return tuple(_reading(row, length) for row, length in zip(rows, self.lengths, strict=True))


def _reading(row: object, length: int) -> LineReading:
    if not isinstance(row, Mapping):
        raise InvalidModelOutput("a reading is not an object")
    probabilities = {name: number_between(row.get(name), 0, 1, name) for name in PROBABILITIES}
    return LineReading(**probabilities, owner=_span(row.get("owner"), length, "owner"), due=_span(row.get("due"), length, "due"))


def _span(found: object, length: int, rule: str) -> Span | None:
    if found is None:
        return None
    parts = items(found, rule)
    if len(parts) != 3 or not all(_is_whole(part) for part in parts[:2]):
        raise InvalidModelOutput(f"{rule} is not a start, an end and a probability")
    start, end, probability = parts
    if not 0 <= start < end <= length:
        raise InvalidModelOutput(f"{rule} does not lie inside its line")
    return Span(start, end, number_between(probability, 0, 1, rule))


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _plain(span: Span | None) -> Json:
    return None if span is None else list(astuple(span))


def in_words_given(readings: Readings, lines: Sequence[Line]) -> Readings:
    """Return readings of the lines' NFC text with spans in characters of the text that the caller gave."""
    return tuple(
        reading
        if unicodedata.is_normalized("NFC", line.text)
        else replace(reading, owner=_moved(reading.owner, line.text), due=_moved(reading.due, line.text))
        for reading, line in zip(readings, lines, strict=True)
    )


def _moved(span: Span | None, text: str) -> Span | None:
    if span is None:
        return None
    # How much of the NFC text each beginning of the text makes: a mark that joins the letter before it adds nothing.
    made = [len(unicodedata.normalize("NFC", text[:index])) for index in range(len(text) + 1)]
    start, end = (max(index for index, length in enumerate(made) if length <= at) for at in (span.start, span.end))
    return Span(start, end, span.probability)
