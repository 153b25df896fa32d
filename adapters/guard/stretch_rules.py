"""What the output of a diarizer has to be: stretches inside the window, each with a voice of length one or with none."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from adapters.guard.checks import items, number, number_between, payload_of
from domain.canonical import Json
from domain.errors import InvalidModelOutput
from domain.speakers import Stretch
from ports.model_backend import RawOutput

Stretches = tuple[Stretch, ...]

MOST_SPEAKERS = 16
"""Of one window: nobody can tell more apart in ten seconds."""
MOST_STRETCHES = 1000
"""Of one window: ten milliseconds each."""
LONGEST_VOICE = 4096
"""Numbers of a voice."""
NORM_TOLERANCE = 0.02
"""How far the length of a voice may be from 1, as for the vectors of an embedder."""


@dataclass(frozen=True, slots=True)
class StretchRules:
    """Rules for the stretches of a window of `seconds`. Voices are float32, so that an answer reads the same from the cache."""

    seconds: float

    def check(self, raw: RawOutput) -> Stretches:
        rows = items(payload_of(raw).get("stretches"), "stretches")
        if len(rows) > MOST_STRETCHES:
            raise InvalidModelOutput(f"more than {MOST_STRETCHES} stretches")
        return self._checked([self._stretch(row) for row in rows])

    def encode(self, value: Stretches) -> Json:
        return [
            [each.start, each.end, each.speaker, base64.b64encode(_float32(each.voice)).decode(), each.voice_seconds]
            for each in value
        ]

    def decode(self, stored: Json) -> Stretches:
        return self._checked([self._stored(row) for row in items(stored, "stored stretches")])

    def _stretch(self, row: object) -> Stretch:
        if not isinstance(row, Mapping):
            raise InvalidModelOutput("a stretch is not an object")
        voice = tuple(float(np.float32(number(value, "voice"))) for value in items(row.get("voice"), "voice"))
        return self._timed(row.get("start"), row.get("end"), row.get("speaker"), voice, row.get("voice_seconds"))

    def _stored(self, row: Any) -> Stretch:
        if not isinstance(row, list) or len(row) != 5 or not isinstance(row[3], str):
            raise InvalidModelOutput("a stored stretch is damaged")
        try:
            voice = tuple(np.frombuffer(base64.b64decode(row[3], validate=True), "<f4").tolist())
        except (binascii.Error, ValueError):
            raise InvalidModelOutput("a stored voice is damaged") from None
        return self._timed(row[0], row[1], row[2], voice, row[4])

    def _timed(self, start: object, end: object, speaker: object, voice: tuple[float, ...], seconds: object) -> Stretch:
        begun = number_between(start, 0, self.seconds, "start")
        ended = number_between(end, begun, self.seconds, "end")
        if isinstance(speaker, bool) or not isinstance(speaker, int) or not 0 <= speaker < MOST_SPEAKERS:
            raise InvalidModelOutput("speaker is not the number of one")
        if len(voice) > LONGEST_VOICE or (voice and not abs(math.hypot(*voice) - 1) <= NORM_TOLERANCE):
            raise InvalidModelOutput("a voice is not of length one")
        heard = number_between(seconds, 0, self.seconds, "voice_seconds")
        if bool(voice) != (heard > 0):
            raise InvalidModelOutput("a voice without seconds, or seconds without a voice")
        return Stretch(begun, ended, speaker, voice, heard)

    def _checked(self, found: list[Stretch]) -> Stretches:
        if len({len(each.voice) for each in found if each.voice}) > 1:
            raise InvalidModelOutput("voices of different lengths")
        last: dict[int, float] = {}
        for each in found:
            if each.start < last.get(each.speaker, 0.0):
                raise InvalidModelOutput("stretches of one speaker overlap or are out of order")
            last[each.speaker] = each.end
        return tuple(sorted(found, key=lambda each: (each.start, each.speaker)))


def _float32(voice: tuple[float, ...]) -> bytes:
    return np.asarray(voice, "<f4").tobytes()
