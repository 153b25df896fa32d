"""A transcript in the shapes of OpenAI's audio API."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from adapters.http.uploads import AudioForm
from domain.transcript import Segment, Transcript

SEEK_FRAMES_PER_SECOND = 100
"""Whisper counts `seek` in mel frames of 10 ms."""

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]


class OpenAIAudioForm(AudioForm):
    """The fields of OpenAI's request that are honoured; what would be ignored is refused instead."""

    model: Annotated[str, Field(max_length=256)] | None = None
    response_format: ResponseFormat = "json"
    temperature: Annotated[float, Field(ge=0, le=0)] = 0.0
    timestamp_granularities: Annotated[
        tuple[Literal["word", "segment"], ...], Field(alias="timestamp_granularities[]", max_length=2)
    ] = ()
    stream: bool = False
    chunking_strategy: Literal["auto"] = "auto"

    @model_validator(mode="after")
    def _streamable(self) -> "OpenAIAudioForm":
        if self.stream and self.response_format not in ("json", "text"):
            raise ValueError("stream works with response_format json or text")
        if self.timestamp_granularities and self.response_format != "verbose_json":
            raise ValueError("timestamp_granularities needs response_format verbose_json")
        return self


class DurationUsage(BaseModel):
    type: Literal["duration"] = "duration"
    seconds: float


class TranscriptionView(BaseModel):
    """`response_format` json."""

    text: str
    usage: DurationUsage

    @classmethod
    def of(cls, transcript: Transcript) -> "TranscriptionView":
        return cls(text=transcript.text, usage=DurationUsage(seconds=transcript.duration))


class VerboseWord(BaseModel):
    word: str
    start: float
    end: float


class VerboseSegment(BaseModel):
    """Token ids are not kept, so `tokens` is empty; the scores are those of the recogniser."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float

    @classmethod
    def of(cls, segment: Segment) -> "VerboseSegment":
        scores = segment.scores
        return cls(
            id=segment.id,
            seek=int(segment.start * SEEK_FRAMES_PER_SECOND),
            start=segment.start,
            end=segment.end,
            text=segment.text,
            tokens=[],
            temperature=scores.temperature if scores else 0.0,
            avg_logprob=scores.avg_logprob if scores else 0.0,
            compression_ratio=scores.compression_ratio if scores else 0.0,
            no_speech_prob=scores.no_speech_prob if scores else 0.0,
        )


class VerboseView(BaseModel):
    """`response_format` verbose_json; `words` and `segments` as `timestamp_granularities[]` asks, segments by default."""

    task: Literal["transcribe"] = "transcribe"
    language: str
    duration: float
    text: str
    segments: list[VerboseSegment] | None = None
    words: list[VerboseWord] | None = None
    usage: DurationUsage

    @classmethod
    def of(cls, transcript: Transcript, granularities: Sequence[str]) -> "VerboseView":
        segments = [VerboseSegment.of(segment) for segment in transcript.segments]
        words = [
            VerboseWord(word=word.text.strip(), start=word.start, end=word.end)
            for segment in transcript.segments
            for word in segment.words
        ]
        return cls(
            language=transcript.language,
            duration=transcript.duration,
            text=transcript.text,
            segments=segments if "segment" in granularities or not granularities else None,
            words=words if "word" in granularities else None,
            usage=DurationUsage(seconds=transcript.duration),
        )


def stream_events(transcript: Transcript) -> Iterator[dict[str, Any]]:
    """`transcript.text.delta` per segment, whose deltas join to the text, then `transcript.text.done`."""
    for place, segment in enumerate(transcript.segments):
        delta = segment.text if place == 0 else f" {segment.text}"
        yield {"type": "transcript.text.delta", "delta": delta}
    yield {"type": "transcript.text.done", "text": transcript.text}
