"""What a request would cost and take, before it is made."""

from fastapi import APIRouter, Request
from pydantic import ValidationError

from adapters.http.common.documents import inlined, problems
from adapters.http.common.fields import json_only
from adapters.http.common.gateway import Gateway
from adapters.http.common.request_headers import CALL_HEADERS, Tenant
from adapters.http.common.validation import unfit
from adapters.http.estimates.bodies import EstimateBody, EstimateForm, EstimateView
from adapters.http.middleware.admission import caller_of
from adapters.http.uploads.forms import FormUpload
from application.estimate_inputs import Asked, Conversation, Length, Recording, Texts, default_stages
from application.speakers.asked import SpeakersAsked
from domain.estimate import Stage
from domain.transcript import Segment

REFUSALS = (400, 404, 408, 413, 415, 422, 429, 503)


def estimate_routes(gateway: Gateway) -> APIRouter:
    """The route that looks before it leaps."""
    router = APIRouter(tags=["operations"])

    @router.post("/v1/estimate", responses=problems(*REFUSALS), openapi_extra=_bodies(), dependencies=CALL_HEADERS)
    async def estimate(request: Request, tenant: Tenant) -> EstimateView:
        """What a request would take and how much of it the cache holds. No model runs, and nothing sent is kept."""
        if _media_type(request) == "multipart/form-data":
            return await _of_upload(gateway, request, tenant)
        return await _of_body(gateway, request, tenant)

    return router


async def _of_upload(gateway: Gateway, request: Request, tenant: str) -> EstimateView:
    async def check(form: EstimateForm) -> None:
        await gateway.check_template(form.template)

    limits = gateway.limits_of(request)
    upload = FormUpload(request, limits, EstimateForm, check)
    async with gateway.services.estimating.spool.kept(caller_of(request.scope), upload.pieces(), limits.upload_bytes) as source:
        form = upload.form
        assert form is not None
        speakers = SpeakersAsked.of(form.speakers_asked())
        asked = Recording(source, form.language, form.vocabulary, form.template.choice(), speakers)
        return await _answer(gateway, request, tenant, asked, form.stages)


async def _of_body(gateway: Gateway, request: Request, tenant: str) -> EstimateView:
    await json_only(request)
    try:
        body = EstimateBody.model_validate_json(await request.body())
    except ValidationError as error:
        raise unfit(error, await request.body()) from error
    await gateway.check_template(body.template)
    return await _answer(gateway, request, tenant, await _asked(gateway, tenant, body), body.stages)


async def _asked(gateway: Gateway, tenant: str, body: EstimateBody) -> Asked:
    if body.audio_seconds is not None:
        return Length(body.audio_seconds)
    if body.input is not None:
        return Texts(body.input, body.input_type, gateway.limits.long_texts)
    if body.transcript_id is not None:
        transcript = await gateway.services.transcripts.get_transcript(tenant, body.transcript_id)
        return Conversation(transcript.segments, body.language or transcript.language, body.template.choice())
    segments = [Segment(index, s.start, s.end, s.text, speaker=s.speaker) for index, s in enumerate(body.segments or ())]
    return Conversation(segments, body.language or "en", body.template.choice())


async def _answer(gateway: Gateway, request: Request, tenant: str, asked: Asked, stages: tuple[Stage, ...]) -> EstimateView:
    wanted = frozenset(stages) or default_stages(type(asked))
    estimating = gateway.services.estimating
    # Only now: whose bytes come slowly would hold a slot from all others meanwhile.
    with estimating.slots.taken():
        found = await estimating.estimate(asked, wanted, gateway.context(request, tenant))
    return EstimateView.of(found, await estimating.estimate.preview.budget_left(tenant))


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def _bodies() -> dict[str, object]:
    form = inlined(EstimateForm.model_json_schema())
    form["properties"] = {"file": {"type": "string", "format": "binary"}, **form["properties"]}
    form["required"] = ["file"]
    content = {
        "multipart/form-data": {"schema": form},
        "application/json": {"schema": {"$ref": f"#/components/schemas/{EstimateBody.__name__}"}},
    }
    return {"requestBody": {"required": True, "content": content}}
