"""The model ports over an engine in this process: what evaluations and benchmarks use in place of replicas."""

import random

from adapters.guard import (
    DEFAULT_PRICES,
    CallGuard,
    GuardedEmbedder,
    GuardedLanguageModel,
    GuardedTranscriber,
    GuardSettings,
    build_guard,
)
from adapters.guard.settings import AttemptTimeouts, BulkheadSettings, RateSettings
from adapters.in_process import ConcurrentEngine, ConcurrentInProcessBackend, Engine, InProcessBackend
from adapters.memory import MemoryCallCache
from adapters.telemetry import build_telemetry
from domain.call import ModelIdentity
from serve_app.clock import SystemClock

PATIENT = GuardSettings(
    timeouts=AttemptTimeouts(transcribe=3600, generate=3600, embed=3600),
    rate=RateSettings(max_wait_s=3600),
    bulkhead=BulkheadSettings(max_wait_s=3600),
)
"""On a busy machine an evaluation is slow; it must not come out otherwise."""


def in_process_transcriber(engine: Engine, identity: ModelIdentity, max_batch_size: int) -> GuardedTranscriber:
    """Return the port behind the production guard: same validation, same batches, a cache that ends with the process."""
    return GuardedTranscriber(InProcessBackend(engine, identity, max_batch_size), _guard())


def in_process_embedder(engine: Engine, identity: ModelIdentity, max_batch_size: int, dimensions: int) -> GuardedEmbedder:
    """Return the port behind the production guard, as for the transcriber."""
    return GuardedEmbedder(InProcessBackend(engine, identity, max_batch_size), _guard(), dimensions)


def in_process_language_model(engine: ConcurrentEngine, identity: ModelIdentity, context_tokens: int) -> GuardedLanguageModel:
    """Return the port behind the production guard, as for the transcriber; use it on the event loop of the engine."""
    return GuardedLanguageModel(ConcurrentInProcessBackend(engine, identity), _guard(), context_tokens)


def _guard() -> CallGuard:
    clock = SystemClock()
    return build_guard(
        PATIENT,
        cache=MemoryCallCache(clock),
        ledger=None,
        prices=DEFAULT_PRICES,
        clock=clock,
        telemetry=build_telemetry().telemetry,
        owner="in-process",
        random=random.Random(0),  # noqa: S311  # jitter of retries, not secrecy
    )
