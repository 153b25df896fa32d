"""Webhooks: who is told when a job ends. Deliveries follow the Standard Webhooks specification (docs/webhooks.md)."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, StringConstraints

from adapters.http.common.body import Body
from adapters.http.common.documents import Responses, problems
from adapters.http.common.fields import JsonOnly
from adapters.http.common.gateway import Gateway
from adapters.http.common.problems import HttpProblem
from adapters.http.common.request_headers import Preferred, Tenant
from adapters.http.common.view import View
from domain.webhook import DeliveryRecord, DeliveryState, WebhookEndpoint, WebhookEvent
from ports.webhooks import WebhookStore

OVERLAP_S = 86_400.0
"""Seconds that the secret before signs too after a rotation: a day to bring the new one everywhere."""

LARGEST_PAGE = 100

WebhookId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class WebhookBody(Body):
    """A receiver: an https address, and which ends of jobs it wants to hear of (all, when none are named)."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    events: Annotated[tuple[WebhookEvent, ...], Field(min_length=1, max_length=len(WebhookEvent))] = tuple(WebhookEvent)


class WebhookView(View):
    """A receiver. Times are Unix seconds. A disabled one is told nothing: it answered 410."""

    id: str
    object: Literal["webhook"] = "webhook"
    url: str
    events: tuple[WebhookEvent, ...]
    created_at: float
    disabled_at: float | None
    disabled_reason: str | None


class NewWebhookView(WebhookView):
    """A receiver with its secret, which is shown this once."""

    secret: str

    @classmethod
    def with_secret(cls, endpoint: WebhookEndpoint, secret: str) -> Self:
        return cls(**dict(WebhookView.of(endpoint)), secret=secret)


class WebhookList(BaseModel):
    """All receivers, oldest first."""

    object: Literal["list"] = "list"
    data: list[WebhookView]


class DeliveryView(View):
    """One event for one receiver; `id` is the `webhook-id` that it came with. Times are Unix seconds.

    `state`: `pending` until 2xx was answered (`delivered`) or the last try failed (`dead`). `last_status` is the answer to the
    last try; null with a `last_failure` means that there was none. `job_id` is null for a test. The address and what was sent are
    not shown.
    """

    id: str
    object: Literal["webhook_delivery"] = "webhook_delivery"
    type: str
    job_id: str | None
    state: DeliveryState
    tries: int
    last_status: int | None
    last_failure: str | None
    next_try: float | None
    created_at: float
    changed_at: float


class DeliveryPage(BaseModel):
    """Deliveries, newest first. Pass `last_id` as `after` for the next page while `has_more`."""

    object: Literal["list"] = "list"
    data: list[DeliveryView]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, records: Sequence[DeliveryRecord], limit: int) -> "DeliveryPage":
        """From up to `limit` + 1 records: the one too many says that there are more."""
        data = [DeliveryView.of(record) for record in records[:limit]]
        ends = (data[0].id, data[-1].id) if data else (None, None)
        return cls(data=data, first_id=ends[0], last_id=ends[1], has_more=len(records) > limit)


def webhook_routes(gateway: Gateway) -> APIRouter:
    """The routes of receivers."""
    router = APIRouter(tags=["webhooks"], responses=problems(404, 422, 501, 503))

    @router.post("/v1/webhooks", status_code=201, responses=problems(400, 413, 415), dependencies=[JsonOnly])
    async def create_webhook(body: WebhookBody, tenant: Tenant, response: Response) -> NewWebhookView:
        """Register a receiver. Its secret is in this answer and in no other."""
        store = _store(gateway)
        if gateway.services.remote is not None:
            gateway.services.remote.check(body.url)
        endpoint, secret = await store.add(tenant, body.url, tuple(dict.fromkeys(body.events)))
        response.headers["Location"] = f"/v1/webhooks/{endpoint.id}"
        return NewWebhookView.with_secret(endpoint, secret)

    @router.get("/v1/webhooks")
    async def list_webhooks(tenant: Tenant) -> WebhookList:
        """All receivers, without their secrets."""
        return WebhookList(data=[WebhookView.of(endpoint) for endpoint in await _store(gateway).list(tenant)])

    @router.get("/v1/webhooks/{webhook_id}")
    async def get_webhook(webhook_id: WebhookId, tenant: Tenant) -> WebhookView:
        """A receiver, without its secret."""
        return WebhookView.of(await _store(gateway).get(tenant, webhook_id))

    @router.post("/v1/webhooks/{webhook_id}/rotate")
    async def rotate_webhook(webhook_id: WebhookId, tenant: Tenant) -> NewWebhookView:
        """Give a receiver a new secret. For a day every delivery is signed with both."""
        secret = await _store(gateway).rotate(tenant, webhook_id, OVERLAP_S)
        return NewWebhookView.with_secret(await _store(gateway).get(tenant, webhook_id), secret)

    @router.delete("/v1/webhooks/{webhook_id}", status_code=204)
    async def delete_webhook(webhook_id: WebhookId, tenant: Tenant) -> Response:
        """Forget a receiver and all that it was still to be told."""
        await _store(gateway).remove(tenant, webhook_id)
        return Response(status_code=204)

    ended: Responses = {200: {"model": DeliveryView, "description": "How the test went"}}

    @router.post("/v1/webhooks/{webhook_id}/test", status_code=202, responses=ended | problems(429))
    async def test_webhook(webhook_id: WebhookId, tenant: Tenant, prefer: Preferred, response: Response) -> DeliveryView:
        """Send a receiver a `webhook.test` event, once. With `Prefer: wait=N` the answer says how it went."""
        made = await _store(gateway).test(tenant, webhook_id)
        seen = await _told(gateway, tenant, webhook_id, made, min(prefer.wait_s or 0.0, gateway.limits.wait_s))
        response.status_code = 202 if seen.state is DeliveryState.PENDING else 200
        response.headers["Location"] = f"/v1/webhooks/{webhook_id}/deliveries/{made.id}"
        response.headers.update(prefer.applied(gateway.limits.wait_s))
        return DeliveryView.of(seen)

    @router.get("/v1/webhooks/{webhook_id}/deliveries")
    async def list_deliveries(
        webhook_id: WebhookId,
        tenant: Tenant,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 20,
        after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
        state: DeliveryState | None = None,
    ) -> DeliveryPage:
        """What a receiver was told and is still to be told, newest first; a week is kept of what has ended."""
        return DeliveryPage.of(await _store(gateway).deliveries(tenant, webhook_id, limit + 1, after, state), limit)

    @router.get("/v1/webhooks/{webhook_id}/deliveries/{delivery_id}")
    async def get_delivery(webhook_id: WebhookId, delivery_id: WebhookId, tenant: Tenant) -> DeliveryView:
        """One event for one receiver, and how telling it went."""
        return DeliveryView.of(await _store(gateway).delivery(tenant, webhook_id, delivery_id))

    return router


async def _told(gateway: Gateway, tenant: str, webhook_id: str, made: DeliveryRecord, wait_s: float) -> DeliveryRecord:
    """Return the delivery once it was told or given up, or as it is after `wait_s` seconds."""
    clock = gateway.services.clock
    until = clock.monotonic() + wait_s
    while made.state is DeliveryState.PENDING and (left := until - clock.monotonic()) > 0:
        await clock.sleep(min(gateway.limits.event_poll_s, left))
        made = await _store(gateway).delivery(tenant, webhook_id, made.id)
    return made


def _store(gateway: Gateway) -> WebhookStore:
    if gateway.services.webhooks is None:
        raise HttpProblem("not_implemented", "This service sends no webhooks.")
    return gateway.services.webhooks
