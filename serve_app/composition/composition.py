"""Everything real is chosen here: which adapter stands behind which port. The worker and the ingress are wired from it."""

import os
import random
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import prompts
from adapters.guard import (
    CallGuard,
    GuardedDiarizer,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedTranscriber,
    build_guard,
)
from adapters.local_uploads import LocalUploads
from adapters.outbound import AddressPolicy, GuardedClient, OutboundLimits
from adapters.ray_serve.instruments import Instruments, RayInstruments
from adapters.ray_serve.metrics import RayMetrics
from adapters.ray_serve.rates import ReplicaRates
from adapters.ray_serve.readiness import DeploymentReadiness
from adapters.sql import SqlStore
from adapters.telemetry import Exported, build_telemetry
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers
from application.expected_time import ExpectedTime
from application.find_with_language_model import FindWithLanguageModel
from application.keep_retention import Retention
from application.known_transcripts import KnownTranscripts
from application.recap.settings import RecapSettings
from application.remove_blobs import RemoveBlobs
from application.text_groups import TEXTS_PER_CALL
from application.transcribe_audio import TranscriptionSettings
from ports.call_board import CallBoard
from ports.call_cache import CallCache
from ports.item_finder import ItemFinder
from ports.model_backend import ModelBackend
from serve_app.composition.blobs import StoredBlobs, build_blobs
from serve_app.composition.clock import SystemClock
from serve_app.composition.database import call_board, call_cache, open_store
from serve_app.composition.model_calls import at_once, price_table, rates_of_replicas
from serve_app.composition.recipes import speaker_recipe, transcript_recipe
from serve_app.engines.descriptors import diarizer_voices, embedder_cosines, transcriber_scores
from serve_app.engines.served_models import ServedModels, model_store
from serve_app.settings.models import EmbedsWith, RemoteSettings
from serve_app.settings.service import Settings

UPLOADS_PER_TENANT = 4
"""Largest uploads that one tenant may have unfinished, or finished and not used, on the disk at once."""


