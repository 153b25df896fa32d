"""Everything real is chosen here: which adapter stands behind which port, for the worker and for the ingress."""

import asyncio
import os
import random
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import prompts
from adapters.dateparser_dates import DateparserDates
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
from adapters.outbound import AddressPolicy, GuardedClient, OutboundLimits, SignedWebhooks
from adapters.ray_serve.instruments import RayInstruments
from adapters.ray_serve.metrics import RayJobMetrics, RayMetrics
from adapters.ray_serve.rates import ReplicaRates
from adapters.ray_serve.readiness import DeploymentReadiness
from adapters.sql import SqlStore
from adapters.telemetry import Exported, build_telemetry
from application.delete_conversation import DeleteConversation
from application.deliver_webhooks import KEPT_S, DeliverWebhooks
from application.diarise.find_speakers import DiarizationSettings, FindSpeakers
from application.expected_time import ExpectedTime
from application.find_with_language_model import FindWithLanguageModel
from application.index_transcript import IndexTranscript
from application.keep_house import KeepHouse
from application.keep_retention import KeepRetention, Retention
from application.known_transcripts import KnownTranscripts
from application.recap.make_recap import MakeRecap
from application.recap.settings import RecapSettings
from application.remove_blobs import RemoveBlobs
from application.rename_speakers import IndexUnderNames
from application.run_stages import EmbedTexts, ProcessConversation, RecapTranscript, TranscribeAlone
from application.speakers.tell_speakers import SPEAKER_RECIPE
from application.text_groups import TEXTS_PER_CALL
from application.transcribe_audio import RECIPE, TranscriptionSettings
from application.wait_for_job import WaitForJob
from application.watch_queue import WatchQueue
from application.work_on_jobs import WorkOnJobs
from domain.canonical import Json
from domain.job import JobKind
from ports.call_cache import CallCache
from ports.item_finder import ItemFinder
from ports.model_backend import ModelBackend
from serve_app.blobs import StoredBlobs, build_blobs
from serve_app.clock import SystemClock
from serve_app.database import named, open_store
from serve_app.engines import ServedModels
from serve_app.model_calls import at_once, price_table, rates_of_replicas
from serve_app.model_settings import RemoteSettings
from serve_app.settings import Settings
from serve_app.uploading import transcribe_upload

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
        url = named(self.settings.call_cache.redis_url_env, "call_cache.redis_url_env")
        if url is None:
            return self.store.calls
        from adapters.redis_calls import RedisCalls

        return RedisCalls(url, self.clock)

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
    def guard(self) -> CallGuard:
        shown = self.settings.telemetry
        return build_guard(
            self.settings.guard,
            cache=self.calls,
            ledger=self.store.ledger,
            prices=price_table(self.settings),
            clock=self.clock,
            telemetry=RayMetrics(
                self.exported.telemetry, RayInstruments(), shown.tenants_shown, self.settings.guard.budget.tenants
            ),
            owner=self.owner,
            random=random.Random(),  # noqa: S311 - jitter, not secrets
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
        return GuardedTranscriber(self._backend("transcriber"), self.guard)

    @cached_property
    def language_model(self) -> GuardedLanguageModel:
        return GuardedLanguageModel(self._backend("language_model"), self.guard, self.settings.language_model.context_tokens)

    @cached_property
    def embedder(self) -> GuardedEmbedder:
        return GuardedEmbedder(self._backend("embedder"), self.guard, self.settings.embedder.dimensions, TEXTS_PER_CALL)

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
        return None if self.models.diarizer is None else GuardedDiarizer(self._backend("diarizer"), self.guard)

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
        return rates_of_replicas(self.handles, self.clock, self.readiness)

    @cached_property
    def readiness(self) -> DeploymentReadiness:
        return DeploymentReadiness("wordloop")

    @cached_property
    def expected(self) -> ExpectedTime:
        stretch = self.settings.reader.stretch_tokens
        return ExpectedTime(self.rates, prompts, at_once(self.settings), self.recap, stretch_tokens=stretch)

    @cached_property
    def transcription(self) -> TranscriptionSettings:
        return TranscriptionSettings(concurrent_windows=self.settings.worker.windows_in_flight)

    @cached_property
    def known(self) -> KnownTranscripts:
        """Transcripts by the bytes of their recordings, as jobs find them and estimates foresee them."""
        return KnownTranscripts(self.calls, self.store.results, self._recipe(), self.owner, self._speaker_recipe())

    def worker(self) -> WorkOnJobs:
        """The job worker of this process, with the plan of every kind of job."""
        worker = self.settings.worker
        upload = transcribe_upload(self)
        recap = RecapTranscript(
            MakeRecap(self.language_model, self.embedder, self.item_finder, prompts, self.recap, self.entailment),
            self.store.results,
            self.store.results,
            self.store.search,
            self.expected,
            prompts,
            DateparserDates(),
        )
        metrics = RayJobMetrics(RayInstruments())
        index = IndexTranscript(self.embedder, IndexUnderNames(self.store.search, self.store.results), self.expected, self.recap)
        return WorkOnJobs(
            queue=self.store.jobs,
            calls=self.calls,
            handlers={
                JobKind.CONVERSATION: ProcessConversation(upload, recap),
                JobKind.TRANSCRIPTION: TranscribeAlone(upload, index),
                JobKind.RECAP: recap,
                JobKind.EMBEDDING: EmbedTexts(self.embedder, self.store.results, self.expected),
            },
            clock=self.clock,
            tracer=self.exported.tracer,
            owner=self.owner,
            house=KeepHouse(
                {
                    "uploads": partial(asyncio.to_thread, self.blobs.sweep),
                    "orphans": self.removal.leftovers,
                    "retention": self._retention(),
                    "calls": self.guard.trim_cache,
                    "partial uploads": partial(asyncio.to_thread, self.uploads.sweep),
                    "webhooks": partial(self.store.webhooks.trim, KEPT_S),
                    "rates": self.rates.look_around,
                },
                self.clock,
            ),
            webhooks=DeliverWebhooks(
                self.store.webhooks,
                SignedWebhooks(self.outbound),
                self.clock,
                random.Random(),  # noqa: S311 - jitter, not secrets
            ),
            watch=WatchQueue(self.store.jobs, self.store.webhooks, metrics, self.clock),
            metrics=metrics,
            concurrency=worker.concurrency,
            short_concurrency=worker.short_concurrency,
            lease_s=worker.lease_s,
        )

    def _retention(self) -> KeepRetention:
        days = self.settings.retention
        wait = WaitForJob(self.store.jobs, self.clock)
        delete = DeleteConversation(self.store.jobs, self.store.results, self.removal, self.calls, wait)
        kept = Retention(days.days, days.tenants)
        return KeepRetention(self.store.jobs, self.store.results, delete, kept, self.clock)

    def _recipe(self) -> dict[str, Json]:
        """What decides the text of every recording alike. The voice detector comes with the transcriber's engine."""
        return {"model": asdict(self.models.transcriber), "rules": asdict(self.transcription), "code": RECIPE}

    def _speaker_recipe(self) -> dict[str, Json]:
        """What decides who speaks in every recording alike."""
        model = asdict(self.models.diarizer) if self.models.diarizer is not None else None
        return {"by_default": self.settings.speakers.by_default, "code": SPEAKER_RECIPE, "model": model}

    def _backend(self, port: str) -> ModelBackend:
        identity = getattr(self.models, port)
        remote: RemoteSettings | None = getattr(self.settings, port).remote
        if remote is not None:
            from adapters.openai_compatible import OpenAiBackend

            return OpenAiBackend(remote.base_url, identity, api_key=_secret(remote.api_key_env))
        from adapters.ray_serve.backend import RayServeBackend

        return RayServeBackend(self.handles.get(port), identity)


def _secret(name: str | None) -> str | None:
    return os.environ.get(name) if name else None
