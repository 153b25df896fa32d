"""OpenAI's transcription routes: the same job as everywhere, waited for."""

from collections.abc import Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse

from adapters.http.common.documents import COMPATIBLE_HEADERS, Responses, envelopes
from adapters.http.common.gateway import Gateway, kept_headers, nearest
from adapters.http.common.problems import HttpProblem
from adapters.http.common.request_headers import JOB_HEADERS, Preferences, Preferred, Tenant
from adapters.http.openai.audio_stream import transcript_events
from adapters.http.openai.audio_views import (
    DIARIZED,
    CompatibleForm,
    DiarizedView,
    TranscriptionForm,
    TranscriptionView,
    TranslationForm,
    VerboseView,
)
from adapters.http.uploads.documents import form_body
from adapters.http.uploads.forms import FormUpload
from application.transcript_formats import subrip, web_vtt
from domain.call import CallKind
from domain.job import Job, JobKind
from domain.transcript import Transcript

FormOfRoute = TypeVar("FormOfRoute", bound=CompatibleForm)
REFUSALS = (400, 402, 404, 408, 409, 413, 415, 422, 429, 502, 503, 504)


def openai_audio_routes(gateway: Gateway) -> APIRouter:
    """The routes of `client.audio.transcriptions.create` and `client.audio.translations.create`."""
    router = APIRouter(tags=["openai"])

    @router.post(
        "/v1/audio/transcriptions",
        response_class=Response,
        openapi_extra=form_body(TranscriptionForm, url=False),
        responses=_answers(TranscriptionView | VerboseView | DiarizedView) | envelopes(*REFUSALS),
        dependencies=JOB_HEADERS,
    )
    async def transcribe(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """A recording as text. `Prefer: wait=N` waits no longer for it; jobs are handed out by `POST /v1/transcriptions`."""
        form, job = await _accepted(gateway, request, tenant, prefer, TranscriptionForm)
        if form.stream:
            stream = transcript_events(gateway, tenant, job, form.include)
            return EventSourceResponse(stream, ping=gateway.limits.heartbeat_s, headers=kept_headers(job))
        job, transcript = await _waited_for(gateway, tenant, job, prefer)
        if form.response_format == "verbose_json":
            view = VerboseView.of(transcript, "transcribe", form.timestamp_granularities)
            return JSONResponse(view.model_dump(mode="json", exclude_none=True), headers=kept_headers(job))
        if form.response_format == DIARIZED:
            return JSONResponse(DiarizedView.of(transcript).model_dump(mode="json"), headers=kept_headers(job))
        return _written(transcript, form, form.include, kept_headers(job))

    @router.post(
        "/v1/audio/translations",
        response_class=Response,
        openapi_extra=form_body(TranslationForm, url=False),
        responses=_answers(TranscriptionView | VerboseView) | envelopes(*REFUSALS),
        dependencies=JOB_HEADERS,
    )
    async def translate(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """A recording in any language as English text. `Prefer: wait=N` waits no longer for it."""
        form, job = await _accepted(gateway, request, tenant, prefer, TranslationForm)
        job, transcript = await _waited_for(gateway, tenant, job, prefer)
        if form.response_format == "verbose_json":
            view = VerboseView.of(transcript, "translate", ())
            return JSONResponse(view.model_dump(mode="json", exclude_none=True), headers=kept_headers(job))
        return _written(transcript, form, (), kept_headers(job))

    return router


async def _accepted(
    gateway: Gateway, request: Request, tenant: str, prefer: Preferences, kind: type[FormOfRoute]
) -> tuple[FormOfRoute, Job]:
    """Take the upload in and queue its job. Raises HttpProblem for who prefers the job: a client of these routes reads a text."""
    if prefer.respond_async:
        text = "This route answers with the text itself; POST /v1/transcriptions hands out a job."
        raise HttpProblem("unsupported_parameter", text, "Prefer")

    async def check(form: FormOfRoute) -> None:
        await gateway.check_template(form.template)
        await gateway.check_model(form.model, CallKind.TRANSCRIBE)

    upload = FormUpload(request, gateway.limits_of(request), kind, check)
    job, _ = await gateway.accept(JobKind.TRANSCRIPTION, upload, gateway.compatible_options(request, tenant))
    form = upload.form
    assert form is not None
    return form, job


async def _waited_for(gateway: Gateway, tenant: str, job: Job, prefer: Preferences) -> tuple[Job, Transcript]:
    seconds = nearest(prefer.wait_s, gateway.limits.compatible_wait_s)
    job = await gateway.wait(tenant, job.id, seconds or 0.0)
    gateway.refuse_unless_completed(job)
    transcript = await gateway.services.transcripts.get_transcript(tenant, job.result["transcript_id"])
    await gateway.forget(tenant, job)
    return job, transcript


def _written(transcript: Transcript, form: CompatibleForm, include: tuple[str, ...], headers: Mapping[str, str]) -> Response:
    if form.response_format == "srt":
        return Response(subrip(transcript), media_type="application/x-subrip", headers=headers)
    if form.response_format == "vtt":
        return Response(web_vtt(transcript), media_type="text/vtt", headers=headers)
    if form.response_format == "text":
        return Response(transcript.text + "\n", media_type="text/plain", headers=headers)
    view = TranscriptionView.of(transcript, include)
    return JSONResponse(view.model_dump(mode="json", exclude_none=True), headers=headers)


def _answers(views: Any) -> Responses:
    text = {"schema": {"type": "string"}}
    others = dict.fromkeys(("text/plain", "application/x-subrip", "text/vtt", "text/event-stream"), text)
    told = "The text, in the format asked for"
    return {200: {"model": views, "description": told, "content": others, "headers": COMPATIBLE_HEADERS}}