@dataclass
class Composition:
    """One process's ports, built when first asked for. `handles` are the model deployments by name."""

    settings: Settings
    models: ServedModels
    handles: Mapping[str, Any]
    role: str

    @cached_property
    def clock(self) -> SystemClock:
        return SystemClock()

    @cached_property
    def store(self) -> SqlStore:
        return open_store(self.settings, self.clock)

    @cached_property
    def calls(self) -> CallCache:
        """Answers of model calls: with the rows, or in Redis where one is configured."""
        return call_cache(self.settings, self.store, self.clock)

    @cached_property
    def board(self) -> CallBoard:
        """Where the processes of this service meet: where the answers of calls are."""
        return call_board(self.settings, self.store, self.clock)

    @cached_property
    def blobs(self) -> StoredBlobs:
        return build_blobs(self.settings, self.clock)

    @cached_property
    def removal(self) -> RemoveBlobs:
        return RemoveBlobs(self.blobs, self.store.results, self.clock)

    @cached_property
    def uploads(self) -> LocalUploads:
        """Uploads in pieces, kept on this machine until a job is made of them."""
        bound = UPLOADS_PER_TENANT * self.settings.limits.max_upload_bytes
        return LocalUploads(self.settings.data_folder / "uploads", self.clock, bound, self.settings.limits.upload_expires_s)

    @cached_property
    def outbound(self) -> GuardedClient:
        """The one way to addresses that callers name."""
        chosen = self.settings.outbound
        policy = AddressPolicy(frozenset(chosen.ports), frozenset(chosen.trusted_hosts))
        return GuardedClient(policy, OutboundLimits(fetch_s=chosen.fetch_s, idle_s=chosen.idle_s))

    @cached_property
    def instruments(self) -> Instruments:
        """Where metrics are counted."""
        return RayInstruments()

    @cached_property
    def deployments(self) -> Callable[[], Awaitable[Mapping[str, tuple[bool, str]]]]:
        """Which deployments are warm, by name, and in words how they are."""
        return DeploymentReadiness("wordloop")

    @cached_property
    def guard(self) -> CallGuard:
        shown = self.settings.telemetry
        return build_guard(
            self.settings.guard,
            cache=self.calls,
            ledger=self.store.ledger,
            prices=price_table(self.settings),
            clock=self.clock,
            telemetry=RayMetrics(
                self.exported.telemetry, self.instruments, shown.tenants_shown, self.settings.guard.budget.tenants
            ),
            owner=self.owner,
            random=random.Random(),  # noqa: S311 - jitter, not secrets
            board=self.board,
        )

    @cached_property
    def exported(self) -> Exported:
        """Spans and metrics: sent to an OTLP collector where one is configured."""
        return build_telemetry(self.settings.telemetry.otlp_endpoint, service_name=f"wordloop-{self.role}")

    @cached_property
    def owner(self) -> str:
        """Names this process in leases: no two alive at once share it."""
        return f"{self.role}-{socket.gethostname()}-{os.getpid()}-{random.SystemRandom().getrandbits(32):08x}"

    @cached_property
    def transcriber(self) -> GuardedTranscriber:
        scores = transcriber_scores(self.settings.transcriber, model_store())
        return GuardedTranscriber(self._backend("transcriber"), self.guard, scores)

    @cached_property
    def language_model(self) -> GuardedLanguageModel:
        return GuardedLanguageModel(self._backend("language_model"), self.guard, self.settings.language_model.context_tokens)

    @cached_property
    def embedder(self) -> GuardedEmbedder:
        return self._embedder("embedder", self.settings.embedder)

    @cached_property
    def previous_embedder(self) -> GuardedEmbedder | None:
        """The model whose vectors searches are answered from while passages move to another; None where none is named."""
        own = self.settings.embedder.previous
        return None if own is None else self._embedder("previous_embedder", own)

    def _embedder(self, port: str, own: EmbedsWith) -> GuardedEmbedder:
        cosines = embedder_cosines(own, model_store())
        return GuardedEmbedder(self._backend(port), self.guard, own.dimensions, TEXTS_PER_CALL, cosines)

    @cached_property
    def item_finder(self) -> ItemFinder:
        return self.trained_reader if self.settings.reader.is_served else FindWithLanguageModel(self.language_model, prompts)

    @cached_property
    def trained_reader(self) -> GuardedItemFinder:
        """The reader of this service; estimates price it whether it is served or not."""
        return GuardedItemFinder(self._backend("reader"), self.guard, self.settings.reader.stretch_tokens)

    @cached_property
    def entailment(self) -> GuardedEntailmentJudge | None:
        """The judge of written sentences, in the replicas of the reader; None where no reader is served."""
        return self.trained_judge if self.settings.reader.is_served else None

    @cached_property
    def trained_judge(self) -> GuardedEntailmentJudge:
        """The judge of this service; estimates price it whether it is served or not."""
        return GuardedEntailmentJudge(self._backend("reader"), self.guard)

    @cached_property
    def find_speakers(self) -> FindSpeakers | None:
        """Who tells the speakers of a recording apart; None where no diarizer is served."""
        return None if self.diarizer is None else FindSpeakers(self.diarizer, self.diarization)

    @cached_property
    def diarizer(self) -> GuardedDiarizer | None:
        if self.models.diarizer is None:
            return None
        return GuardedDiarizer(self._backend("diarizer"), self.guard, diarizer_voices(self.settings.diarizer, model_store()))

    @cached_property
    def diarization(self) -> DiarizationSettings:
        return DiarizationSettings(concurrent_windows=self.settings.worker.windows_in_flight)

    @cached_property
    def recap(self) -> RecapSettings:
        """The bounds of recaps: those of the configuration, and those that are the recap's own."""
        return RecapSettings(**self.settings.recap.model_dump())

    @cached_property
    def rates(self) -> ReplicaRates:
        """How fast the replicas here say they are; a remote model has no handle and no rate."""
        return rates_of_replicas(self.handles, self.clock, self.deployments)

    @cached_property
    def expected(self) -> ExpectedTime:
        stretch = self.settings.reader.stretch_tokens
        return ExpectedTime(self.rates, prompts, at_once(self.settings), self.recap, stretch_tokens=stretch)

    @cached_property
    def transcription(self) -> TranscriptionSettings:
        return TranscriptionSettings(concurrent_windows=self.settings.worker.windows_in_flight)

    @cached_property
    def known(self) -> KnownTranscripts:
        """Transcripts by the bytes of their recordings, as jobs and estimates find them."""
        return KnownTranscripts(
            self.calls,
            self.store.results,
            transcript_recipe(self.models, self.transcription, self.transcriber.scores),
            self.owner,
            speaker_recipe(self.models, self.settings.speakers, self.diarizer.voices if self.diarizer else None),
        )

    def _kept(self) -> Retention:
        return Retention(self.settings.retention.days, self.settings.retention.tenants)

    def _backend(self, port: str) -> ModelBackend:
        identity = getattr(self.models, port)
        own: Any = self.settings.embedder.previous if port == "previous_embedder" else getattr(self.settings, port)
        remote: RemoteSettings | None = own.remote
        if remote is not None:
            from adapters.openai_compatible import OpenAiBackend

            return OpenAiBackend(remote.base_url, identity, api_key=os.environ.get(remote.api_key_env or ""))
        from adapters.ray_serve.backend import RayServeBackend

        return RayServeBackend(self.handles.get(port), identity)
