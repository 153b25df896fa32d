"""Webhooks: who is told when a job ends. Deliveries follow the Standard Webhooks specification (docs/webhooks.md)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field, StringConstraints

from adapters.http.bodies import Body, JsonOnly
from adapters.http.documents import problems
from adapters.http.edge import Edge
from adapters.http.problems import HttpProblem
from adapters.http.terms import Tenant
from domain.webhook import WebhookEndpoint, WebhookEvent
from ports.webhooks import WebhookStore

OVERLAP_S = 86_400.0
"""Seconds that the secret before signs too after a rotation: a day to bring the new one everywhere."""

WebhookId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class WebhookBody(Body):
    """A receiver: an https address, and which ends of jobs it wants to hear of (all, when none are named)."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    events: Annotated[tuple[WebhookEvent, ...], Field(min_length=1, max_length=len(WebhookEvent))] = tuple(WebhookEvent)


class WebhookView(BaseModel):
    """A receiver. Times are Unix seconds. A disabled one is told nothing: it answered 410."""

    id: str
    object: Literal["webhook"] = "webhook"
    url: str
    events: tuple[WebhookEvent, ...]
    created_at: float
    disabled_at: float | None
    disabled_reason: str | None

    @classmethod
    def of(cls, endpoint: WebhookEndpoint) -> "WebhookView":
        return cls(**_shown(endpoint))


class NewWebhookView(WebhookView):
    """A receiver with its secret, which is shown this once."""

    secret: str


class WebhookList(BaseModel):
    """All receivers, oldest first."""

    object: Literal["list"] = "list"
    data: list[WebhookView]


def webhook_routes(edge: Edge) -> APIRouter:
    """The routes of receivers."""
    router = APIRouter(tags=["webhooks"], responses=problems(404, 422, 501, 503))

    @router.post("/v1/webhooks", status_code=201, responses=problems(400, 413, 415), dependencies=[JsonOnly])
    async def create_webhook(body: WebhookBody, tenant: Tenant, response: Response) -> NewWebhookView:
        """Register a receiver. Its secret is in this answer and in no other."""
        store = _store(edge)
        if edge.services.remote is not None:
            edge.services.remote.check(body.url)
        endpoint, secret = await store.add(tenant, body.url, tuple(dict.fromkeys(body.events)))
        response.headers["Location"] = f"/v1/webhooks/{endpoint.id}"
        return NewWebhookView(**_shown(endpoint), secret=secret)

    @router.get("/v1/webhooks")
    async def list_webhooks(tenant: Tenant) -> WebhookList:
        """All receivers, without their secrets."""
        return WebhookList(data=[WebhookView.of(endpoint) for endpoint in await _store(edge).list(tenant)])

    @router.get("/v1/webhooks/{webhook_id}")
    async def get_webhook(webhook_id: WebhookId, tenant: Tenant) -> WebhookView:
        """A receiver, without its secret."""
        return WebhookView.of(await _store(edge).get(tenant, webhook_id))

    @router.post("/v1/webhooks/{webhook_id}/rotate")
    async def rotate_webhook(webhook_id: WebhookId, tenant: Tenant) -> NewWebhookView:
        """Give a receiver a new secret. For a day every delivery is signed with both."""
        secret = await _store(edge).rotate(tenant, webhook_id, OVERLAP_S)
        return NewWebhookView(**_shown(await _store(edge).get(tenant, webhook_id)), secret=secret)

    @router.delete("/v1/webhooks/{webhook_id}", status_code=204)
    async def delete_webhook(webhook_id: WebhookId, tenant: Tenant) -> Response:
        """Forget a receiver and all that it was still to be told."""
        await _store(edge).remove(tenant, webhook_id)
        return Response(status_code=204)

    return router


def _store(edge: Edge) -> WebhookStore:
    if edge.services.webhooks is None:
        raise HttpProblem("not_implemented", "This service sends no webhooks.")
    return edge.services.webhooks


def _shown(endpoint: WebhookEndpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": tuple(endpoint.events),
        "created_at": endpoint.created_at,
        "disabled_at": endpoint.disabled_at,
        "disabled_reason": endpoint.disabled_reason,
    }
