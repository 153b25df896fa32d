"""The model calls behind a result, as JSON."""

from typing import Any

from adapters.http.common.view import View
from domain.call import CallKind


class ModelIdentityView(View):
    id: str
    revision: str
    engine: str
    precision: str


class PromptView(View):
    name: str
    version: str
    digest: str


class UsageView(View):
    """What the call consumed; all zero when it came from the cache."""

    audio_seconds: float
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int


class ProvenanceView(View):
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
