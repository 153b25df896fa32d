"""What a recap is asked for."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from adapters.http.common.body import Body, Language
from adapters.http.common.fields import Identifier, RecordedAt, Seconds, Timeout, Words
from adapters.http.common.template_body import GENERAL, TemplateBody

MOST_SEGMENTS = 20_000
"""Segments of one recap: a day of talk at four seconds each."""


class SegmentBody(Body):
    """Something that was said, with its times in seconds."""

    start: Seconds
    end: Seconds
    text: Words
    speaker: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError("end is before start")
        return self


class RecapBody(Body):
    """What to recap: a stored transcript, or segments of the caller's own."""

    transcript_id: Identifier | None = None
    segments: Annotated[tuple[SegmentBody, ...], Field(min_length=1, max_length=MOST_SEGMENTS)] | None = None
    language: Language | None = None
    template: TemplateBody = GENERAL
    recorded_at: RecordedAt | None = None
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.transcript_id is None) == (self.segments is None):
            raise ValueError("give either transcript_id or segments")
        starts = [segment.start for segment in self.segments or ()]
        if starts != sorted(starts):
            raise ValueError("segments are not in order of their start")
        return self
