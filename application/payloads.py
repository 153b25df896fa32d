"""What a job carries from the edge to the worker, as plain data that a row can hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from domain.canonical import Json

ALLOWED: Final = frozenset({"max_bytes"})
"""Members that say what the caller may do, not what it asked for: they are no part of a request's fingerprint."""


@dataclass(frozen=True, slots=True)
class AudioPayload:
    """Payload of conversation and transcription jobs.

    `blob_id` names the stored upload; None for a recording that the worker fetches from `audio_url`.
    `filename` and `media_type` are what the client said, kept as metadata only.
    `max_bytes` is what the caller's key lets such a recording have; None for the service's own bound.
    `language` is ISO 639-1 or None to detect; `vocabulary` are words to expect (names, jargon).
    """

    blob_id: str | None
    size: int
    filename: str | None = None
    media_type: str | None = None
    language: str | None = None
    vocabulary: str | None = None
    template: str = "general"
    audio_url: str | None = None
    max_bytes: int | None = None

    def plain(self) -> dict[str, Json]:
        """What belongs to an address is left out where there is none, so that an upload keeps the fingerprint it always had."""
        values: dict[str, Json] = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in values.items() if name not in ("audio_url", "max_bytes") or value is not None}

    @classmethod
    def of(cls, payload: Mapping[str, Json]) -> "AudioPayload":
        return cls(**cast(dict[str, Any], dict(payload)))


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A segment that a caller brings for a recap. Times in seconds."""

    start: float
    end: float
    text: str
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class RecapPayload:
    """Payload of recap jobs: a stored transcript, or segments of the caller's own (exactly one of the two)."""

    transcript_id: str | None = None
    segments: tuple[SpokenSegment, ...] = ()
    language: str | None = None
    template: str = "general"

    def plain(self) -> dict[str, Json]:
        return {
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
    """Payload of embedding jobs. `dimensions` None keeps the model's own."""

    texts: tuple[str, ...]
    input_type: str = "document"
    dimensions: int | None = None

    def plain(self) -> dict[str, Json]:
        return {"texts": list(self.texts), "input_type": self.input_type, "dimensions": self.dimensions}

    @classmethod
    def of(cls, payload: Mapping[str, Json]) -> "EmbeddingPayload":
        values = cast(dict[str, Any], dict(payload))
        return cls(texts=tuple(values.pop("texts")), **values)
