"""What an operator is told about the queue and the webhooks, over both databases."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, StoreSettings
from domain.job import JobKind, JobRequest, Lane, LaneStanding, Lease, Problem, QueueStanding
from domain.webhook import Receipt, WebhookBacklog, WebhookEvent

LEASE_S = 30.0
NOTHING = LaneStanding()


@dataclass
class Shop:
    store: SqlStore
    clock: MovableClock

    async def submitted(self, audio_s: float, tenant: str = "t") -> str:
        job, _ = await self.store.jobs.submit(JobRequest(JobKind.RECAP, {}, tenant, audio_s=audio_s))
        return job.id

    async def claimed(self) -> Lease:
        lease = await self.store.jobs.claim("w", LEASE_S)
        assert lease is not None
        return lease

    async def standing(self) -> QueueStanding:
        return await self.store.jobs.standing()


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock, StoreSettings(short_audio_s=300.0, max_attempts=2))
    yield Shop(store, clock)
    store.close()


async def test_an_empty_queue_has_nothing_in_either_lane(shop: Shop) -> None:
    assert await shop.standing() == QueueStanding({Lane.SHORT: NOTHING, Lane.LONG: NOTHING}, 0)


async def test_waiting_and_running_jobs_are_counted_by_lane_over_all_tenants(shop: Shop) -> None:
    await shop.submitted(20.0, "a")
    await shop.clock.advance(5.0)
    for tenant in ("a", "b", "c"):
        await shop.submitted(7200.0, tenant)
    await shop.clock.advance(7.0)
    await shop.claimed()

    lanes = (await shop.standing()).lanes
    assert (lanes[Lane.SHORT].waiting + lanes[Lane.LONG].waiting, lanes[Lane.SHORT].running + lanes[Lane.LONG].running) == (3, 1)
    assert lanes[Lane.SHORT] == LaneStanding(0, 1, 0.0)
    assert lanes[Lane.LONG] == LaneStanding(3, 0, pytest.approx(7.0))


async def test_a_job_whose_worker_was_lost_waits_from_the_end_of_its_lease(shop: Shop) -> None:
    await shop.submitted(20.0)
    await shop.claimed()
    await shop.clock.advance(LEASE_S + 4.0)
    assert (await shop.standing()).lanes[Lane.SHORT] == LaneStanding(1, 0, pytest.approx(4.0))


async def test_a_job_waits_for_another_attempt_only_from_when_it_may_be_claimed(shop: Shop) -> None:
    await shop.submitted(20.0)
    await shop.store.jobs.fail(await shop.claimed(), Problem("full", "full"), 60.0)
    await shop.clock.advance(50.0)
    assert (await shop.standing()).lanes[Lane.SHORT] == LaneStanding(1, 0, 0.0)
    await shop.clock.advance(12.0)
    assert (await shop.standing()).lanes[Lane.SHORT].oldest_waiting_s == pytest.approx(2.0)


async def test_only_jobs_with_every_attempt_used_up_are_dead(shop: Shop) -> None:
    await shop.submitted(20.0)
    await shop.store.jobs.fail(await shop.claimed(), Problem("bad", "bad"), None)
    assert (await shop.standing()).dead == 0, "it failed at its first attempt"

    await shop.submitted(20.0)
    for _ in range(2):
        await shop.store.jobs.fail(await shop.claimed(), Problem("full", "full"), 1.0)
        await shop.clock.advance(1.0)
    assert (await shop.standing()).dead == 1


async def test_a_lease_says_whether_the_job_was_taken_over(shop: Shop) -> None:
    await shop.submitted(20.0)
    first = await shop.claimed()
    assert not first.taken_over
    assert not (await shop.store.jobs.renew(first, LEASE_S)).taken_over
    await shop.clock.advance(LEASE_S + 1.0)
    second = await shop.claimed()
    assert second.taken_over
    assert (await shop.store.jobs.renew(second, LEASE_S)).taken_over
    await shop.store.jobs.release(second)
    assert not (await shop.claimed()).taken_over, "it was given back, not lost"


async def test_events_are_behind_from_when_they_are_due_until_they_are_told(shop: Shop) -> None:
    await shop.store.webhooks.add("t", "https://hooks.example.com/", tuple(WebhookEvent))
    assert await shop.store.webhooks.backlog() == WebhookBacklog(0, 0.0)

    await shop.submitted(20.0)
    await shop.store.jobs.complete(await shop.claimed(), {})
    await shop.clock.advance(8.0)
    assert await shop.store.webhooks.backlog() == WebhookBacklog(1, pytest.approx(8.0))

    delivery = await shop.store.webhooks.claim(LEASE_S)
    assert delivery is not None
    await shop.store.webhooks.failed(delivery, Receipt(500), 100.0)
    assert await shop.store.webhooks.backlog() == WebhookBacklog(0, 0.0), "its next try is not due"
    await shop.clock.advance(103.0)
    assert await shop.store.webhooks.backlog() == WebhookBacklog(1, pytest.approx(3.0))

    delivery = await shop.store.webhooks.claim(LEASE_S)
    assert delivery is not None
    await shop.store.webhooks.delivered(delivery, Receipt(200))
    assert await shop.store.webhooks.backlog() == WebhookBacklog(0, 0.0)
