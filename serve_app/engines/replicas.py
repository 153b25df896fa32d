"""How each engine is built inside its replica."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.model_store.inspect_folder import gguf_file
from domain.call import ModelIdentity
from domain.errors import WordloopError
from ports.model_backend import RawOutput, TranscribeRequest
from ports.transcriber import TranscriptionOptions
from serve_app.engines.choice import VLLM
from serve_app.engines.served_models import CTRANSLATE2, _embedder_engine, model_store
from serve_app.settings.models import (
    DiarizerSettings,
    EmbedsWith,
    LanguageModelSettings,
    ReaderSettings,
    TranscriberSettings,
)


class WhisperBatches:
    """The Whisper engine in the words of a `BatchEngine`."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def warm_up(self) -> None:
        """Recognise a moment of sound."""
        self._engine.warm_up()

    def sample(self) -> list[TranscribeRequest]:
        """One window of the bundled recording: how long Whisper takes hangs on what is said."""
        from serve_app.engines.speech_sample import speech_sample

        return [TranscribeRequest(speech_sample(), TranscriptionOptions(language="en").parameters())]

    def run(self, batch: Sequence[TranscribeRequest]) -> list[RawOutput | WordloopError]:
        """Answer a batch; when one window breaks it, answer the windows one by one."""
        try:
            return list(self._engine.recognise(batch))
        except WordloopError as error:
            if len(batch) == 1:
                return [error]
            return [result for request in batch for result in self.run([request])]


def wait_without_spinning() -> None:
    """Let threads of OpenMP sleep while they wait for one another, in engines that are loaded after this.

    By default they spin, and on a machine with other work one descheduled thread makes all others burn their time: with one busy
    process beside it on two cores, llama.cpp wrote 80 tokens in 27 s, and in 3.9 s like this (docs/adr/0018).
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("KMP_BLOCKTIME", "0")


def build_transcriber(settings: TranscriberSettings, identity: ModelIdentity) -> WhisperBatches:
    """Load Whisper; runs inside the replica."""
    wait_without_spinning()
    from adapters.faster_whisper_engine import FasterWhisperEngine

    path = model_store().ensure(settings.model).path
    return WhisperBatches(FasterWhisperEngine(str(path), settings.device, settings.compute_type, settings.threads, identity))


def build_language_model(settings: LanguageModelSettings, identity: ModelIdentity) -> Any:
    """Load the language model into the engine that `fit_to_machine` chose; runs inside the replica."""
    wait_without_spinning()
    path = model_store().ensure(settings.model).path
    return _vllm(path, settings, identity) if settings.engine == VLLM else _llama_cpp(path, settings, identity)


def _llama_cpp(path: Path, settings: LanguageModelSettings, identity: ModelIdentity) -> Any:
    from adapters.llama_cpp_engine import LlamaCppEngine, LlamaCppSettings

    chosen = LlamaCppSettings(
        context_tokens=settings.context_tokens,
        max_num_seqs=settings.max_num_seqs,
        max_queued_requests=settings.max_queued_requests,
        threads=settings.threads,
    )
    return LlamaCppEngine(gguf_file(path), identity, chosen)


def _vllm(path: Path, settings: LanguageModelSettings, identity: ModelIdentity) -> Any:
    from adapters.vllm_engine import VllmEngine, VllmSettings

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


def build_embedder(settings: EmbedsWith, identity: ModelIdentity) -> Any:
    """Load the embedding model; runs inside the replica."""
    wait_without_spinning()
    path = model_store().ensure(settings.model).path
    if _embedder_engine(settings, path) == CTRANSLATE2:
        from adapters.ctranslate2_embedder import CTranslate2Embedder, CTranslate2EmbedderSettings

        return CTranslate2Embedder(path, identity, CTranslate2EmbedderSettings(settings.batch_size, settings.threads))
    from adapters.sentence_transformers_engine import SentenceTransformersEngine, SentenceTransformersSettings

    threads = settings.threads if settings.device == "cpu" else 0
    return SentenceTransformersEngine(
        str(path), identity, SentenceTransformersSettings(settings.device, settings.batch_size, threads)
    )


def build_reader(settings: ReaderSettings, identity: ModelIdentity) -> Any:
    """Load the item reader; runs inside the replica."""
    wait_without_spinning()
    from adapters.item_reader import ENTAILMENT, HEAD, EntailmentHead, Head, ItemReaderEngine, Trunk

    trunk = Trunk(model_store().ensure(settings.model).path, settings.threads)
    return ItemReaderEngine(trunk, Head.load(HEAD), EntailmentHead.load(ENTAILMENT), identity)


def build_diarizer(settings: DiarizerSettings, identity: ModelIdentity) -> Any:
    """Load the networks that tell speakers apart; runs inside the replica."""
    from adapters.speaker_networks import SpeakerNetworksEngine
    from serve_app.engines.speech_sample import speech_sample

    path = model_store().ensure(settings.model).path
    return SpeakerNetworksEngine(
        path / "segmentation.onnx", path / "voices.onnx", settings.threads, identity, usual=speech_sample()
    )
