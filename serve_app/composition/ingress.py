"""The HTTP application of one ingress replica, wired to its ports."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import prompts
from adapters.guard import REMOTE_ENGINE
from adapters.http.app import build_app
from adapters.http.common.services import HttpLimits, HttpServices, ModelCard, ModelReadiness, Readiness
from adapters.http.middleware.tracing import TraceRequests
from adapters.icalendar_tasks import IcalendarTasks
from adapters.openai_vocabulary import OpenAiVocabulary
from adapters.pages import JinjaPages
from application.delete_conversation import DeleteConversation
from application.keep_retention import DAY_S
from application.rename_speakers import RenameSpeakers
from application.search_transcripts import SearchTranscripts
from application.wait_for_job import WaitForJob
from domain.call import CallKind, ModelIdentity
from domain.rate import EngineRate
from domain.voice_profiles import VoiceModel
from serve_app.composition.composition import Composition
from serve_app.composition.estimating import build_estimating
from serve_app.engines.machine import instruction_sets
from serve_app.engines.measured_rates import slow_words
from serve_app.settings.model_ports import DEPLOYMENTS, PORTS
from serve_app.settings.service import Settings

STORE_ANSWERS_S = 1.0
"""Seconds after which a store that has not answered counts as away."""
STARTED = int(time.time())
INSTRUCTIONS = instruction_sets()
"""Of this machine; replicas elsewhere in a cluster may have others."""
QUERY_EMBED_S = 2.0
"""Seconds a search waits for its query's vector before it goes on with words alone."""


def build_ingress(composition: Composition) -> Any:
    """Return the FastAPI application over the composition's stores and guarded ports."""
    store = composition.store

    async def models() -> Sequence[ModelCard]:
        breakers, served = await composition.guard.states_of_all(), _identities(composition)
        rates = [await composition.rates.rate(kind) for kind, _ in served]
        return [_card(kind, identity, breakers, rate) for (kind, identity), rate in zip(served, rates, strict=True)]

    async def ready() -> Readiness:
        states = await composition.deployments()
        found = []
        for kind, identity in _identities(composition):
            port = PORTS[kind]
            if getattr(composition.settings, port).remote is not None:
                found.append(ModelReadiness(identity.id, kind, True, "remote"))
            else:
                warm, detail = states.get(DEPLOYMENTS[port], (False, "not deployed"))
                found.append(ModelReadiness(identity.id, kind, warm, detail))
        worker, detail = states.get("JobWorker", (False, "not deployed"))
        problems = [] if worker else [f"the job worker is {detail}"]
        return Readiness(found, [*problems, *await _stores_away(composition)])

    limits, security, openai = composition.settings.limits, composition.settings.security, composition.settings.openai
    http = composition.settings.http
    wait = WaitForJob(store.jobs, composition.clock)
    app = build_app(
        HttpServices(
            jobs=store.jobs,
            transcripts=store.results,
            recaps=store.results,
            embeddings=store.results,
            conversations=store.results,
            blobs=composition.blobs,
            references=store.results,
            search=SearchTranscripts(
                store.search, composition.embedder, composition.clock, QUERY_EMBED_S, composition.previous_embedder
            ),
            delete_conversation=DeleteConversation(store.jobs, store.results, composition.removal, composition.calls, wait),
            rename_speakers=RenameSpeakers(store.results, store.results, store.results, store.search),
            voices=store.voices,
            voice_model=None if composition.models.diarizer is None else VoiceModel.of(composition.models.diarizer),
            embedder=composition.embedder,
            language_model=composition.language_model,
            estimating=build_estimating(composition),
            readiness=ready,
            models=models,
            clock=composition.clock,
            pages=JinjaPages(),
            calendar=IcalendarTasks(),
            templates=frozenset(prompts.template_names()),
            model_aliases=aliases(composition.settings, _named_by_callers(composition)),
            budget_left=composition.guard.budget_left,
            keys=store.keys if security.require_keys else None,
            remote=composition.outbound,
            webhooks=store.webhooks,
            uploads=composition.uploads,
            hosts=frozenset(security.allowed_hosts),
            origins=frozenset(security.trusted_origins),
            text_of_ids=_text_of_ids(composition.settings),
            share=composition.guard.share,
        ),
        HttpLimits(
            upload_bytes=limits.max_upload_bytes,
            json_bytes=limits.max_json_bytes,
            queued_jobs=limits.max_queued_jobs,
            wait_s=limits.max_wait_s,
            requests_per_minute=security.requests_per_minute,
            max_priority=security.max_priority,
            long_texts=composition.settings.embedder.long_texts,
            compatible_keep_s=None if openai.retention_days is None else openai.retention_days * DAY_S,
            body_s=http.body_s,
            upload_idle_s=http.upload_idle_s,
            upload_bytes_per_s=http.upload_bytes_per_s,
            requests_at_once=http.requests_at_once,
            requests_at_once_per_caller=http.requests_at_once_per_caller,
            slot_wait_s=http.slot_wait_s,
        ),
    )

    app.add_middleware(TraceRequests, tracer=composition.exported.tracer)
    return app


