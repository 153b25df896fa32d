"""The model ports outside the service, for evaluations and benchmarks: over an engine in this process, or a server."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

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
from adapters.guard.settings import AttemptTimeouts, BulkheadSettings, RateSettings
from adapters.in_process import ConcurrentEngine, ConcurrentInProcessBackend, Engine, InProcessBackend
from adapters.memory import MemoryCallCache
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from domain.call import ModelIdentity
from domain.search import UNMEASURED, CosineScale
from domain.transcript_gates import ScoreScale
from domain.voice_clusters import ClusterRules
from ports.call_cache import CallCache
from ports.model_backend import ModelBackend
from serve_app.composition.clock import SystemClock
from serve_app.composition.database import database_url, opened
from serve_app.settings.service import Settings, default_data_dir

PATIENT = GuardSettings(
    timeouts=AttemptTimeouts(transcribe=3600, generate=3600, embed=3600, find=3600, entail=3600, diarize=3600),
    rate=RateSettings(max_wait_s=3600),
    bulkhead=BulkheadSettings(max_wait_s=3600),
)
"""On a busy machine an evaluation is slow; it must not come out otherwise."""


def in_process_transcriber(
    engine: Engine, identity: ModelIdentity, max_batch_size: int, scores: ScoreScale
) -> GuardedTranscriber:
    """Return the port behind the production guard: same validation, same batches, a cache that ends with the process."""
    return GuardedTranscriber(InProcessBackend(engine, identity, max_batch_size), _guard(), scores)


def in_process_embedder(
    engine: Engine, identity: ModelIdentity, max_batch_size: int, dimensions: int, cosines: CosineScale = UNMEASURED
) -> GuardedEmbedder:
    """Return the port behind the production guard, as for the transcriber."""
    return GuardedEmbedder(InProcessBackend(engine, identity, max_batch_size), _guard(), dimensions, cosines=cosines)


def in_process_item_finder(engine: Engine, identity: ModelIdentity, stretch_tokens: int) -> GuardedItemFinder:
    """Return the port behind the production guard, as for the transcriber; one call at a time, as a replica does."""
    return GuardedItemFinder(InProcessBackend(engine, identity, 1), _guard(), stretch_tokens)


def in_process_entailment_judge(engine: Engine, identity: ModelIdentity) -> GuardedEntailmentJudge:
    """Return the port behind the production guard, over the engine that finds items too."""
    return GuardedEntailmentJudge(InProcessBackend(engine, identity, 1), _guard())


def in_process_diarizer(engine: Engine, identity: ModelIdentity, max_batch_size: int, voices: ClusterRules) -> GuardedDiarizer:
    """Return the port behind the production guard, as for the transcriber."""
    return GuardedDiarizer(InProcessBackend(engine, identity, max_batch_size), _guard(), voices)


def in_process_language_model(engine: ConcurrentEngine, identity: ModelIdentity, context_tokens: int) -> GuardedLanguageModel:
    """Return the port behind the production guard, as for the transcriber; use it on the event loop of the engine."""
    return GuardedLanguageModel(ConcurrentInProcessBackend(engine, identity), _guard(), context_tokens)


@contextmanager
def kept_language_model(
    backend: ModelBackend, context_tokens: int, name: str, guard: GuardSettings | None = None
) -> Iterator[GuardedLanguageModel]:
    """The port behind the production guard, whose answers are kept from run to run, in the folder `name` of the data folder."""
    folder, clock = default_data_dir() / name, SystemClock()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = Settings(data_dir=folder)
    SqlStore.migrate(database_url(settings))
    with opened(settings, clock) as store:
        yield GuardedLanguageModel(backend, _guard(guard or GuardSettings(), store.calls), context_tokens)


def _guard(settings: GuardSettings = PATIENT, cache: CallCache | None = None) -> CallGuard:
    clock = SystemClock()
    return build_guard(
        settings,
        cache=cache or MemoryCallCache(clock),
        ledger=None,
        prices=DEFAULT_PRICES,
        clock=clock,
        telemetry=build_telemetry().telemetry,
        owner="in-process",
        random=random.Random(0),  # noqa: S311  # jitter of retries, not secrecy
    )
