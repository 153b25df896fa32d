"""Recordings in: conversations and transcriptions."""

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from adapters.http.bodies import AudioUrlBody
from adapters.http.documents import form_body, job_responses, problems
from adapters.http.edge import Edge
from adapters.http.problems import HttpProblem
from adapters.http.terms import Preferences, Preferred, Tenant, TimeoutHeader
from adapters.http.uploads import AudioForm, FormUpload
from application.payloads import AudioPayload
from domain.job import JobKind

REFUSALS = (400, 402, 408, 413, 415, 422, 429, 501, 503)


def audio_routes(edge: Edge) -> APIRouter:
    """The two upload routes."""
    router = APIRouter(tags=["audio"], responses=job_responses() | problems(*REFUSALS))

    @router.post("/v1/conversations", status_code=202, openapi_extra=form_body(AudioForm, url=True), dependencies=[TimeoutHeader])
    async def create_conversation(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Turn a recording into a transcript, a recap and searchable vectors."""
        return await _take(edge, JobKind.CONVERSATION, request, tenant, prefer)

    @router.post(
        "/v1/transcriptions", status_code=202, openapi_extra=form_body(AudioForm, url=True), dependencies=[TimeoutHeader]
    )
    async def create_transcription(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Turn a recording into a transcript."""
        return await _take(edge, JobKind.TRANSCRIPTION, request, tenant, prefer)

    return router


async def _take(edge: Edge, kind: JobKind, request: Request, tenant: str, prefer: Preferences) -> Response:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json":
        return await _take_named(edge, kind, request, tenant, prefer)

    async def check(form: AudioForm) -> None:
        await edge.check_template(form.template)

    upload = FormUpload(request, edge.limits, AudioForm, check)
    job, new = await edge.accept(kind, upload, edge.terms(request, tenant))
    return await edge.hand_out(tenant, job, new, prefer)


async def _take_named(edge: Edge, kind: JobKind, request: Request, tenant: str, prefer: Preferences) -> Response:
    """Queue a job for a recording that the body names. An address is judged by its spelling here; the worker fetches it."""
    try:
        body = AudioUrlBody.model_validate_json(await request.body())
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from error
    await edge.check_template(body.template)
    if edge.services.remote is None:
        raise HttpProblem("not_implemented", "This service fetches no recordings; upload the file.", "audio_url")
    edge.services.remote.check(body.audio_url)
    payload = AudioPayload(
        blob_id=None,
        size=0,
        language=body.language,
        vocabulary=body.vocabulary,
        template=body.template,
        audio_url=body.audio_url,
    )
    job, new = await edge.submit(kind, payload.plain(), edge.terms(request, tenant, body.timeout))
    return await edge.hand_out(tenant, job, new, prefer)