async def _stores_away(composition: Composition) -> list[str]:
    """Return a sentence per store that does not answer just now."""
    asked = {"the database": composition.store.jobs.depth(), "the call cache": composition.calls.peek("readiness", ["none"])}
    answers = await asyncio.gather(*(asyncio.wait_for(ask, STORE_ANSWERS_S) for ask in asked.values()), return_exceptions=True)
    return [f"{name} does not answer" for name, answer in zip(asked, answers, strict=True) if isinstance(answer, Exception)]


def aliases(settings: Settings, served: Mapping[str, ModelIdentity]) -> dict[str, str]:
    """Further names of the models that callers may name, by port: the last part of an id, a bundled name, the configured ones."""
    short: dict[str, str] = {}
    for port, identity in served.items():
        own = getattr(settings, port)
        bundled = own.model if own.remote is None and "/" not in own.model else identity.id
        names = (bundled, bundled.partition(":")[0], identity.id.rpartition("/")[2])
        short |= dict.fromkeys(names, identity.id)
    configured = {name: served[port].id for name, port in settings.openai.aliases.items()}
    own_names = {identity.id for identity in served.values()}
    return {name: model for name, model in (short | configured).items() if name not in own_names}


def _text_of_ids(settings: Settings) -> Callable[[Sequence[int]], str] | None:
    vocabulary = OpenAiVocabulary.installed() if settings.openai.input_ids != "refuse" else None
    return vocabulary.text if vocabulary is not None else None


def _named_by_callers(composition: Composition) -> dict[str, ModelIdentity]:
    """The models that a request can name; nobody names the reader, nor who tells speakers apart."""
    unnamed = (CallKind.FIND, CallKind.DIARIZE)
    return {PORTS[kind]: identity for kind, identity in _identities(composition) if kind not in unnamed}


def _identities(composition: Composition) -> list[tuple[CallKind, ModelIdentity]]:
    """The models that are served here: no reader where the language model finds by itself, no diarizer where it is left out."""
    finds = composition.settings.reader.is_served
    # The judge of sentences is the reader over again.
    found = [(kind, getattr(composition.models, port)) for kind, port in PORTS.items() if kind is not CallKind.ENTAIL]
    return [(kind, identity) for kind, identity in found if identity is not None and (finds or kind is not CallKind.FIND)]


def _card(kind: CallKind, identity: ModelIdentity, breakers: Any, rate: EngineRate | None) -> ModelCard:
    states = [state for (_, model, revision), state in breakers.items() if (model, revision) == (identity.id, identity.revision)]
    return ModelCard(
        identity.id,
        kind,
        identity.id.split("/", maxsplit=1)[0],
        STARTED,
        identity.revision,
        identity.engine,
        identity.precision,
        states[0].value if states else "closed",
        INSTRUCTIONS if identity.engine != REMOTE_ENGINE else "",
        rate,
        slow_words(kind, rate),
    )
