"""A transcript in the shapes of OpenAI's audio API."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, model_validator

from adapters.http.common.speakers_body import plain_speakers
from adapters.http.results.views import SpeakersView
from adapters.http.uploads.forms import AudioForm
from domain.canonical import Json
from domain.spoken_languages import name_of
from domain.transcript import Segment, Transcript, Word
from ports.transcriber import TRANSLATE

SEEK_FRAMES_PER_SECOND = 100
"""Whisper counts `seek` in mel frames of 10 ms."""

LEAST_PROBABILITY = 1e-10
"""What a probability of nothing counts as where its logarithm is told."""

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
SpokenFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
DIARIZED: Final = "diarized_json"
NOBODY: Final = "unknown"
"""Who speaks in a segment where nobody knows: the shape has no room for none."""


class CompatibleForm(AudioForm):
    """The fields of OpenAI's audio requests that are honoured; what would be ignored is refused instead.

    `temperature` above 0 samples, always with the same seed. `store` false keeps nothing of the recording and its text.
    """

    model: Annotated[str, Field(max_length=256)] | None = None
    response_format: SpokenFormat = "json"
    temperature: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    store: bool = True

    def speakers_asked(self) -> Json:
        """Nobody looks for speakers where the answer has no place for them, unless they are asked for."""
        return plain_speakers(self.speakers or False)

    def decoding(self) -> dict[str, Any]:
        return {"temperature": self.temperature} if self.temperature else {}

    def stores(self) -> bool:
        return self.store


class TranslationForm(CompatibleForm):
    """A recording whose words are wanted in English. `language` is the one that is spoken, where it is known."""

    response_format: ResponseFormat = "json"

    def decoding(self) -> dict[str, Any]:
        return super().decoding() | {"task": TRANSLATE}


class TranscriptionForm(CompatibleForm):
    """A recording whose words are wanted as they were said. `include[]` logprobs: one entry a word, its mean log-probability.

    `response_format` diarized_json tells who speaks.
    """

    timestamp_granularities: Annotated[
        tuple[Literal["word", "segment"], ...], Field(alias="timestamp_granularities[]", max_length=2)
    ] = ()
    stream: bool = False
    chunking_strategy: Literal["auto"] = "auto"
    include: Annotated[tuple[Literal["logprobs"], ...], Field(alias="include[]", max_length=1)] = ()

    @model_validator(mode="after")
    def _streamable(self) -> "TranscriptionForm":
        if self.stream and self.speakers:
            raise ValueError("stream works without speakers, which are known at the end")
        if self.response_format == DIARIZED and self.speakers is False:
            raise ValueError("response_format diarized_json tells who speaks, so speakers is not false")
        if self.stream and self.response_format not in ("json", "text"):
            raise ValueError("stream works with response_format json or text")
        if self.timestamp_granularities and self.response_format != "verbose_json":
            raise ValueError("timestamp_granularities needs response_format verbose_json")
        if self.include and self.response_format != "json":
            raise ValueError("include needs response_format json")
        return self

    def speakers_asked(self) -> Json:
        return super().speakers_asked() if self.response_format != DIARIZED else plain_speakers(self.speakers or True)


class DurationUsage(BaseModel):
    type: Literal["duration"] = "duration"
    seconds: float


class WordLogprob(BaseModel):
    """A word as a token of OpenAI's list: tokens are not kept, so this is the mean over those of the word."""

    token: str
    bytes: list[int]
    logprob: float

    @classmethod
    def of(cls, word: Word) -> "WordLogprob":
        text = word.text.strip()
        return cls(token=text, bytes=list(text.encode()), logprob=math.log(max(word.probability, LEAST_PROBABILITY)))


class TranscriptionView(BaseModel):
    """`response_format` json. `logprobs` where `include[]` asks for them."""

    text: str
    usage: DurationUsage
    logprobs: list[WordLogprob] | None = None

    @classmethod
    def of(cls, transcript: Transcript, include: Sequence[str] = ()) -> "TranscriptionView":
        logprobs = [WordLogprob.of(word) for segment in transcript.segments for word in segment.words]
        usage = DurationUsage(seconds=transcript.duration)
        return cls(text=transcript.text, usage=usage, logprobs=logprobs if "logprobs" in include else None)


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
    """`response_format` verbose_json; `words` and `segments` as `timestamp_granularities[]` asks, segments by default.

    `language` is that of the text, as an English word.
    """

    task: Literal["transcribe", "translate"]
    language: str
    duration: float
    text: str
    segments: list[VerboseSegment] | None = None
    words: list[VerboseWord] | None = None
    usage: DurationUsage

    @classmethod
    def of(cls, transcript: Transcript, task: Literal["transcribe", "translate"], granularities: Sequence[str]) -> "VerboseView":
        segments = [VerboseSegment.of(segment) for segment in transcript.segments]
        words = [
            VerboseWord(word=word.text.strip(), start=word.start, end=word.end)
            for segment in transcript.segments
            for word in segment.words
        ]
        return cls(
            task=task,
            language=name_of(transcript.language),
            duration=transcript.duration,
            text=transcript.text,
            segments=segments if "segment" in granularities or not granularities else None,
            words=words if "word" in granularities else None,
            usage=DurationUsage(seconds=transcript.duration),
        )


class DiarizedSegment(BaseModel):
    """What one speaker said without a break; `unknown` where nobody knows who."""

    type: Literal["transcript.text.segment"] = "transcript.text.segment"
    id: str
    start: float
    end: float
    speaker: str
    text: str

    @classmethod
    def of(cls, segment: Segment) -> "DiarizedSegment":
        return cls(
            id=f"seg_{segment.id}",
            start=segment.start,
            end=segment.end,
            speaker=segment.speaker or NOBODY,
            text=segment.text,
        )


class DiarizedView(BaseModel):
    """`response_format` diarized_json. `speakers` is ours: whether they were found, and why not."""

    task: Literal["transcribe"] = "transcribe"
    duration: float
    text: str
    segments: list[DiarizedSegment]
    usage: DurationUsage
    speakers: SpeakersView

    @classmethod
    def of(cls, transcript: Transcript) -> "DiarizedView":
        return cls(
            duration=transcript.duration,
            text=transcript.text,
            segments=[DiarizedSegment.of(segment) for segment in transcript.segments],
            usage=DurationUsage(seconds=transcript.duration),
            speakers=SpeakersView.of(transcript.speakers),
        )
