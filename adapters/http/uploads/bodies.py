"""A recording by its address, or by the upload that it came in."""

from typing import Annotated, Self

from pydantic import StringConstraints, model_validator

from adapters.http.common.body import Body, Language
from adapters.http.common.fields import Identifier, RecordedAt, Timeout
from adapters.http.common.speakers_body import Speakers
from adapters.http.common.template_body import GENERAL, TemplateBody


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
