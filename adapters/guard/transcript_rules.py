"""What the output of a recogniser has to be: segments in order, inside their window, with text somebody can have said."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adapters.guard.checks import clean_text, items, number, number_between, payload_of
from adapters.guard.loops import is_looped
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from domain.transcript import RecognisedWindow, Segment, SegmentScores, SuspectSpan, Word
from ports.model_backend import RawOutput

OVERHANG_S = 1.0
"""Seconds that a time may lie beyond the window and is drawn back: Whisper sees a window padded to 30 s and may put the end
of a last word into the padding."""
STEP_S = 0.02
"""Whisper's timestamp resolution in seconds: how far a start may go back."""
MOST_SEGMENTS = 256
MOST_CHARACTERS = 8_192
"""Characters in one window: 448 tokens, Whisper's context, of at most 16 or so characters."""
MOST_WORDS = 1_024
_LANGUAGE = re.compile(r"[a-z]{2,3}")
_REASON = re.compile(r"[a-z_]{1,40}")
_STORED = TypeAdapter(RecognisedWindow)


@dataclass(frozen=True, slots=True)
class TranscriptRules:
    """Rules for the recognised text of one window of `seconds`."""

    seconds: float

    def check(self, raw: RawOutput) -> RecognisedWindow:
        payload = payload_of(raw)
        language = clean_text(payload.get("language"), 3, "language")
        if not _LANGUAGE.fullmatch(language):
            raise InvalidModelOutput("language is not an ISO 639 code")
        probability = number_between(payload.get("language_probability"), 0, 1.0001, "language_probability")
        rows = items(payload.get("segments"), "segments")
        if len(rows) > MOST_SEGMENTS:
            raise InvalidModelOutput(f"more than {MOST_SEGMENTS} segments")
        segments: list[Segment] = []
        for row in rows:
            segment = self._segment(len(segments), row)
            if segments and segment.start < segments[-1].start - STEP_S:
                raise InvalidModelOutput("segments are out of order")
            if segment.text:
                segments.append(segment)
        self._check_text(segments)
        withheld = items(payload.get("withheld", []), "withheld")
        if len(withheld) > MOST_SEGMENTS:
            raise InvalidModelOutput(f"more than {MOST_SEGMENTS} stretches withheld")
        return RecognisedWindow(language, min(probability, 1.0), tuple(segments), tuple(map(self._withheld, withheld)))

    def encode(self, value: RecognisedWindow) -> Json:
        plain: Json = _STORED.dump_python(value, mode="json")
        return plain

    def decode(self, stored: Json) -> RecognisedWindow:
        try:
            window = _STORED.validate_python(stored)
        except ValidationError:
            raise InvalidModelOutput("the stored window is damaged") from None
        self._check_text(window.segments)
        for segment in window.segments:
            if not 0 <= segment.start <= segment.end <= self.seconds + STEP_S:
                raise InvalidModelOutput("a stored segment lies outside its window")
        return window

    def _check_text(self, segments: list[Segment] | tuple[Segment, ...]) -> None:
        if sum(len(segment.text) for segment in segments) > MOST_CHARACTERS:
            raise InvalidModelOutput(f"the window's text is longer than {MOST_CHARACTERS} characters")
        for segment in segments:
            clean_text(segment.text, MOST_CHARACTERS, "segment.text")
        if is_looped(" ".join(segment.text for segment in segments)):
            raise InvalidModelOutput("the text repeats itself in a loop")

    def _segment(self, index: int, row: object) -> Segment:
        if not isinstance(row, Mapping):
            raise InvalidModelOutput("a segment is not an object")
        start, end = self._times(row, 0.0, self.seconds, "segment")
        text = " ".join(clean_text(row.get("text"), MOST_CHARACTERS, "segment.text").split())
        words = [] if row.get("words") is None else items(row["words"], "segment.words")
        if len(words) > MOST_WORDS:
            raise InvalidModelOutput(f"more than {MOST_WORDS} words in a segment")
        return Segment(index, start, end, text, _scores(row), tuple(self._word(word, start, end) for word in words))

    def _withheld(self, row: object) -> SuspectSpan:
        if not isinstance(row, Mapping):
            raise InvalidModelOutput("what was withheld is not an object")
        start, end = self._times(row, 0.0, self.seconds, "withheld")
        reason = clean_text(row.get("reason"), 40, "withheld.reason")
        if not _REASON.fullmatch(reason):
            raise InvalidModelOutput("withheld.reason is not a code")
        return SuspectSpan(start, end, reason)

    def _word(self, row: object, low: float, high: float) -> Word:
        if not isinstance(row, Mapping):
            raise InvalidModelOutput("a word is not an object")
        start, end = self._times(row, low, high, "word")
        text = clean_text(row.get("word"), MOST_CHARACTERS, "word.word").strip()
        return Word(start, end, text, min(number_between(row.get("probability"), 0, 1.0001, "word.probability"), 1.0))

    def _times(self, row: Mapping[Any, Any], low: float, high: float, rule: str) -> tuple[float, float]:
        """Return start and end inside [low, high], drawn back by at most `OVERHANG_S`."""
        start, end = number(row.get("start"), f"{rule}.start"), number(row.get("end"), f"{rule}.end")
        if start > end:
            raise InvalidModelOutput(f"{rule} ends before it starts")
        if start < low - OVERHANG_S or end > high + OVERHANG_S or start > high + STEP_S or end < low - STEP_S:
            raise InvalidModelOutput(f"{rule} lies outside its {'segment' if rule == 'word' else 'window'}")
        return min(max(start, low), high), max(min(end, high), low)


def _scores(row: Mapping[Any, Any]) -> SegmentScores:
    return SegmentScores(
        number(row.get("avg_logprob"), "segment.avg_logprob"),
        number_between(row.get("no_speech_prob"), 0, 1.0001, "segment.no_speech_prob"),
        number(row.get("compression_ratio"), "segment.compression_ratio"),
        number(row.get("temperature"), "segment.temperature"),
    )
