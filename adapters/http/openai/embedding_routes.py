"""Vectors, as OpenAI's API gives them: small requests at once, large ones through a job."""

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from adapters.http.common.documents import Responses, envelopes, job_responses
from adapters.http.common.fields import MOST_TEXTS, JsonOnly
from adapters.http.common.gateway import Gateway, kept_headers, nearest
from adapters.http.common.problems import HttpProblem
from adapters.http.common.provenance_views import ProvenanceView
from adapters.http.common.request_headers import JOB_HEADERS, Preferences, Preferred, Tenant
from adapters.http.openai.embedding_bodies import EmbeddingsBody
from adapters.http.openai.embedding_views import EmbeddingsView, EmbeddingUsage, EmbeddingView
from application.payloads import EmbeddingPayload
from application.run_stages import cut
from domain.call import CallKind
from domain.embedding import Embedding
from domain.errors import InvalidRequest
from domain.job import Job, JobKind

Encoding = Literal["float", "base64"]
EmbeddingId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def embedding_routes(gateway: Gateway) -> APIRouter:
    """The route that makes vectors, and the one that reads a job's."""
    router = APIRouter(tags=["embeddings"])
    made: Responses = {200: {"model": EmbeddingsView, "description": "The vectors"}, 202: job_responses()[202]}

    @router.post(
        "/v1/embeddings",
        responses=made | envelopes(400, 402, 404, 413, 415, 422, 429, 502, 503, 504),
        response_class=Response,
        dependencies=[JsonOnly, *JOB_HEADERS],
    )
    async def create_embeddings(body: EmbeddingsBody, request: Request, tenant: Tenant, prefer: Preferred) -> Response:
        """Unit-length vectors of texts. Many texts, or `Prefer: respond-async`, go through a job."""
        texts = _texts(body, gateway)
        await gateway.check_model(body.model, CallKind.EMBED)
        if body.dimensions is not None and body.dimensions > gateway.services.embedder.dimensions:
            raise HttpProblem(
                "unsupported_parameter", f"The model has {gateway.services.embedder.dimensions} dimensions.", "dimensions"
            )
        small = len(texts) <= gateway.limits.inline_texts and sum(map(len, texts)) <= gateway.limits.inline_characters
        if small and not prefer.respond_async:
            return await _at_once(gateway, request, tenant, body, texts)
        payload = EmbeddingPayload(texts, body.input_type.value, body.dimensions, gateway.limits.long_texts.value)
        job, new = await gateway.submit(
            JobKind.EMBEDDING, payload.plain(), gateway.compatible_options(request, tenant, body.timeout)
        )
        return await _through_job(gateway, tenant, job, new, prefer, body.encoding_format)

    @router.get("/v1/embeddings/{embedding_id}", responses=envelopes(400, 404, 503))
    async def get_embeddings(
        embedding_id: EmbeddingId, tenant: Tenant, encoding_format: Annotated[Encoding, Query()] = "float"
    ) -> EmbeddingsView:
        """The vectors that an embedding job made."""
        return await _stored(gateway, tenant, embedding_id, encoding_format)

    return router


async def _at_once(gateway: Gateway, request: Request, tenant: str, body: EmbeddingsBody, texts: Sequence[str]) -> JSONResponse:
    context = gateway.context(request, tenant, nearest(body.timeout, gateway.limits.inline_embed_s))
    answer = await gateway.services.embedder.embed(texts, body.input_type, context, gateway.limits.long_texts)
    vectors = [cut(vector, body.dimensions) for vector in answer.value]
    view = embeddings_view(Embedding(answer.provenance.model, vectors, (answer.provenance,)), body.encoding_format)
    return JSONResponse(view.model_dump(mode="json"), headers=await gateway.budget_headers(tenant))


async def _through_job(gateway: Gateway, tenant: str, job: Job, new: bool, prefer: Preferences, encoding: Encoding) -> Response:
    """Clients that prefer nothing know no jobs, so they get the vectors if these come in time."""
    if prefer.given:
        return await gateway.hand_out(tenant, job, new, prefer)
    job = await gateway.wait(tenant, job.id, gateway.limits.compatible_wait_s)
    gateway.refuse_unless_completed(job)
    view = await _stored(gateway, tenant, job.result["embedding_id"], encoding)
    await gateway.forget(tenant, job)
    return JSONResponse(view.model_dump(mode="json"), headers=kept_headers(job) | await gateway.budget_headers(tenant))


async def _stored(gateway: Gateway, tenant: str, embedding_id: str, encoding: Encoding) -> EmbeddingsView:
    return embeddings_view(await gateway.services.embeddings.get_embedding(tenant, embedding_id), encoding)


def embeddings_view(embedding: Embedding, encoding: Encoding) -> EmbeddingsView:
    """OpenAI's shape; base64 holds little-endian 32-bit floats."""
    data = [
        EmbeddingView(index=index, embedding=list(vector) if encoding == "float" else packed(vector))
        for index, vector in enumerate(embedding.vectors)
    ]
    return EmbeddingsView(
        data=data,
        model=embedding.model.id,
        usage=EmbeddingUsage(prompt_tokens=embedding.tokens, total_tokens=embedding.tokens),
        provenance=[ProvenanceView.of(call) for call in embedding.provenance],
    )


def packed(vector: Sequence[float]) -> str:
    """Base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _texts(body: EmbeddingsBody, gateway: Gateway) -> tuple[str, ...]:
    most_characters = gateway.limits.text_characters
    inputs = _inputs(body)
    if not inputs or len(inputs) > MOST_TEXTS:
        raise HttpProblem("validation_failed", f"Send 1 to {MOST_TEXTS} texts.", "input")
    texts = tuple(each if isinstance(each, str) else _text_of(each, gateway) for each in inputs)
    if any(not text.strip() for text in texts):
        raise HttpProblem("validation_failed", "A text is empty.", "input")
    if sum(map(len, texts)) > most_characters:
        raise HttpProblem("too_large", f"The texts have more than {most_characters} characters.", "input")
    return texts


def _inputs(body: EmbeddingsBody) -> list[str] | list[list[int]]:
    """Return the inputs as a list, each a text or the ids of its tokens: OpenAI takes one of either without its list."""
    given = body.input
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return cast(list[list[int]], [given])
    return cast(list[str] | list[list[int]], given)


def _text_of(ids: list[int], gateway: Gateway) -> str:
    """Return the text of token ids. Raises HttpProblem (400): where none are read, or these stand for no text."""
    if gateway.services.text_of_ids is None:
        raise HttpProblem("unsupported_parameter", "Send text: this service has no vocabulary for token ids.", "input")
    try:
        return gateway.services.text_of_ids(ids)
    except InvalidRequest as error:
        raise HttpProblem("unsupported_parameter", error.detail, "input") from error
