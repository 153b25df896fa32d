"""The model calls behind a result, as JSON."""

from typing import Any

from pydantic import BaseModel

from domain.call import CallKind, Provenance


class ModelIdentityView(BaseModel):
    id: str
    revision: str
    engine: str
    precision: str


class PromptView(BaseModel):
    name: str
    version: str
    digest: str


class UsageView(BaseModel):
    """What the call consumed; all zero when it came from the cache."""

    audio_seconds: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int


class ProvenanceView(BaseModel):
    """One model call behind this result: its content key, what decided its output, and what it took."""

    key: str
    kind: CallKind
    input_sha256: str
    model: ModelIdentityView
    parameters: dict[str, Any]
    prompt: PromptView | None
    cache_hit: bool
    attempts: int
    latency_s: float
    usage: UsageView
    cost_usd: float

    @classmethod
    def of(cls, call: Provenance) -> "ProvenanceView":
        model, prompt, usage = call.model, call.prompt, call.usage
        return cls(
            key=call.key,
            kind=call.kind,
            input_sha256=call.input_sha256,
            model=ModelIdentityView(id=model.id, revision=model.revision, engine=model.engine, precision=model.precision),
            parameters=dict(call.parameters),
            prompt=PromptView(name=prompt.name, version=prompt.version, digest=prompt.digest) if prompt else None,
            cache_hit=call.cache_hit,
            attempts=call.attempts,
            latency_s=call.latency_s,
            usage=UsageView(
                audio_seconds=usage.audio_seconds,
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cached_input_tokens=usage.cached_input_tokens,
            ),
            cost_usd=call.cost_usd,
        )
