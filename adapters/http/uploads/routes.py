"""Recordings in: conversations and transcriptions."""

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from adapters.http.common.documents import job_responses, problems
from adapters.http.common.gateway import Gateway
from adapters.http.common.problems import HttpProblem
from adapters.http.common.request_headers import JOB_HEADERS, Preferences, Preferred, Tenant
from adapters.http.common.speakers_body import plain_speakers
from adapters.http.common.text import check_text
from adapters.http.common.validation import unfit
from adapters.http.uploads.bodies import AudioUrlBody
from adapters.http.uploads.documents import form_body
from adapters.http.uploads.forms import AudioForm, FormUpload, StoredUpload
from application.payloads import AudioPayload
from domain.errors import Gone, NotFound
from domain.job import Job, JobKind
from ports.blob_store import Blob

REFUSALS = (400, 402, 404, 408, 409, 410, 413, 415, 422, 429, 501, 503)


def audio_routes(gateway: Gateway) -> APIRouter:
    """The two upload routes."""
    router = APIRouter(tags=["audio"], responses=job_responses() | problems(*REFUSALS))

    @router.post("/v1/conversations", status_code=202, openapi_extra=form_body(AudioForm, url=True), dependencies=JOB_HEADERS)
    async def create_conversation(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Turn a recording into a transcript, a recap and searchable vectors."""
        return await _take(gateway, JobKind.CONVERSATION, request, tenant, prefer)

    @router.post("/v1/transcriptions", status_code=202, openapi_extra=form_body(AudioForm, url=True), dependencies=JOB_HEADERS)
    async def create_transcription(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Turn a recording into a transcript."""
        return await _take(gateway, JobKind.TRANSCRIPTION, request, tenant, prefer)

    return router


async def _take(gateway: Gateway, kind: JobKind, request: Request, tenant: str, prefer: Preferences) -> Response:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json":
        return await _take_named(gateway, kind, request, tenant, prefer)

    async def check(form: AudioForm) -> None:
        await gateway.check_template(form.template)

    upload = FormUpload(request, gateway.limits_of(request), AudioForm, check)
    job, new = await gateway.accept(kind, upload, gateway.options(request, tenant))
    return await gateway.hand_out(tenant, job, new, prefer)


async def _take_named(gateway: Gateway, kind: JobKind, request: Request, tenant: str, prefer: Preferences) -> Response:
    """Queue a job for a recording that the body names: an address, which the worker fetches, or an upload that came before."""
    await check_text(request)
    try:
        body = AudioUrlBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise unfit(error, await request.body()) from error
    await gateway.check_template(body.template)
    if body.upload_id is not None:
        job, new = await _take_upload(gateway, kind, request, tenant, body, body.upload_id)
    else:
        job, new = await _take_address(gateway, kind, request, tenant, body, body.audio_url or "")
    return await gateway.hand_out(tenant, job, new, prefer)


async def _take_address(
    gateway: Gateway, kind: JobKind, request: Request, tenant: str, body: AudioUrlBody, url: str
) -> tuple[Job, bool]:
    if gateway.services.remote is None:
        raise HttpProblem("not_implemented", "This service fetches no recordings; upload the file.", "audio_url")
    gateway.services.remote.check(url)
    options = gateway.options(request, tenant, body.timeout)
    payload = AudioPayload(
        blob_id=None,
        size=0,
        language=body.language,
        vocabulary=body.vocabulary,
        template=body.template.choice(),
        audio_url=url,
        max_bytes=options.upload_bytes,
        recorded_at=body.recorded_at,
        speakers=plain_speakers(body.speakers),
    )
    return await gateway.submit(kind, payload.plain(), options)


async def _take_upload(
    gateway: Gateway, kind: JobKind, request: Request, tenant: str, body: AudioUrlBody, upload_id: str
) -> tuple[Job, bool]:
    """The first job moves the bytes to the blob store; whatever breaks on the way, the same request does the rest."""
    uploads = gateway.services.uploads
    if uploads is None:
        raise HttpProblem("not_implemented", "This service takes no uploads in pieces.", "upload_id")
    upload = await uploads.get(tenant, upload_id)
    stored = StoredUpload(uploads, tenant, upload, body)
    if upload.blob_id is None:
        job, new = await gateway.accept(kind, stored, gateway.options(request, tenant))
        await uploads.moved(tenant, upload_id, str(job.request.payload["blob_id"]))
        return job, new
    try:
        async with gateway.services.blobs.local_path(tenant, upload.blob_id):
            payload = stored.payload(Blob(upload.blob_id, upload.length))
            return await gateway.submit(kind, payload.plain(), gateway.options(request, tenant, body.timeout))
    except NotFound as error:
        raise Gone("What was made of this upload was deleted, and the recording with it.") from error
