"""A model call as a value: what identifies it, what it ran under, what came back and what it cost."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Generic, TypeVar

from domain.canonical import Json, sha256_of

Value = TypeVar("Value")


class CallKind(StrEnum):
    TRANSCRIBE = "transcribe"
    GENERATE = "generate"
    EMBED = "embed"
    FIND = "find"
    ENTAIL = "entail"
    DIARIZE = "diarize"


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights answer, and how they are run. Any field that differs may give another output."""

    id: str
    revision: str
    engine: str
    precision: str


@dataclass(frozen=True, slots=True)
class PromptReference:
    """The words that were sent: name, version, and the digest over words, schema and sampling parameters."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call consumed. Tokens are the served model's own; audio in seconds."""

    audio_seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.audio_seconds + other.audio_seconds,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
        )


@dataclass(frozen=True, slots=True)
class CallSpec:
    """Everything that decides the output of a call. Two calls with equal specs are the same call.

    `parameters` holds every setting that changes the output (beam size, temperature, seed, language, schema ...).
    """

    kind: CallKind
    input_sha256: str
    model: ModelIdentity
    parameters: Mapping[str, Json]
    prompt: PromptReference | None = None

    @property
    def key(self) -> str:
        """The content key: cache key, checkpoint, idempotency key and join key of traces (64 hex digits)."""
        return sha256_of(
            {
                "kind": self.kind.value,
                "input": self.input_sha256,
                "model": asdict(self.model),
                "parameters": self.parameters,
                "prompt": asdict(self.prompt) if self.prompt else None,
            }
        )


@dataclass(frozen=True, slots=True)
class CallContext:
    """On whose behalf, until when, and how a call is made. Nothing here changes the output.

    `deadline` is absolute, in seconds of the Unix epoch. `store` false means that results may serve this
    job only (`Cache-Control: no-store`): they are kept under the job's own scope and removed when it ends.
    """

    tenant: str = "default"
    job_id: str | None = None
    conversation_id: str | None = None
    deadline: float | None = None
    store: bool = True
    traceparent: str | None = None

    @property
    def cache_scope(self) -> str:
        """Answers are shared inside one tenant only; a no-store job shares with nobody."""
        return f"tenant:{self.tenant}" if self.store else f"job:{self.job_id or 'none'}"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an answer came from: the fields of the cache key, of the span, and of the `provenance` block.

    `saved` is what the call used when it was made, where its answer was read from the cache.
    """

    key: str
    kind: CallKind
    input_sha256: str
    model: ModelIdentity
    parameters: Mapping[str, Json]
    prompt: PromptReference | None = None
    cache_hit: bool = False
    attempts: int = 0
    latency_s: float = 0.0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float = 0.0
    saved: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, spec: CallSpec) -> "Provenance":
        return cls(spec.key, spec.kind, spec.input_sha256, spec.model, spec.parameters, spec.prompt)

    def served_from_cache(self, latency_s: float) -> "Provenance":
        """The same answer read instead of made: nothing was attempted, used or paid."""
        saved = self.usage + self.saved
        return replace(self, cache_hit=True, attempts=0, latency_s=latency_s, usage=Usage(), cost_usd=0.0, saved=saved)

    @property
    def size(self) -> Usage:
        """What making this answer takes, whether it was made just now or read."""
        return self.usage + self.saved


@dataclass(frozen=True, slots=True)
class Answer(Generic[Value]):
    """A validated value of a model together with its provenance."""

    value: Value
    provenance: Provenance
