"""The application: routes, errors and middleware put together."""

import secrets
from collections.abc import Callable
from importlib.metadata import version

from fastapi import FastAPI

from adapters.http.common.error_handlers import install
from adapters.http.common.gateway import Gateway
from adapters.http.common.services import HttpLimits, HttpServices
from adapters.http.documentation.described_app import DescribedApp
from adapters.http.documentation.docs_page import add_docs
from adapters.http.estimates.routes import estimate_routes
from adapters.http.jobs.routes import job_routes
from adapters.http.jobs.webhook_routes import webhook_routes
from adapters.http.middleware.admission import Admission, AtOnce
from adapters.http.middleware.body_limit import BodyBounds, BodyLimit
from adapters.http.middleware.envelope import Envelope
from adapters.http.middleware.head import HeadLikeGet
from adapters.http.middleware.keys import RequireKeys
from adapters.http.middleware.own_pages import OwnPagesOnly
from adapters.http.openai.audio_routes import openai_audio_routes
from adapters.http.openai.chat_routes import chat_routes
from adapters.http.openai.embedding_routes import embedding_routes
from adapters.http.operations.routes import operations_routes
from adapters.http.results.conversation_routes import conversation_routes
from adapters.http.results.recap_routes import recap_routes
from adapters.http.results.routes import result_routes
from adapters.http.results.speaker_routes import speaker_routes
from adapters.http.results.voice_routes import voice_routes
from adapters.http.search.routes import search_routes
from adapters.http.uploads.routes import audio_routes
from adapters.http.uploads.tus_routes import tus_routes

DESCRIPTION = """Conversations in; transcripts, grounded recaps and searchable vectors out.

Work is a job: it is accepted with 202, kept until it ends, and followed at `/v1/jobs/{id}`. Times are seconds.
Errors are RFC 9457 problems, and OpenAI's error object on the routes that its SDKs call."""
ROUTES = (
    audio_routes,
    openai_audio_routes,
    recap_routes,
    embedding_routes,
    chat_routes,
    job_routes,
    result_routes,
    speaker_routes,
    voice_routes,
    conversation_routes,
    search_routes,
    estimate_routes,
    webhook_routes,
    tus_routes,
    operations_routes,
)


def random_request_id() -> str:
    """128 random bits in hex."""
    return secrets.token_hex(16)


def build_app(services: HttpServices, limits: HttpLimits, new_request_id: Callable[[], str] = random_request_id) -> FastAPI:
    """Build the HTTP surface over `services` within `limits`."""
    app = DescribedApp(
        title="Wordloop ML",
        version=version("wordloop-ml"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    gateway = Gateway.of(services, limits)
    for routes in ROUTES:
        app.include_router(routes(gateway))
    add_docs(app)
    install(app)
    app.add_middleware(HeadLikeGet)
    bounds = BodyBounds(limits.json_bytes, limits.upload_bytes, limits.body_s)
    app.add_middleware(BodyLimit, routes=app.routes, bounds=bounds)
    at_once = AtOnce(limits.requests_at_once, limits.requests_at_once_per_caller, limits.slot_wait_s)
    app.add_middleware(Admission, at_once=at_once)
    if services.keys is not None:
        per_minute = limits.requests_per_minute
        app.add_middleware(
            RequireKeys, keys=services.keys, clock=services.clock, requests_per_minute=per_minute, share=services.share
        )
    else:
        app.add_middleware(OwnPagesOnly, hosts=services.hosts, origins=services.origins)
    app.add_middleware(Envelope, new_id=new_request_id)
    return app
