"""JSON request bodies: every field named, bounded and checked; unknown ones are refused."""

from typing import Annotated, Literal, Self

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from adapters.http.problems import HttpProblem
from domain.search import SearchMode
from ports.embedder import InputType

MOST_SEGMENTS = 20_000
"""Segments of one recap: a day of talk at four seconds each."""
SEGMENT_CHARACTERS = 8_192
MOST_TEXTS = 2_048
"""Inputs of one embedding request (OpenAI's bound)."""
QUERY_CHARACTERS = 1_024
LATEST_SECOND = 1_000_000.0
"""Seconds: eleven days, longer than any recording."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Template = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Seconds = Annotated[float, Field(strict=True, ge=0, le=LATEST_SECOND, allow_inf_nan=False)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SEGMENT_CHARACTERS)]


_TIMEOUT = "Seconds after which the result is of no use; then the job ends"
Timeout = Annotated[float, Field(strict=True, gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
FormTimeout = Annotated[float, Field(gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
"""The same in a form, where every value is text."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioUrlBody(Body):
    """A recording by its address, or by the upload that it came in."""

    audio_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = None
    upload_id: Identifier | None = None
    language: Language | None = None
    vocabulary: Annotated[str, StringConstraints(max_length=1024)] | None = None
    template: Template = "general"
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.audio_url is None) == (self.upload_id is None):
            raise ValueError("give either audio_url or upload_id")
        return self


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
    template: Template = "general"
    timeout: Timeout | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.transcript_id is None) == (self.segments is None):
            raise ValueError("give either transcript_id or segments")
        starts = [segment.start for segment in self.segments or ()]
        if starts != sorted(starts):
            raise ValueError("segments are not in order of their start")
        return self


class EmbeddingsBody(Body):
    """OpenAI's embedding request, and `input_type` for models that tell queries from documents."""

    input: str | list[str] | list[int] | list[list[int]]
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    dimensions: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: Annotated[str, StringConstraints(max_length=256)] | None = None
    input_type: InputType = InputType.DOCUMENT
    timeout: Timeout | None = None


class SearchBody(Body):
    """What to look for. `limit` hits at most."""

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUERY_CHARACTERS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=50)] = 10
    mode: SearchMode = SearchMode.HYBRID


async def json_only(request: Request) -> None:
    """Raise HttpProblem (415) unless the body says that it is JSON."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise HttpProblem("unsupported_media_type", "Send application/json.")


JsonOnly = Depends(json_only)
