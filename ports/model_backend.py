"""The raw side of a model: plain requests in, unchecked output back.

Engines, remote providers and scripted doubles speak this; only the call guard listens. Nothing a backend returns
reaches the domain before the guard has validated it.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from domain.call import ModelIdentity, Usage
from domain.canonical import Json


@dataclass(frozen=True, slots=True)
class TranscribeRequest:
    """One window of speech: s16le mono 16 kHz, at most 30 s. `parameters`: see `TranscriptionOptions`.

    `left_s`: seconds of sound that its recording still waits for, this window included. It decides who is served first only.
    """

    pcm: bytes
    parameters: Mapping[str, Json]
    left_s: float = 0.0


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A rendered conversation for a language model, the JSON schema its answer must follow, and the sampling."""

    messages: tuple[tuple[str, str], ...]
    schema: Mapping[str, Json] | None
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to embed in one call. `parameters`: `input_type` (`query` or `document`), `dimensions`, and `long_texts`
    (`pool`) where a text that is too long is to be cut and its vectors pooled."""

    texts: tuple[str, ...]
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class FindRequest:
    """A stretch of a conversation: (speaker, text) of each line; an unknown speaker is empty. `parameters`: none so far."""

    lines: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class EntailRequest:
    """Claims about a conversation: (speaker, text) of each line of the premise, and the sentence. `parameters`: none so far."""

    claims: tuple[tuple[tuple[tuple[str, str], ...], str], ...]
    parameters: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class DiarizeRequest:
    """One window of sound: s16le mono 16 kHz, at most 10 s. `parameters`: none so far."""

    pcm: bytes
    parameters: Mapping[str, Json]


ModelRequest: TypeAlias = TranscribeRequest | GenerateRequest | EmbedRequest | FindRequest | EntailRequest | DiarizeRequest


def left_of(request: ModelRequest) -> float:
    """Return the seconds of sound that the owner of a request still waits for; 0 for what is no part of a recording."""
    return request.left_s if isinstance(request, TranscribeRequest) else 0.0


@dataclass(frozen=True, slots=True)
class CallMeta:
    """What travels with a request without changing its output: trace parent, idempotency key, tenant, priority."""

    key: str = ""
    tenant: str = "default"
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class RawOutput:
    """Whatever the model said, as plain data of the shape below, still unchecked.

    transcribe: `{"language", "language_probability", "segments": [{"start", "end", "text", "avg_logprob",
    "no_speech_prob", "compression_ratio", "temperature", "words": [{"start", "end", "word", "probability"}]}],
    "withheld": [{"start", "end", "reason"}]}`, seconds from the start of the window; `withheld` may be left out.
    generate: `{"text", "finish_reason"}`.
    embed: `{"vectors": [[float]]}`, one per text, in order.
    find: `{"lines": [{"decision", "task", "question", "look_alike", "order", "speaker_owns", "owner", "due"}]}`, one per line, in
    order; the first six from 0 to 1, `owner` and `due` null or `[start, end, probability]` in characters of the line.
    entail: `{"probabilities": [float]}`, one per claim, in order, from 0 to 1.
    diarize: `{"stretches": [{"start", "end", "speaker", "voice": [float], "voice_seconds"}]}`, seconds from the start of the
    window; `voice` has the length one, or is empty where the speaker was not heard alone for long enough.
    """

    payload: Mapping[str, Any]
    usage: Usage = field(default_factory=Usage)


class ModelBackend(Protocol):
    """One served model of one kind."""

    @property
    @abstractmethod
    def identity(self) -> ModelIdentity:
        """Which weights answer here. Constant for the life of the object."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Which backend this is (`ray_serve`, `openai`, `scripted`): a label of spans, metrics and breakers."""

    @abstractmethod
    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        """Make one attempt and return its raw output.

        Gives up after `timeout_s` seconds with ModelTimeout. Raises ModelUnavailable, ModelOverloaded or
        RateLimited (with a retry-after when the backend named one), or ModelRejected when this input will never do.
        Cancelling the task stops the engine's work on it.
        """
