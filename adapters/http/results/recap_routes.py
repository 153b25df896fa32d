"""Recaps of stored transcripts, or of segments that the caller brings."""

from dataclasses import replace

from fastapi import APIRouter, Request, Response

from adapters.http.common.documents import job_responses, problems
from adapters.http.common.fields import JsonOnly
from adapters.http.common.gateway import Gateway
from adapters.http.common.request_headers import JOB_HEADERS, Preferred, Tenant
from adapters.http.results.bodies import RecapBody
from application.payloads import RecapPayload, SpokenSegment
from domain.job import JobKind


def recap_routes(gateway: Gateway) -> APIRouter:
    """The route that queues a recap."""
    router = APIRouter(tags=["recaps"])
    answers = job_responses() | problems(400, 402, 404, 413, 415, 422, 429, 503)

    @router.post("/v1/recaps", status_code=202, responses=answers, dependencies=[JsonOnly, *JOB_HEADERS])
    async def create_recap(body: RecapBody, request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Turn a transcript into a title, a summary, decisions, action items and chapters, every statement cited."""
        await gateway.check_template(body.template)
        options = gateway.options(request, tenant, body.timeout)
        if body.transcript_id is not None:
            told = await gateway.services.transcripts.get_transcript(tenant, body.transcript_id)
            options = replace(options, audio_s=told.duration)
        segments = tuple(SpokenSegment(s.start, s.end, s.text, s.speaker) for s in body.segments or ())
        template = body.template.choice()
        payload = RecapPayload(body.transcript_id, segments, body.language, template, body.recorded_at)
        job, new = await gateway.submit(JobKind.RECAP, payload.plain(), options)
        return await gateway.hand_out(tenant, job, new, prefer)

    return router
