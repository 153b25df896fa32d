"""The job worker of one process, with the plan of every kind of job, wired to its ports."""

import asyncio
import random
from functools import partial

import prompts
from adapters.dateparser_dates import DateparserDates
from adapters.outbound import SignedWebhooks
from adapters.ray_serve.metrics import RayJobMetrics
from application.delete_conversation import DeleteConversation
from application.deliver_webhooks import KEPT_S, DeliverWebhooks
from application.embed_anew import EmbedAnew
from application.index_transcript import IndexTranscript
from application.keep_retention import ForgetOldVoices, KeepRetention
from application.maintenance import Maintenance
from application.recap.make_recap import MakeRecap
from application.rename_speakers import IndexUnderNames
from application.run_stages import EmbedTexts, ProcessConversation, RecapTranscript, TranscribeAlone
from application.wait_for_job import WaitForJob
from application.watch_queue import WatchQueue
from application.work_on_jobs import WorkOnJobs
from domain.job import JobKind
from serve_app.composition.composition import Composition
from serve_app.composition.uploading import transcribe_upload


def build_worker(composition: Composition) -> WorkOnJobs:
    """The job worker of this process, with the plan of every kind of job."""
    worker = composition.settings.worker
    upload = transcribe_upload(composition)
    recap = RecapTranscript(
        MakeRecap(
            composition.language_model,
            composition.embedder,
            composition.item_finder,
            prompts,
            composition.recap,
            composition.entailment,
        ),
        composition.store.results,
        composition.store.results,
        composition.store.search,
        composition.expected,
        prompts,
        DateparserDates(),
    )
    metrics = RayJobMetrics(composition.instruments)
    index = IndexTranscript(
        composition.embedder,
        IndexUnderNames(composition.store.search, composition.store.results),
        composition.expected,
        composition.recap,
    )
    return WorkOnJobs(
        queue=composition.store.jobs,
        calls=composition.calls,
        handlers={
            JobKind.CONVERSATION: ProcessConversation(upload, recap),
            JobKind.TRANSCRIPTION: TranscribeAlone(upload, index),
            JobKind.RECAP: recap,
            JobKind.EMBEDDING: EmbedTexts(composition.embedder, composition.store.results, composition.expected),
        },
        clock=composition.clock,
        tracer=composition.exported.tracer,
        owner=composition.owner,
        maintenance=Maintenance(
            {
                "uploads": partial(asyncio.to_thread, composition.blobs.sweep),
                "orphans": composition.removal.leftovers,
                "retention": _retention(composition),
                "voices": ForgetOldVoices(composition.store.voices, composition._kept(), composition.clock),
                "calls": composition.guard.trim_cache,
                "partial uploads": partial(asyncio.to_thread, composition.uploads.sweep),
                "webhooks": partial(composition.store.webhooks.trim, KEPT_S),
                "rates": composition.rates.look_around,
            },
            composition.clock,
        ),
        webhooks=DeliverWebhooks(
            composition.store.webhooks,
            SignedWebhooks(composition.outbound),
            composition.clock,
            random.Random(),  # noqa: S311 - jitter, not secrets
        ),
        watch=WatchQueue(composition.store.jobs, composition.store.webhooks, metrics, composition.clock),
        embed_anew=EmbedAnew(composition.store.spaces, composition.embedder, composition.clock, metrics),
        metrics=metrics,
        concurrency=worker.concurrency,
        short_concurrency=worker.short_concurrency,
        lease_s=worker.lease_s,
    )


def _retention(composition: Composition) -> KeepRetention:
    wait = WaitForJob(composition.store.jobs, composition.clock)
    delete = DeleteConversation(composition.store.jobs, composition.store.results, composition.removal, composition.calls, wait)
    return KeepRetention(composition.store.jobs, composition.store.results, delete, composition._kept(), composition.clock)
