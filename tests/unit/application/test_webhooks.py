"""Events of jobs on their way to receivers: written with the job's end, told until heard, over both databases."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook, WebhookVerificationError

from adapters.outbound import AddressPolicy, GuardedClient, SignedWebhooks
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.tables import webhook_deliveries
from application.deliver_webhooks import SCHEDULE_S, DeliverWebhooks
from domain.errors import InvalidRequest, LeaseLost, NotFound
from domain.job import Job, JobKind, JobRequest, Lease, Problem
from domain.webhook import Delivery, Receipt, WebhookEvent
from ports.webhooks import WebhookSender
from serve_app.composition.clock import SystemClock
from tests.webhook_receiver import Receiver, receiving

ALL = tuple(WebhookEvent)
URL = "https://hooks.example.com/"


@dataclass
class ScriptedSender(WebhookSender):
    """Answers from `receipts`, then with 200; keeps what it was given and when."""

    receipts: list[Receipt] = field(default_factory=list)
    sent: list[tuple[Delivery, float]] = field(default_factory=list)

    async def send(self, delivery: Delivery, now: float) -> Receipt:
        self.sent.append((delivery, now))
        return self.receipts.pop(0) if self.receipts else Receipt(200)


@dataclass
class Office:
    store: SqlStore
    clock: MovableClock
    sender: ScriptedSender

    async def claimed(self, tenant: str = "default") -> Lease:
        await self.store.jobs.submit(JobRequest(JobKind.RECAP, {}, tenant=tenant))
        lease = await self.store.jobs.claim("w", 30.0)
        assert lease is not None
        return lease

    async def completed(self, tenant: str = "default") -> Job:
        lease = await self.claimed(tenant)
        await self.store.jobs.complete(lease, {"recap_id": "recap_1"})
        return lease.job

    async def try_once(self) -> bool:
        """Make one try of what is due; False when nothing is."""
        delivery = await self.store.webhooks.claim(60.0)
        if delivery is None:
            return False
        await DeliverWebhooks(self.store.webhooks, self.sender, self.clock, random.Random(1)).deliver(delivery)
        return True

    async def rows(self) -> list[tuple[str, str, int, int | None]]:
        d = webhook_deliveries.c
        chosen = select(d.type, d.state, d.tries, d.last_status).order_by(d.seq)
        return [tuple(row) for row in await self.store.webhooks._database.read(lambda c: c.execute(chosen).all())]


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock)
    yield Office(store, clock, ScriptedSender())
    store.close()


async def test_every_end_of_a_job_is_written_once_for_each_receiver_that_wants_it(office: Office) -> None:
    jobs, hooks = office.store.jobs, office.store.webhooks
    await hooks.add("default", URL, ALL)
    await hooks.add("default", URL, (WebhookEvent.FAILED,))
    await hooks.add("other", URL, ALL)

    await office.completed()
    await jobs.fail(await office.claimed(), Problem("invalid_audio", "no sound"), None)
    waiting, _ = await jobs.submit(JobRequest(JobKind.RECAP, {}))
    await jobs.cancel("default", waiting.id)
    await jobs.submit(JobRequest(JobKind.RECAP, {}, deadline=office.clock.now() - 1))
    assert await jobs.claim("w", 30.0) is None

    told = [kind for kind, *_ in await office.rows()]
    assert told == ["job.completed", "job.failed", "job.failed", "job.cancelled", "job.expired"]


async def test_a_job_that_will_be_tried_again_is_told_to_nobody(office: Office) -> None:
    await office.store.webhooks.add("default", URL, ALL)
    await office.store.jobs.fail(await office.claimed(), Problem("model_unavailable", "away"), 5.0)
    assert await office.rows() == []


async def test_an_end_that_is_undone_leaves_no_event(office: Office) -> None:
    await office.store.webhooks.add("default", URL, ALL)
    lease = await office.claimed()
    await office.clock.advance(31.0)
    await office.store.jobs.claim("another", 30.0)
    with pytest.raises(LeaseLost):
        await office.store.jobs.complete(lease, {})
    assert await office.rows() == []


async def test_an_event_names_the_job_and_its_results_and_no_content(office: Office) -> None:
    await office.store.webhooks.add("default", URL, ALL)
    job = await office.completed()
    assert await office.try_once()
    body = json.loads(office.sender.sent[0][0].body)
    assert body["type"] == "job.completed"
    assert datetime.fromisoformat(body["timestamp"]).timestamp() == pytest.approx(office.clock.now(), abs=1)
    assert body["data"]["job_id"] == job.id
    assert body["data"]["result"] == {"recap_id": "recap_1"}
    assert not await office.try_once()
    assert await office.rows() == [("job.completed", "delivered", 1, 200)]


async def test_a_receiver_that_fails_is_tried_on_schedule_and_then_given_up(office: Office) -> None:
    await office.store.webhooks.add("default", URL, ALL)
    await office.completed()
    office.sender.receipts = [Receipt(500), Receipt(None), Receipt(302)] + [Receipt(404)] * 10
    for pause in SCHEDULE_S:
        assert await office.try_once()
        assert not await office.try_once()
        await office.clock.advance(pause * 0.99)
        assert not await office.try_once()
        await office.clock.advance(pause * 0.25)
    assert await office.try_once()
    await office.clock.advance(10 * SCHEDULE_S[-1])
    assert not await office.try_once()

    assert await office.rows() == [("job.completed", "dead", len(SCHEDULE_S) + 1, 404)]
    assert len({(sent.id, sent.body) for sent, _ in office.sender.sent}) == 1


async def test_the_pauses_differ_by_chance_and_a_receiver_may_ask_for_longer_ones(office: Office) -> None:
    deliverer = DeliverWebhooks(office.store.webhooks, office.sender, office.clock, random.Random(3))
    pauses = {deliverer.pause_s(0, None) for _ in range(50)}
    assert len(pauses) > 40
    assert all(pause is not None and 5.0 <= pause <= 6.0 for pause in pauses)
    assert deliverer.pause_s(0, 900.0) == 900.0
    assert (deliverer.pause_s(2, 1.0) or 0.0) >= 300.0
    assert deliverer.pause_s(0, 1e9) == SCHEDULE_S[-1]
    assert deliverer.pause_s(len(SCHEDULE_S), 5.0) is None


async def test_a_receiver_that_is_gone_is_disabled_and_hears_nothing_more(office: Office) -> None:
    endpoint, _ = await office.store.webhooks.add("default", URL, ALL)
    await office.completed()
    await office.completed()
    office.sender.receipts = [Receipt(410)]
    assert await office.try_once()
    assert not await office.try_once()
    await office.completed()

    assert [state for _, state, *_ in await office.rows()] == ["dead", "dead"]
    seen = await office.store.webhooks.get("default", endpoint.id)
    assert (seen.disabled_at, seen.disabled_reason) == (office.clock.now(), "gone")


async def test_a_held_event_is_given_to_nobody_else_and_a_late_record_is_refused(office: Office) -> None:
    hooks = office.store.webhooks
    await hooks.add("default", URL, ALL)
    await office.completed()
    slow = await hooks.claim(60.0)
    assert slow is not None
    assert await hooks.claim(60.0) is None
    await office.clock.advance(61.0)
    again = await hooks.claim(60.0)
    assert again is not None
    assert again.id == slow.id
    for record in (
        hooks.delivered(slow, Receipt(200)),
        hooks.failed(slow, Receipt(500), 5.0),
        hooks.refused_for_good(slow, Receipt(410)),
    ):
        with pytest.raises(LeaseLost):
            await record
    await hooks.delivered(again, Receipt(200))
    with pytest.raises(LeaseLost):
        await hooks.delivered(again, Receipt(200))


async def test_a_slow_receiver_takes_no_place_from_the_others(office: Office) -> None:
    hooks = office.store.webhooks
    await hooks.add("slow", "https://slow.example.com/", ALL)
    await hooks.add("quick", "https://quick.example.com/", ALL)
    for _ in range(4):
        await office.completed("slow")
    await office.completed("quick")
    held = [await hooks.claim(60.0) for _ in range(4)]
    assert [each and each.url for each in held] == ["https://slow.example.com/"] * 2 + ["https://quick.example.com/", None]


async def test_both_secrets_sign_while_a_rotation_lasts(office: Office) -> None:
    hooks = office.store.webhooks
    endpoint, old = await hooks.add("default", URL, ALL)
    new = await hooks.rotate("default", endpoint.id, 100.0)
    await office.completed()
    await office.try_once()
    await office.clock.advance(101.0)
    await office.completed()
    await office.try_once()
    assert [list(sent.secrets) for sent, _ in office.sender.sent] == [[new, old], [new]]


async def test_tenants_see_and_change_their_own_receivers_only(office: Office) -> None:
    hooks = office.store.webhooks
    endpoint, _ = await hooks.add("default", URL, ALL)
    assert await hooks.list("other") == []
    for attempt in (hooks.get("other", endpoint.id), hooks.remove("other", endpoint.id), hooks.rotate("other", endpoint.id, 1.0)):
        with pytest.raises(NotFound):
            await attempt
    await office.completed("other")
    assert await office.rows() == []


async def test_what_ended_long_ago_is_removed_and_a_forgotten_receiver_leaves_nothing(office: Office) -> None:
    hooks = office.store.webhooks
    endpoint, _ = await hooks.add("default", URL, ALL)
    await office.completed()
    await office.try_once()
    await office.clock.advance(100.0)
    await office.completed()
    assert await hooks.trim(50.0) == 1
    assert [state for _, state, *_ in await office.rows()] == ["pending"]
    await hooks.remove("default", endpoint.id)
    assert await office.rows() == []


async def test_a_tenant_has_a_bounded_number_of_receivers(office: Office) -> None:
    for _ in range(16):
        await office.store.webhooks.add("default", URL, ALL)
    with pytest.raises(InvalidRequest):
        await office.store.webhooks.add("default", URL, ALL)
    await office.store.webhooks.add("other", URL, ALL)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


async def test_a_receiver_that_fails_half_the_time_hears_of_every_job(database_url: str, receiver: Receiver) -> None:
    """Two deliverers at once, 60 jobs: no event is lost, none is told by two at once, and what comes twice has one id."""
    dice = random.Random(4)
    receiver.answer = lambda: (dice.choice([200, 200, 200, 500, 503, 0]), "")
    store = SqlStore.open(database_url, SystemClock())
    _, secret = await store.webhooks.add("default", receiver.url, ALL)
    client = GuardedClient(AddressPolicy(trusted=receiver.trusted))
    quick = {"concurrency": 3, "idle_s": 0.01, "schedule_s": (0.01,) * 40}
    deliverers = [
        asyncio.create_task(
            DeliverWebhooks(store.webhooks, SignedWebhooks(client), SystemClock(), random.Random(n), **quick)()  # type: ignore[arg-type]
        )
        for n in range(2)
    ]
    jobs = set()
    for _ in range(60):
        await store.jobs.submit(JobRequest(JobKind.RECAP, {}))
        lease = await store.jobs.claim("w", 30.0)
        assert lease is not None
        await store.jobs.complete(lease, {})
        jobs.add(lease.job.id)

    async with asyncio.timeout(120):
        while len({r.id for r in receiver.received if r.answered == 200}) < 60:
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    for task in deliverers:
        task.cancel()
    await asyncio.gather(*deliverers, return_exceptions=True)
    store.close()

    heard = [r for r in receiver.received if r.answered == 200]
    assert len(heard) == len({r.id for r in heard}) == 60
    assert {json.loads(r.body)["data"]["job_id"] for r in heard} == jobs
    by_id: dict[str, set[bytes]] = {}
    for r in receiver.received:
        by_id.setdefault(r.id, set()).add(r.body)
        Webhook(secret).verify(r.body, r.headers)
    assert all(len(bodies) == 1 for bodies in by_id.values())
    assert len(receiver.received) > 80
    assert receiver.most_at_once <= 2


async def test_a_changed_byte_an_old_time_or_another_secret_is_no_signature(receiver: Receiver) -> None:
    store = SqlStore.open("sqlite://", SystemClock())
    endpoint, old = await store.webhooks.add("default", receiver.url, ALL)
    new = await store.webhooks.rotate("default", endpoint.id, 60.0)
    await store.jobs.submit(JobRequest(JobKind.RECAP, {}))
    lease = await store.jobs.claim("w", 30.0)
    assert lease is not None
    await store.jobs.complete(lease, {})
    delivery = await store.webhooks.claim(60.0)
    assert delivery is not None
    sender = SignedWebhooks(GuardedClient(AddressPolicy(trusted=receiver.trusted)))
    await sender.send(delivery, datetime.now(UTC).timestamp())
    await sender.send(delivery, datetime.now(UTC).timestamp() - 3600)
    now, before = receiver.received

    for secret in (old, new):
        Webhook(secret).verify(now.body, now.headers)
    for secret, body, headers in (
        (new, now.body + b" ", now.headers),
        (new, now.body, now.headers | {"webhook-id": "msg_other"}),
        ("whsec_" + "A" * 44, now.body, now.headers),
        (new, before.body, before.headers),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)
    store.close()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://169.254.169.254/", "https://localhost/"])
async def test_a_receiver_with_a_private_address_is_never_reached(url: str) -> None:
    receipt = await SignedWebhooks(GuardedClient(AddressPolicy())).send(Delivery("msg_1", url, ["whsec_AAAA"], "{}", 0, 1), 1.0)
    assert receipt == Receipt(None, failure="address_refused")
