"""Recordings in: conversations and transcriptions."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from adapters.http.bodies import AudioUrlBody
from adapters.http.documents import form_body, job_responses, problems
from adapters.http.edge import Edge
from adapters.http.problems import HttpProblem
from adapters.http.terms import Preferences, Preferred, Tenant, TimeoutHeader
from adapters.http.uploads import AudioForm, FormUpload
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
        await _refuse_url(request)

    async def check(form: AudioForm) -> None:
        await edge.check_template(form.template)

    upload = FormUpload(request, edge.limits, AudioForm, check)
    job, new = await edge.accept(kind, upload, edge.terms(request, tenant))
    return await edge.hand_out(tenant, job, new, prefer)


async def _refuse_url(request: Request) -> None:
    """Fetching an address for a caller needs a guard against server-side request forgery; without one it is refused."""
    try:
        AudioUrlBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise HttpProblem("validation_failed", 'The body is not {"audio_url": …} with its options.') from error
    raise HttpProblem("not_implemented", "audio_url is not available in the embedded default yet; upload the file.", "audio_url")
