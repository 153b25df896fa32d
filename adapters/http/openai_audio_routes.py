"""OpenAI's transcription route: the same job as everywhere, waited for."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse, ServerSentEvent

from adapters.http.documents import Responses, envelopes, form_body, job_responses
from adapters.http.edge import Edge
from adapters.http.openai_audio import OpenAIAudioForm, TranscriptionView, VerboseView, stream_events
from adapters.http.problems import HttpProblem, envelope_of, of_domain
from adapters.http.terms import Preferred, Tenant, TimeoutHeader
from adapters.http.uploads import FormUpload
from application.transcript_formats import subrip, web_vtt
from domain.call import CallKind
from domain.errors import WordloopError
from domain.job import Job, JobKind
from domain.transcript import Transcript

REFUSALS = (400, 402, 404, 408, 409, 413, 415, 429, 502, 503, 504)


def openai_audio_routes(edge: Edge) -> APIRouter:
    """The route of `client.audio.transcriptions.create`."""
    router = APIRouter(tags=["openai"])

    async def check(form: OpenAIAudioForm) -> None:
        await edge.check_template(form.template)
        await edge.check_model(form.model, CallKind.TRANSCRIBE)

    @router.post(
        "/v1/audio/transcriptions",
        response_class=Response,
        openapi_extra=form_body(OpenAIAudioForm, url=False),
        responses=_answers() | envelopes(*REFUSALS),
        dependencies=[TimeoutHeader],
    )
    async def transcribe(request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """A recording as text. With `Prefer: respond-async` or `wait=N` the job is handed out as on our own routes."""
        upload = FormUpload(request, edge.limits_of(request), OpenAIAudioForm, check)
        job, new = await edge.accept(JobKind.TRANSCRIPTION, upload, edge.terms(request, tenant))
        form = upload.form
        assert form is not None
        if prefer.given:
            return await edge.hand_out(tenant, job, new, prefer)
        if form.stream:
            return EventSourceResponse(_stream(edge, tenant, job), ping=edge.limits.heartbeat_s)
        return _written(await _transcript(edge, tenant, job), form)

    return router


async def _transcript(edge: Edge, tenant: str, job: Job) -> Transcript:
    job = await edge.wait(tenant, job.id, edge.limits.compatible_wait_s)
    edge.refuse_unless_completed(job)
    return await edge.services.transcripts.get_transcript(tenant, job.result["transcript_id"])


async def _stream(edge: Edge, tenant: str, job: Job) -> AsyncIterator[ServerSentEvent]:
    """Open at once, so that heartbeats keep the connection; a failure comes as the error event that SDKs raise."""
    try:
        for event in stream_events(await _transcript(edge, tenant, job)):
            yield ServerSentEvent(json.dumps(event, ensure_ascii=False), event=event["type"])
    except (HttpProblem, WordloopError) as error:
        problem = error if isinstance(error, HttpProblem) else of_domain(error)
        yield ServerSentEvent(json.dumps(envelope_of(problem)), event="error")


def _written(transcript: Transcript, form: OpenAIAudioForm) -> Response:
    if form.response_format == "verbose_json":
        view = VerboseView.of(transcript, form.timestamp_granularities)
        return JSONResponse(view.model_dump(mode="json", exclude_none=True))
    if form.response_format == "srt":
        return Response(subrip(transcript), media_type="application/x-subrip")
    if form.response_format == "vtt":
        return Response(web_vtt(transcript), media_type="text/vtt")
    if form.response_format == "text":
        return Response(transcript.text + "\n", media_type="text/plain")
    return JSONResponse(TranscriptionView.of(transcript).model_dump(mode="json"))


def _answers() -> Responses:
    text = {"schema": {"type": "string"}}
    others = dict.fromkeys(("text/plain", "application/x-subrip", "text/vtt", "text/event-stream"), text)
    made = {"model": TranscriptionView | VerboseView, "description": "The text, in the format asked for", "content": others}
    return {200: made, 202: job_responses()[202]}
