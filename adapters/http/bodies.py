"""JSON request bodies: every field named, bounded and checked; unknown ones are refused."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Depends, Request
from pydantic import AfterValidator, Field, StringConstraints, model_validator

from adapters.http.body import Body, Language
from adapters.http.problems import HttpProblem
from adapters.http.speakers_body import Speakers
from adapters.http.template_body import GENERAL, TemplateBody
from adapters.http.text import check_text
from domain.search import PassageKind, SearchFilters, SearchMode, moment_of
from ports.embedder import InputType

MOST_SEGMENTS = 20_000
"""Segments of one recap: a day of talk at four seconds each."""
SEGMENT_CHARACTERS = 8_192
MOST_TEXTS = 2_048
"""Inputs of one embedding request (OpenAI's bound)."""
QUERY_CHARACTERS = 1_024
MOST_FILTERS = 100
"""Names in one filter of a search."""
DAY_S = 86_400.0
MOMENT_S = 1e-6
"""The finest step of a date-time that is taken."""
LATEST_SECOND = 1_000_000.0
"""Seconds: eleven days, longer than any recording."""

Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Seconds = Annotated[float, Field(strict=True, ge=0, le=LATEST_SECOND, allow_inf_nan=False)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=SEGMENT_CHARACTERS)]


def _iso(words: str) -> str:
    """Return an ISO date or date-time as it came. Raises ValueError for what only looks like one."""
    try:
        datetime.fromisoformat(words)
    except ValueError as error:
        raise ValueError("is no day or time that there is") from error
    return words


RecordedAt = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?$"
    ),
    AfterValidator(_iso),
    Field(description="ISO date or date-time of the conversation, where it was held; due dates count from its day"),
]

_TIMEOUT = "Seconds after which the result is of no use; then the job ends"
Timeout = Annotated[float, Field(strict=True, gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
FormTimeout = Annotated[float, Field(gt=0, le=LATEST_SECOND, allow_inf_nan=False, description=_TIMEOUT)]
"""The same in a form, where every value is text."""


class AudioUrlBody(Body):
    """A recording by its address, or by the upload that it came in."""

    audio_url: Annotated[str, StringConstraints(min_length=1, max_length=2048)] | None = None
    upload_id: Identifier | None = None
    language: Language | None = None
    vocabulary: Annotated[str, StringConstraints(max_length=1024)] | None = None
    template: TemplateBody = GENERAL
    recorded_at: RecordedAt | None = None
    speakers: Speakers = None
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


class EmbeddingsBody(Body):
    """OpenAI's embedding request, and `input_type` for models that tell queries from documents."""

    input: str | list[str] | list[int] | list[list[int]]
    model: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    dimensions: Annotated[int, Field(strict=True, ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] = "float"
    user: Annotated[str, StringConstraints(max_length=256)] | None = None
    input_type: InputType = InputType.DOCUMENT
    timeout: Timeout | None = None


Day = Annotated[
    RecordedAt, Field(description="ISO date or date-time; a date stands for the whole day, UTC where no zone is named")
]
Speaker = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class SearchBody(Body):
    """What to look for, and where. `limit` hits at most, of a score of at least `min_score` (0 to 1).

    The rest leaves only passages of these conversations, by these speakers (as they are spelt in the transcript), of these kinds,
    of conversations held from `recorded_from` to `recorded_to`, both included. A conversation was held at its `recorded_at`, or
    when its job came in.
    """

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=QUERY_CHARACTERS)]
    limit: Annotated[int, Field(strict=True, ge=1, le=50)] = 10
    mode: SearchMode = SearchMode.HYBRID
    min_score: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.0
    conversation_ids: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=MOST_FILTERS)] | None = None
    speakers: Annotated[tuple[Speaker, ...], Field(min_length=1, max_length=MOST_FILTERS)] | None = None
    kinds: Annotated[tuple[PassageKind, ...], Field(min_length=1, max_length=len(PassageKind))] | None = None
    recorded_from: Day | None = None
    recorded_to: Day | None = None

    @property
    def filters(self) -> SearchFilters:
        """What is to be left, in Unix seconds."""
        return SearchFilters(
            conversation_ids=self.conversation_ids or (),
            speakers=self.speakers or (),
            kinds=self.kinds or (),
            recorded_from=None if self.recorded_from is None else moment_of(self.recorded_from),
            recorded_before=None if self.recorded_to is None else _just_after(self.recorded_to),
        )


def _just_after(recorded_to: str) -> float:
    """The end of a day, or the moment after a moment."""
    return moment_of(recorded_to) + (DAY_S if "T" not in recorded_to else MOMENT_S)


async def json_only(request: Request) -> None:
    """Raise HttpProblem: 415 unless the body says that it is JSON, and what `check_text` raises."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json" and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise HttpProblem("unsupported_media_type", "Send application/json.")
    await check_text(request)


JsonOnly = Depends(json_only)
