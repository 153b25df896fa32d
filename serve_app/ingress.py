"""The HTTP application of one ingress replica, wired to its ports."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from adapters.guard import REMOTE_ENGINE
from adapters.http.app import build_app
from adapters.http.services import HttpLimits, HttpServices, ModelCard, ModelReadiness, Readiness
from adapters.http.tracing import TraceRequests
from adapters.ray_serve.readiness import DeploymentReadiness
from application.delete_conversation import DeleteConversation
from application.recap.make_recap import TEMPLATES
from application.search_transcripts import SearchTranscripts
from application.wait_for_job import WaitForJob
from domain.call import CallKind, ModelIdentity
from domain.rate import EngineRate
from serve_app.compose import Composition
from serve_app.estimating import build_estimating
from serve_app.machine import instruction_sets
from serve_app.measured_rates import slow_words

DEPLOYMENTS = {
    CallKind.TRANSCRIBE: ("Transcriber", "transcriber"),
    CallKind.GENERATE: ("LanguageModel", "language_model"),
    CallKind.EMBED: ("Embedder", "embedder"),
}
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
    readiness = DeploymentReadiness("wordloop")

    async def models() -> Sequence[ModelCard]:
        breakers, served = composition.guard.breaker_states(), _identities(composition)
        rates = [await composition.rates.rate(kind) for kind, _ in served]
        return [_card(kind, identity, breakers, rate) for (kind, identity), rate in zip(served, rates, strict=True)]

    async def ready() -> Readiness:
        states = await readiness()
        found = []
        for kind, identity in _identities(composition):
            deployment, port = DEPLOYMENTS[kind]
            if getattr(composition.settings, port).remote is not None:
                found.append(ModelReadiness(identity.id, kind, True, "remote"))
            else:
                warm, detail = states.get(deployment, (False, "not deployed"))
                found.append(ModelReadiness(identity.id, kind, warm, detail))
        worker, detail = states.get("JobWorker", (False, "not deployed"))
        problems = [] if worker else [f"the job worker is {detail}"]
        return Readiness(found, [*problems, *await _stores_away(composition)])

    limits, security = composition.settings.limits, composition.settings.security
    wait = WaitForJob(store.jobs, composition.clock)
    app = build_app(
        HttpServices(
            jobs=store.jobs,
            transcripts=store.results,
            recaps=store.results,
            embeddings=store.results,
            blobs=composition.blobs,
            references=store.results,
            search=SearchTranscripts(store.search, composition.embedder, composition.clock, QUERY_EMBED_S),
            delete_conversation=DeleteConversation(store.jobs, store.results, composition.removal, composition.calls, wait),
            embedder=composition.embedder,
            language_model=composition.language_model,
            estimating=build_estimating(composition),
            readiness=ready,
            models=models,
            clock=composition.clock,
            templates=frozenset(TEMPLATES),
            model_aliases=_aliases(composition),
            budget_left=composition.guard.budget_left,
            keys=store.keys if security.require_keys else None,
            remote=composition.outbound,
            webhooks=store.webhooks,
            uploads=composition.uploads,
        ),
        HttpLimits(
            upload_bytes=limits.max_upload_bytes,
            json_bytes=limits.max_json_bytes,
            queued_jobs=limits.max_queued_jobs,
            wait_s=limits.max_wait_s,
            requests_per_minute=security.requests_per_minute,
        ),
    )

    app.add_middleware(TraceRequests, tracer=composition.exported.tracer)
    return app


async def _stores_away(composition: Composition) -> list[str]:
    """Return a sentence per store that does not answer just now."""
    asked = {"the database": composition.store.jobs.depth(), "the call cache": composition.calls.peek("readiness", ["none"])}
    answers = await asyncio.gather(*(asyncio.wait_for(ask, STORE_ANSWERS_S) for ask in asked.values()), return_exceptions=True)
    return [f"{name} does not answer" for name, answer in zip(asked, answers, strict=True) if isinstance(answer, Exception)]


def _aliases(composition: Composition) -> dict[str, str]:
    """Names that clients bring: the configured names of the models, and OpenAI's own for its transcription model."""
    named = {
        getattr(composition.settings, port).model: identity.id
        for (_, port), identity in zip(DEPLOYMENTS.values(), (identity for _, identity in _identities(composition)), strict=True)
    }
    return named | {"whisper-1": composition.models.transcriber.id}


def _identities(composition: Composition) -> list[tuple[CallKind, ModelIdentity]]:
    return [(kind, getattr(composition.models, port)) for kind, (_, port) in DEPLOYMENTS.items()]


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
