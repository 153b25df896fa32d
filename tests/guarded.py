"""Guarded model ports over scripted backends: what the tests of the guard have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from adapters.guard import (
    DEFAULT_PRICES,
    CallGuard,
    GuardedDiarizer,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedTranscriber,
    GuardSettings,
    build_guard,
)
from adapters.guard.call import CallRecord, GuardedCall
from adapters.guard.vector_rules import VectorRules
from adapters.memory import MemoryBudgetLedger, MemoryCallCache
from adapters.scripted import SCRIPTED_VOICES, MovableClock, ScriptedBackend
from adapters.telemetry import RecordingTelemetry
from domain.audio import SAMPLE_RATE, SpeechWindow
from domain.call import CallContext, CallKind, CallSpec, PromptReference, Usage
from ports.call_board import CallBoard
from ports.call_cache import CallCache
from ports.call_metering import BudgetLedger, PriceTable
from ports.clock import Clock
from ports.language_model import RenderedPrompt, Sampling
from ports.model_backend import EmbedRequest, ModelBackend, RawOutput
from ports.telemetry import Telemetry

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title"],
    "properties": {"title": {"type": "string", "maxLength": 40}, "score": {"type": "number", "multipleOf": 0.5}},
}


@dataclass
class Bench:
    """One process: a guard over its own clock, cache, ledger and telemetry, each of which a test may replace."""

    clock: Clock = field(default_factory=MovableClock)
    settings: GuardSettings = field(default_factory=GuardSettings)
    cache: CallCache | None = None
    ledger: BudgetLedger | None = field(default_factory=MemoryBudgetLedger)
    prices: PriceTable = DEFAULT_PRICES
    telemetry: Telemetry = field(default_factory=RecordingTelemetry)
    owner: str = "process-1"
    board: CallBoard | None = None
    seed: int = 7

    def __post_init__(self) -> None:
        self.cache = self.cache or MemoryCallCache(self.clock)
        self.guard: CallGuard = build_guard(
            self.settings,
            cache=self.cache,
            ledger=self.ledger,
            prices=self.prices,
            clock=self.clock,
            telemetry=self.telemetry,
            owner=self.owner,
            random=Random(self.seed),
            board=self.board,
        )

    def backend(self, *lines: Any, **options: Any) -> ScriptedBackend:
        return ScriptedBackend(lines, clock=self.clock, **options)

    def embedder(self, backend: ModelBackend, dimensions: int = 2, max_texts: int = 8) -> GuardedEmbedder:
        return GuardedEmbedder(backend, self.guard, dimensions, max_texts)

    def transcriber(self, backend: ModelBackend) -> GuardedTranscriber:
        return GuardedTranscriber(backend, self.guard)

    def language_model(self, backend: ModelBackend, context_tokens: int = 4096) -> GuardedLanguageModel:
        return GuardedLanguageModel(backend, self.guard, context_tokens)

    def item_finder(self, backend: ModelBackend, stretch_tokens: int = 1536) -> GuardedItemFinder:
        return GuardedItemFinder(backend, self.guard, stretch_tokens)

    def entailment(self, backend: ModelBackend) -> GuardedEntailmentJudge:
        return GuardedEntailmentJudge(backend, self.guard)

    def diarizer(self, backend: ModelBackend) -> GuardedDiarizer:
        return GuardedDiarizer(backend, self.guard, SCRIPTED_VOICES)

    def call(self, backend: ModelBackend, **context: Any) -> GuardedCall[Any]:
        """A call as the layers see it, for a test of one layer alone."""
        spec = CallSpec(CallKind.EMBED, "0" * 64, backend.identity, {})
        rules, record = VectorRules(1, 2), CallRecord(self.clock.monotonic())
        return GuardedCall(spec, CallContext(**context), EmbedRequest(("a",), {}), backend, rules, Usage(), record)


def vectors(*rows: Sequence[float], tokens: int = 3) -> RawOutput:
    return RawOutput({"vectors": [list(row) for row in (rows or ([1.0, 0.0],))]}, Usage(input_tokens=tokens))


def reading(decision: object = 0.9, **other: Any) -> dict[str, Any]:
    return {
        "decision": decision,
        "task": 0.1,
        "question": 0,
        "look_alike": 1,
        "order": 0,
        "speaker_owns": 0.5,
        "owner": None,
        "due": None,
        **other,
    }


def read(*rows: object, tokens: int = 3) -> RawOutput:
    return RawOutput({"lines": list(rows)}, Usage(input_tokens=tokens))


def judged(*probabilities: object, tokens: int = 3) -> RawOutput:
    return RawOutput({"probabilities": list(probabilities)}, Usage(input_tokens=tokens))


def written(text: str, finish_reason: str = "stop", tokens: int = 5) -> RawOutput:
    return RawOutput({"text": text, "finish_reason": finish_reason}, Usage(input_tokens=tokens, output_tokens=tokens))


def segment(start: float = 0.0, end: float = 1.0, text: str = " Good morning.", **other: Any) -> dict[str, Any]:
    scores = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.1, "temperature": 0.0}
    return {"start": start, "end": end, "text": text, **scores, "words": [], **other}


def heard(*segments: Mapping[str, Any], seconds: float = 2.0) -> RawOutput:
    return RawOutput({"language": "en", "language_probability": 0.9, "segments": list(segments)}, Usage(audio_seconds=seconds))


def window(seconds: float = 2.0, sample: bytes = b"\x01\x00") -> SpeechWindow:
    return SpeechWindow(0, 0.0, seconds, sample * round(seconds * SAMPLE_RATE))


def prompt(text: str = "Write a title.", temperature: float = 0.0, schema: Any = SCHEMA, **reference: str) -> RenderedPrompt:
    named = PromptReference(**{"name": "title", "version": "1", "digest": "d" * 64, **reference})
    return RenderedPrompt(named, (("user", text),), schema, Sampling(max_tokens=64, temperature=temperature))
