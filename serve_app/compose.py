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
from adapters.guard import DEFAULT_PRICES, CallGuard, GuardedEmbedder, GuardedLanguageModel, GuardedTranscriber, build_guard
from adapters.local_uploads import LocalUploads
from adapters.outbound import AddressPolicy, GuardedClient, OutboundLimits, SignedWebhooks
from adapters.ray_serve.metrics import RayMetrics
from adapters.ray_serve.rates import ReplicaRates
from adapters.sql import SqlStore
from adapters.telemetry import Exported, build_telemetry
from application.delete_conversation import DeleteConversation
from application.deliver_webhooks import KEPT_S, DeliverWebhooks
from application.expected_time import ExpectedTime
from application.fetch_recording import FetchRecording
from application.keep_house import KeepHouse
from application.keep_retention import KeepRetention, Retention
from application.known_transcripts import KnownTranscripts
from application.recap.make_recap import MakeRecap
from application.recap.settings import RecapSettings
from application.remove_blobs import RemoveBlobs
from application.run_stages import TEXTS_PER_CALL, EmbedTexts, ProcessConversation, RecapTranscript, TranscribeUpload
from application.transcribe_audio import RECIPE, TranscribeAudio, TranscriptionSettings
from application.wait_for_job import WaitForJob
from application.work_on_jobs import WorkOnJobs
from domain.call import CallKind
from domain.canonical import Json
from domain.job import JobKind
from ports.call_cache import CallCache
from ports.model_backend import ModelBackend
from ports.model_rates import ModelRates
from ports.transcriber import TranscriptionOptions
from serve_app.blobs import StoredBlobs, build_blobs, work_dir
from serve_app.clock import SystemClock
from serve_app.database import named, open_store
from serve_app.engines import ServedModels
from serve_app.settings import RemoteSettings, Settings

PORTS = {CallKind.TRANSCRIBE: "transcriber", CallKind.GENERATE: "language_model", CallKind.EMBED: "embedder"}
"""The port that answers each kind of call, by the name of its settings and of its deployment's handle."""
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
        return build_guard(
            self.settings.guard,
            cache=self.calls,
            ledger=self.store.ledger,
            prices=DEFAULT_PRICES,
            clock=self.clock,
            telemetry=RayMetrics(self.exported.telemetry),
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
    def rates(self) -> ModelRates:
        """How fast the replicas here say they are; a remote model has no handle and no rate."""
        return ReplicaRates({kind: self.handles[port] for kind, port in PORTS.items() if port in self.handles}, self.clock)

    @cached_property
    def expected(self) -> ExpectedTime:
        return ExpectedTime(self.rates, prompts, at_once(self.settings))

    @cached_property
    def transcription(self) -> TranscriptionSettings:
        return TranscriptionSettings(concurrent_windows=self.settings.worker.windows_in_flight)

    @cached_property
    def known(self) -> KnownTranscripts:
        """Transcripts by the bytes of their recordings, as jobs find them and estimates foresee them."""
        return KnownTranscripts(self.calls, self.store.results, self._recipe(), self.owner)

    def worker(self) -> WorkOnJobs:
        """The job worker of this process, with the plan of every kind of job."""
        worker = self.settings.worker
        upload = self._transcribe_upload()
        recap = RecapTranscript(
            MakeRecap(self.language_model, self.embedder, prompts),
            self.store.results,
            self.store.results,
            self.store.search,
            self.expected,
        )
        return WorkOnJobs(
            queue=self.store.jobs,
            calls=self.calls,
            handlers={
                JobKind.CONVERSATION: ProcessConversation(upload, recap),
                JobKind.TRANSCRIPTION: upload,
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
                },
                self.clock,
            ),
            webhooks=DeliverWebhooks(
                self.store.webhooks,
                SignedWebhooks(self.outbound),
                self.clock,
                random.Random(),  # noqa: S311 - jitter, not secrets
            ),
            concurrency=worker.concurrency,
            lease_s=worker.lease_s,
        )

    def _retention(self) -> KeepRetention:
        days = self.settings.retention
        wait = WaitForJob(self.store.jobs, self.clock)
        delete = DeleteConversation(self.store.jobs, self.store.results, self.removal, self.calls, wait)
        kept = Retention(days.days, days.tenants)
        return KeepRetention(self.store.jobs, self.store.results, delete, kept, self.clock)

    def _transcribe_upload(self) -> TranscribeUpload:
        from adapters.pyav_decoder.decoder import PyAvDecoder
        from adapters.pyav_decoder.limits import DecodeLimits
        from adapters.silero_vad import SileroVad

        return TranscribeUpload(
            blobs=self.blobs,
            decoder=PyAvDecoder(DecodeLimits()),
            transcribe=TranscribeAudio(self.transcriber, SileroVad(), self.transcription),
            transcripts=self.store.results,
            known=self.known,
            work_dir=work_dir(self.settings.data_folder),
            max_audio_s=self.settings.limits.max_audio_s,
            options=TranscriptionOptions(),
            fetch=FetchRecording(
                self.outbound, self.blobs, self.store.results, self.settings.limits.max_upload_bytes, self.removal
            ),
            expected=self.expected,
        )

    def _recipe(self) -> dict[str, Json]:
        """What decides the text of every recording alike. The voice detector comes with the transcriber's engine."""
        return {"model": asdict(self.models.transcriber), "rules": asdict(self.transcription), "code": RECIPE}

    def _backend(self, port: str) -> ModelBackend:
        identity = getattr(self.models, port)
        remote: RemoteSettings | None = getattr(self.settings, port).remote
        if remote is not None:
            from adapters.openai_compatible import OpenAiBackend

            return OpenAiBackend(remote.base_url, identity, api_key=_secret(remote.api_key_env))
        from adapters.ray_serve.backend import RayServeBackend

        return RayServeBackend(self.handles[port], identity)


def at_once(settings: Settings) -> dict[CallKind, int]:
    """Return how many calls of each kind one job has under way at most."""
    of_a_recap = RecapSettings().concurrent_calls
    windows = settings.worker.windows_in_flight
    return {CallKind.TRANSCRIBE: windows, CallKind.GENERATE: of_a_recap, CallKind.EMBED: of_a_recap}


def _secret(name: str | None) -> str | None:
    return os.environ.get(name) if name else None
