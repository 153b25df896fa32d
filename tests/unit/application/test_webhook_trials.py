"""A receiver is tried out, and what it was told can be looked at, on both databases."""

import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from adapters.outbound import AddressPolicy, GuardedClient, SignedWebhooks
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from application.deliver_webhooks import DeliverWebhooks
from domain.errors import InvalidRequest, NotFound, RateLimited
from domain.job import JobKind, JobRequest
from domain.webhook import Delivery, DeliveryState, Receipt, WebhookEvent
from ports.webhooks import WebhookSender
from tests.webhook_receiver import receiving

ALL = tuple(WebhookEvent)
URL = "https://hooks.example.com/"


@dataclass
class ScriptedSender(WebhookSender):
    """Answers from `receipts`, then with 200; keeps what it was given."""

    receipts: list[Receipt] = field(default_factory=list)
    sent: list[Delivery] = field(default_factory=list)

    async def send(self, delivery: Delivery, now: float) -> Receipt:
        self.sent.append(delivery)
        return self.receipts.pop(0) if self.receipts else Receipt(200)


@dataclass
class Office:
    store: SqlStore
    clock: MovableClock
    sender: ScriptedSender

    async def completed(self, tenant: str = "default") -> str:
        await self.store.jobs.submit(JobRequest(JobKind.RECAP, {}, tenant=tenant))
        lease = await self.store.jobs.claim("w", 30.0)
        assert lease is not None
        await self.store.jobs.complete(lease, {"recap_id": "recap_1"})
        return lease.job.id

    async def try_once(self, sender: WebhookSender | None = None) -> bool:
        delivery = await self.store.webhooks.claim(60.0)
        if delivery is None:
            return False
        deliverer = DeliverWebhooks(self.store.webhooks, sender or self.sender, self.clock, random.Random(1))
        await deliverer.deliver(delivery)
        return True


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock)
    yield Office(store, clock, ScriptedSender())
    store.close()


async def test_a_test_goes_to_its_receiver_only_whatever_events_it_wants(office: Office) -> None:
    hooks = office.store.webhooks
    endpoint, _ = await hooks.add("default", URL, (WebhookEvent.FAILED,))
    await hooks.add("default", "https://other.example.com/", ALL)
    made = await hooks.test("default", endpoint.id)
    assert (made.type, made.job_id, made.state, made.tries) == ("webhook.test", None, DeliveryState.PENDING, 0)
    assert await office.try_once()
    assert not await office.try_once()
    (sent,) = office.sender.sent
    assert (sent.id, sent.url) == (made.id, URL)
    body = json.loads(sent.body)
    assert (body["type"], body["data"]) == ("webhook.test", {"webhook_id": endpoint.id})
    seen = await hooks.delivery("default", endpoint.id, made.id)
    assert (seen.state, seen.last_status, seen.tries) == (DeliveryState.DELIVERED, 200, 1)


async def test_a_test_that_fails_is_not_tried_again(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    made = await office.store.webhooks.test("default", endpoint.id)
    office.sender.receipts = [Receipt(500)]
    assert await office.try_once()
    await office.clock.advance(1e6)
    assert not await office.try_once()
    seen = await office.store.webhooks.delivery("default", endpoint.id, made.id)
    assert (seen.state, seen.last_status, seen.next_try) == (DeliveryState.DEAD, 500, None)


async def test_a_receiver_that_is_gone_is_not_tested(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    await office.store.webhooks.test("default", endpoint.id)
    office.sender.receipts = [Receipt(410)]
    assert await office.try_once()
    with pytest.raises(InvalidRequest):
        await office.store.webhooks.test("default", endpoint.id)


async def test_tests_that_wait_are_bounded(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    other, _ = await office.store.webhooks.add("default", URL, ALL)
    for _ in range(5):
        await office.store.webhooks.test("default", endpoint.id)
    with pytest.raises(RateLimited):
        await office.store.webhooks.test("default", endpoint.id)
    await office.store.webhooks.test("default", other.id)
    assert await office.try_once()
    await office.store.webhooks.test("default", endpoint.id)


async def test_deliveries_are_listed_newest_first_page_by_page(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    other, _ = await office.store.webhooks.add("default", URL, ALL)
    jobs = []
    for _ in range(3):
        jobs.append(await office.completed())
        await office.clock.advance(1.0)
    hooks = office.store.webhooks
    first = await hooks.deliveries("default", endpoint.id, 2)
    second = await hooks.deliveries("default", endpoint.id, 2, after=first[-1].id)
    assert [each.job_id for each in [*first, *second]] == jobs[::-1]
    assert first[0].created_at - second[0].created_at == pytest.approx(2.0, abs=0.01)
    assert len(await hooks.deliveries("default", other.id, 10)) == 3
    with pytest.raises(NotFound):
        await hooks.deliveries("default", other.id, 10, after=first[0].id)


async def test_deliveries_can_be_of_one_state(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    job_id = await office.completed()
    assert await office.try_once()
    await office.completed()
    told = await office.store.webhooks.deliveries("default", endpoint.id, 10, state=DeliveryState.DELIVERED)
    assert [each.job_id for each in told] == [job_id]


async def test_nobody_sees_or_tests_the_receivers_of_others(office: Office) -> None:
    hooks = office.store.webhooks
    endpoint, _ = await hooks.add("default", URL, ALL)
    made = await hooks.test("default", endpoint.id)
    for attempt in (
        hooks.test("other", endpoint.id),
        hooks.deliveries("other", endpoint.id, 10),
        hooks.delivery("other", endpoint.id, made.id),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_delivery_says_why_nobody_was_reached(office: Office) -> None:
    """The one kind of failure that an operator mends is told apart from a receiver that is down."""
    sender = SignedWebhooks(GuardedClient(AddressPolicy()))
    async with receiving() as receiver:
        endpoint, _ = await office.store.webhooks.add("default", receiver.url, ALL)
        made = await office.store.webhooks.test("default", endpoint.id)
        assert await office.try_once(sender)
    seen = await office.store.webhooks.delivery("default", endpoint.id, made.id)
    assert (seen.state, seen.last_status, seen.last_failure) == (DeliveryState.DEAD, None, "address_refused")

    down = SignedWebhooks(GuardedClient(AddressPolicy(trusted=receiver.trusted)))
    made = await office.store.webhooks.test("default", endpoint.id)
    assert await office.try_once(down)
    assert (await office.store.webhooks.delivery("default", endpoint.id, made.id)).last_failure == "source_unavailable"
