"""Conversations: what there is of one, and its deletion."""

from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel

from adapters.http.common.documents import problems
from adapters.http.common.gateway import Gateway
from adapters.http.common.job_views import JobView
from adapters.http.common.request_headers import Tenant
from adapters.http.results.views import DeletedView
from domain.conversation import Held
from domain.errors import NotFound

ConversationId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class ConversationView(BaseModel):
    """What there is of a conversation: ids of its results and links to them. `job` is the one that made it."""

    id: str
    object: Literal["conversation"] = "conversation"
    transcript_ids: list[str]
    recap_ids: list[str]
    embedding_ids: list[str]
    job: JobView | None
    links: list[str]

    @classmethod
    def of(cls, conversation_id: str, held: Held, job: JobView | None) -> "ConversationView":
        links = [
            *(f"/v1/transcripts/{each}" for each in held.transcript_ids),
            *(f"/v1/recaps/{each}" for each in held.recap_ids),
            *(f"/v1/embeddings/{each}" for each in held.embedding_ids),
        ]
        return cls(
            id=conversation_id,
            transcript_ids=list(held.transcript_ids),
            recap_ids=list(held.recap_ids),
            embedding_ids=list(held.embedding_ids),
            job=job,
            links=links,
        )


def conversation_routes(gateway: Gateway) -> APIRouter:
    """The routes of one conversation."""
    router = APIRouter(tags=["results"], responses=problems(404, 422, 503))
    services = gateway.services

    @router.get("/v1/conversations/{conversation_id}")
    async def get_conversation(conversation_id: ConversationId, tenant: Tenant) -> ConversationView:
        """What there is of a conversation by now."""
        held = await services.conversations.held(tenant, conversation_id)
        job = await _job(tenant, conversation_id)
        if job is None and not held.anything:
            raise NotFound("No such conversation.")
        return ConversationView.of(conversation_id, held, job)

    @router.delete("/v1/conversations/{conversation_id}", responses=problems(409))
    async def delete_conversation(conversation_id: ConversationId, tenant: Tenant) -> DeletedView:
        """Delete audio, results, vectors and cached calls; a job that still works on it is stopped first."""
        await services.delete_conversation(tenant, conversation_id)
        return DeletedView(id=conversation_id)

    async def _job(tenant: str, conversation_id: str) -> JobView | None:
        with suppress(NotFound):
            return JobView.of(await services.jobs.get(tenant, f"job_{conversation_id.rpartition('_')[2]}"))
        return None

    return router
