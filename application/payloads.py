"""What a job carries from the gateway to the worker, as plain data that a row can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias, cast

from application.speakers.asked import SpeakersAsked
from domain.canonical import Json
from ports.transcriber import TRANSLATE, TranscriptionOptions

TemplateChoice: TypeAlias = str | Mapping[str, Json]
"""The name of a template, or `{"base": NAME}` and any of `sections`, `instructions`, `length`, `language` of the caller's own."""

ALLOWED: Final = frozenset({"max_bytes"})
"""Members that say what the caller may do, not what it asked for: they are no part of a request's fingerprint."""
LATER: Final = frozenset({"audio_url", "max_bytes", "recorded_at", "speakers", "task", "temperature"})
"""Members that older requests do not have."""


@dataclass(frozen=True, slots=True)
class AudioPayload:
    """Payload of conversation and transcription jobs.

    `blob_id` names the stored upload; None for a recording that the worker fetches from `audio_url`.
    `filename` and `media_type` are what the client said, kept as metadata only.
    `max_bytes` is what the caller's key lets such a recording have; None for the service's own bound.
    `language` is ISO 639-1 or None to detect; `vocabulary` are words to expect (names, jargon).
    `recorded_at` is an ISO date or date-time, None where nobody said. `task` (`translate`: into English) and `temperature` are
    those of `TranscriptionOptions`, None for the service's own. `speakers` as `SpeakersAsked` writes it.
    """

    blob_id: str | None
    size: int
    filename: str | None = None
    media_type: str | None = None
    language: str | None = None
    vocabulary: str | None = None
    template: TemplateChoice = "general"
    audio_url: str | None = None
    max_bytes: int | None = None
    recorded_at: str | None = None
    task: str | None = None
    temperature: float | None = None
    speakers: Json = None

    @property
    def asked(self) -> SpeakersAsked:
        """What the request says of speakers."""
        return SpeakersAsked.of(self.speakers)

    def plain(self) -> dict[str, Json]:
        """What came later is left out where it was not asked for, so that a request keeps the fingerprint it always had."""
        values: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if name not in LATER or value is not None}

    def options(self, own: TranscriptionOptions, tenant_vocabulary: str | None = None) -> TranscriptionOptions:
        """Return how the recording is decoded: as the service does by itself, where the request does not say otherwise.

        `tenant_vocabulary`: words to expect in all recordings of the tenant.
        """
        task = self.task or own.task
        return replace(
            own,
            language=self.language,
            prompt=expected_words(tenant_vocabulary, self.vocabulary),
            task=task,
            temperature=own.temperature if self.temperature is None else self.temperature,
            # The decoder aligns what it wrote with what was said, word after word; a translation has another order.
            word_timestamps=own.word_timestamps and task != TRANSLATE,
        )

    @classmethod
    def of(cls, payload: Mapping[str, Json]) -> "AudioPayload":
        return cls(**cast(dict[str, Any], dict(payload)))


def expected_words(of_tenant: str | None, of_request: str | None) -> str | None:
    """Return the words to expect of both; those of the request stand last, where a recogniser that reads only so many ends."""
    return ", ".join(words.strip() for words in (of_tenant, of_request) if words and words.strip()) or None


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A segment that a caller brings for a recap. Times in seconds."""

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class RecapPayload:
    """Payload of recap jobs: a stored transcript, or segments of the caller's own (exactly one of the two).

    `recorded_at` is an ISO date or date-time, None where nobody said.
    """

    transcript_id: str | None = None
    segments: tuple[SpokenSegment, ...] = ()
    language: str | None = None
    template: TemplateChoice = "general"
    recorded_at: str | None = None

    def plain(self) -> dict[str, Json]:
        dated: dict[str, Json] = {} if self.recorded_at is None else {"recorded_at": self.recorded_at}
        return dated | {
            "transcript_id": self.transcript_id,
            "segments": [{"start": s.start, "end": s.end, "text": s.text, "speaker": s.speaker} for s in self.segments],
            "language": self.language,
            "template": self.template,
        }

    @classmethod
    def of(cls, payload: Mapping[str, Json]) -> "RecapPayload":
        values = cast(dict[str, Any], dict(payload))
        segments = tuple(SpokenSegment(**segment) for segment in values.pop("segments"))
        return cls(segments=segments, **values)


@dataclass(frozen=True, slots=True)
class EmbeddingPayload:
    """Payload of embedding jobs. `dimensions` None keeps the model's own. `long_texts` as in `LongTexts`, None refuses them."""

    texts: tuple[str, ...]
    input_type: str = "document"
    dimensions: int | None = None
    long_texts: str | None = None

    def plain(self) -> dict[str, Json]:
        plain: dict[str, Json] = {"texts": list(self.texts), "input_type": self.input_type, "dimensions": self.dimensions}
        return plain | {"long_texts": self.long_texts} if self.long_texts is not None else plain

    @classmethod
    def of(cls, payload: Mapping[str, Json]) -> "EmbeddingPayload":
        values = cast(dict[str, Any], dict(payload))
        return cls(texts=tuple(values.pop("texts")), **values)
