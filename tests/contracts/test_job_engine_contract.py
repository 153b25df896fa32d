"""The promises of JobStore and JobQueue, one per test, for every store that keeps jobs."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore, StoreSettings
from adapters.sql.job_order import PRIORITY_STEP_S
from domain.errors import IdempotencyMismatch, InvalidRequest, JobCancelled, LeaseLost, NotFound, QueueFull, RateLimited
from domain.job import Job, JobKind, JobRequest, JobStatus, Problem, Progress
from ports.jobs import JobOperator, JobQueue, JobStore

LEASE_S = 30.0
MAX_QUEUED = 5
MAX_ATTEMPTS = 3
FLOOD = 1000
BROKEN = Problem("model_unavailable", "The model is away.")


class JobEngine(JobStore, JobQueue, JobOperator, Protocol):
    """All sides of one table."""


def asked(**changes: object) -> JobRequest:
    return JobRequest(**({"kind": JobKind.RECAP, "payload": {"a": [1, None, "x"]}, "body_sha256": "body"} | changes))


async def submitted(jobs: JobEngine, **changes: object) -> Job:
    return (await jobs.submit(asked(**changes)))[0]


async def told(jobs: JobEngine, job: Job) -> list[str]:
    return [event.type for event in await jobs.events(job.request.tenant, job.id, 0)]


class JobEngineContract:
    """Override `jobs` (bounds as in the constants above, time from `clock`)."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def jobs(self, clock: MovableClock, tmp_path: Path) -> Iterator[JobEngine]:
        raise NotImplementedError

    # Accepting

    async def test_a_submitted_job_is_found_as_it_was_asked_for(self, jobs: JobEngine, clock: MovableClock) -> None:
        request = asked(tenant="t", priority=3, deadline=clock.now() + 60, store=False, traceparent="00-aa-bb-01")
        job, new = await jobs.submit(request)
        assert new
        assert await jobs.get("t", job.id) == job
        assert job.request == request
        assert job.status is JobStatus.QUEUED
        assert job.progress == Progress(queue_position=1)
        assert job.created_at == clock.now()

    async def test_ids_can_not_be_guessed(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        prefix, _, number = job.id.partition("_")
        assert prefix == "job"
        assert len(number) == 32
        assert int(number, 16) >= 0

    async def test_the_same_key_and_body_return_the_job_that_is_there(self, jobs: JobEngine) -> None:
        job, new = await jobs.submit(asked(idempotency_key="k"))
        again, new_again = await jobs.submit(asked(idempotency_key="k"))
        assert (new, new_again) == (True, False)
        assert again == job
        assert (await jobs.depth())["queued"] == 1

    async def test_a_key_is_replayed_after_the_job_has_ended_without_running_it_again(self, jobs: JobEngine) -> None:
        job = await submitted(jobs, idempotency_key="k")
        lease = await jobs.claim("w", LEASE_S)
        await jobs.complete(lease, {"recap_id": "r"})
        again, new = await jobs.submit(asked(idempotency_key="k"))
        assert (again.id, again.status, new) == (job.id, JobStatus.COMPLETED, False)
        assert await jobs.claim("w", LEASE_S) is None

    async def test_the_same_key_with_another_body_is_refused(self, jobs: JobEngine) -> None:
        await jobs.submit(asked(idempotency_key="k"))
        with pytest.raises(IdempotencyMismatch):
            await jobs.submit(asked(idempotency_key="k", body_sha256="other"))
        with pytest.raises(IdempotencyMismatch):
            await jobs.submit(asked(idempotency_key="k", kind=JobKind.EMBEDDING))

    async def test_keys_belong_to_one_tenant(self, jobs: JobEngine) -> None:
        mine = await submitted(jobs, idempotency_key="k", tenant="a")
        theirs = await submitted(jobs, idempotency_key="k", tenant="b", body_sha256="other")
        assert mine.id != theirs.id

    async def test_fifty_submissions_of_one_key_at_once_make_one_job(self, jobs: JobEngine) -> None:
        answers = await asyncio.gather(*(jobs.submit(asked(idempotency_key="k")) for _ in range(50)))
        assert len({job.id for job, _ in answers}) == 1
        assert [new for _, new in answers].count(True) == 1

    async def test_a_full_queue_refuses_and_stores_nothing(self, jobs: JobEngine) -> None:
        for _ in range(MAX_QUEUED):
            await submitted(jobs)
        with pytest.raises(QueueFull) as refused:
            await jobs.submit(asked(tenant="late", idempotency_key="k"))
        assert refused.value.retry_after_s >= 1
        assert await jobs.list("late", 10) == []
        await jobs.claim("w", LEASE_S)
        assert (await jobs.submit(asked(tenant="late", idempotency_key="k")))[1]

    async def test_a_known_key_is_answered_though_the_queue_is_full(self, jobs: JobEngine) -> None:
        job = await submitted(jobs, idempotency_key="k")
        for _ in range(MAX_QUEUED - 1):
            await submitted(jobs)
        assert (await jobs.submit(asked(idempotency_key="k")))[0].id == job.id

    # Looking

    async def test_another_tenants_job_is_not_there(self, jobs: JobEngine) -> None:
        job = await submitted(jobs, tenant="a")
        for look in (jobs.get("b", job.id), jobs.cancel("b", job.id), jobs.events("b", job.id, 0), jobs.delete("b", job.id)):
            with pytest.raises(NotFound):
                await look
        assert await jobs.list("b", 10) == []
        with pytest.raises(NotFound):
            await jobs.list("b", 10, after=job.id)
        assert (await jobs.get("a", job.id)).status is JobStatus.QUEUED

    async def test_lists_are_newest_first_and_continue_after_a_job(self, jobs: JobEngine) -> None:
        made = [await submitted(jobs) for _ in range(5)]
        first = await jobs.list("default", 2)
        second = await jobs.list("default", 10, after=first[-1].id)
        assert [job.id for job in [*first, *second]] == [job.id for job in reversed(made)]

    async def test_lists_can_be_of_one_status(self, jobs: JobEngine) -> None:
        first, second = await submitted(jobs), await submitted(jobs)
        await jobs.cancel("default", first.id)
        assert [job.id for job in await jobs.list("default", 10, status=JobStatus.QUEUED)] == [second.id]

    async def test_depth_counts_waiting_and_running_jobs_of_all_tenants(self, jobs: JobEngine) -> None:
        for tenant in ("a", "b", "c"):
            await submitted(jobs, tenant=tenant)
        await jobs.claim("w", LEASE_S)
        assert dict(await jobs.depth()) == {"queued": 2, "in_progress": 1}

    async def test_the_queue_position_follows_the_order_of_claims(self, jobs: JobEngine) -> None:
        low, high = await submitted(jobs), await submitted(jobs, priority=1)
        positions = [(await jobs.get("default", job.id)).progress.queue_position for job in (low, high)]
        assert positions == [2, 1]
        await jobs.claim("w", LEASE_S)
        positions = [(await jobs.get("default", job.id)).progress.queue_position for job in (low, high)]
        assert positions == [1, None]

    # Claiming

    async def test_an_empty_queue_gives_nothing(self, jobs: JobEngine) -> None:
        assert await jobs.claim("w", LEASE_S) is None

    async def test_the_highest_priority_is_claimed_first_then_the_oldest(self, jobs: JobEngine) -> None:
        made = [await submitted(jobs, priority=priority) for priority in (0, 2, 1, 2)]
        claimed = [(await jobs.claim("w", LEASE_S)).job.id for _ in made]
        assert claimed == [made[place].id for place in (1, 3, 2, 0)]

    async def test_a_low_priority_waits_longer_but_not_for_ever(self, jobs: JobEngine, clock: MovableClock) -> None:
        patient = await submitted(jobs)
        await clock.advance(PRIORITY_STEP_S - 1)
        early = await submitted(jobs, priority=1)
        await clock.advance(2)
        late = await submitted(jobs, priority=1)
        claimed = [(await jobs.claim("w", LEASE_S)).job.id for _ in range(3)]
        assert claimed == [early.id, patient.id, late.id]

    async def test_tenants_take_turns_whatever_their_priorities(self, jobs: JobEngine, clock: MovableClock) -> None:
        for tenant, priority in (("flood", 9), ("flood", 9), ("flood", 9), ("quiet", 0), ("quiet", 0)):
            await submitted(jobs, tenant=tenant, priority=priority)
        turns = []
        for _ in range(5):
            lease = await jobs.claim("w", LEASE_S)
            turns.append(lease.job.request.tenant)
            await clock.advance(1)
            await jobs.complete(lease, {})
        assert turns == ["flood", "quiet", "flood", "quiet", "flood"]

    async def test_a_place_in_the_queue_is_where_the_claims_come(self, jobs: JobEngine, clock: MovableClock) -> None:
        asked_for = [("a", 0), ("a", 1), ("b", 0), ("c", 0), ("a", 0)]
        made = [await submitted(jobs, tenant=tenant, priority=priority) for tenant, priority in asked_for]
        first = await jobs.claim("w", LEASE_S)
        assert first.job.id == made[1].id
        waiting = [job for job in made if job.id != first.job.id]
        places = {job.id: (await jobs.get(job.request.tenant, job.id)).progress.queue_position for job in waiting}
        claimed = [(await jobs.claim("w", LEASE_S)).job.id for _ in waiting]
        assert [places[job_id] for job_id in claimed] == [1, 2, 3, 4]

    async def test_the_expected_wait_comes_true(self, jobs: JobEngine, clock: MovableClock) -> None:
        workers, lasts = 2, 20.0
        running = []
        for _ in range(workers):
            await submitted(jobs)
            running.append(await jobs.claim("w", LEASE_S))
        await clock.advance(lasts)
        for lease in running:
            await jobs.complete(lease, {})
        made = [await submitted(jobs, tenant=tenant) for tenant in ("a", "a", "b", "a", "b")]
        assert made[0].progress.eta_s == lasts
        running = [await jobs.claim("w", LEASE_S) for _ in range(workers)]
        expected = {
            job.id: clock.now() + (await jobs.get(job.request.tenant, job.id)).progress.eta_s
            for job in made
            if job.id not in {lease.job.id for lease in running}
        }
        while running:
            await clock.advance(lasts)
            for lease in running:
                await jobs.complete(lease, {})
                if lease.job.id in expected:
                    assert abs(clock.now() - expected[lease.job.id]) <= lasts
            running = [lease for lease in [await jobs.claim("w", LEASE_S) for _ in range(workers)] if lease is not None]

    async def test_the_door_is_asked_before_anything_is_stored(self, jobs: JobEngine, clock: MovableClock) -> None:
        lease = (await submitted(jobs)) and await jobs.claim("w", LEASE_S)
        await clock.advance(LEASE_S - 1)
        await jobs.complete(lease, {})
        for _ in range(MAX_QUEUED):
            await jobs.admit("late")
            await submitted(jobs)
        with pytest.raises(QueueFull) as refused:
            await jobs.admit("late")
        assert refused.value.retry_after_s == LEASE_S - 1  # one worker, and jobs that last so long
        await jobs.claim("w", LEASE_S)
        await jobs.admit("late")

    async def test_a_key_is_known_once_a_job_came_under_it_to_its_tenant_only(self, jobs: JobEngine) -> None:
        assert not await jobs.knows("t", "k")
        await submitted(jobs, tenant="t", idempotency_key="k")
        assert await jobs.knows("t", "k")
        assert not await jobs.knows("other", "k")

    async def test_a_claim_says_who_holds_the_job_until_when(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        assert (lease.job.id, lease.owner, lease.until) == (job.id, "w", clock.now() + LEASE_S)
        assert (lease.job.status, lease.job.attempts, lease.job.started_at) == (JobStatus.IN_PROGRESS, 1, clock.now())

    async def test_a_leased_job_is_given_to_nobody_else(self, jobs: JobEngine, clock: MovableClock) -> None:
        await submitted(jobs)
        await jobs.claim("a", LEASE_S)
        await clock.advance(LEASE_S - 0.001)
        assert await jobs.claim("b", LEASE_S) is None

    async def test_a_job_whose_lease_ran_out_is_taken_over(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        dead = await jobs.claim("a", LEASE_S)
        await clock.advance(LEASE_S)
        taken = await jobs.claim("b", LEASE_S)
        assert (taken.job.id, taken.job.attempts) == (job.id, 2)
        assert taken.fence > dead.fence

    async def test_an_orphan_is_taken_in_its_own_turn(self, jobs: JobEngine, clock: MovableClock) -> None:
        orphan = await submitted(jobs)
        await jobs.claim("a", LEASE_S)
        await submitted(jobs)
        urgent = await submitted(jobs, priority=1)
        await clock.advance(LEASE_S)
        assert [(await jobs.claim("b", LEASE_S)).job.id for _ in range(2)] == [urgent.id, orphan.id]

    async def test_a_heartbeat_keeps_the_job(self, jobs: JobEngine, clock: MovableClock) -> None:
        await submitted(jobs)
        lease = await jobs.claim("a", LEASE_S)
        for _ in range(4):
            await clock.advance(LEASE_S / 3)
            lease = await jobs.renew(lease, LEASE_S)
            assert lease.until == clock.now() + LEASE_S
        assert await jobs.claim("b", LEASE_S) is None

    async def test_a_job_that_kills_its_workers_fails_after_its_attempts(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        for _ in range(MAX_ATTEMPTS):
            assert await jobs.claim("w", LEASE_S) is not None
            await clock.advance(LEASE_S)
        assert await jobs.claim("w", LEASE_S) is None
        failed = await jobs.get("default", job.id)
        assert (failed.status, failed.error.code, failed.attempts) == (JobStatus.FAILED, "attempts_exhausted", MAX_ATTEMPTS)

    async def test_a_job_past_its_deadline_expires_and_is_never_started(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs, deadline=clock.now() + 10)
        await clock.advance(10)
        assert await jobs.claim("w", LEASE_S) is None
        expired = await jobs.get("default", job.id)
        assert (expired.status, expired.started_at, expired.finished_at) == (JobStatus.EXPIRED, None, clock.now())
        assert await told(jobs, job) == ["job.queued", "job.expired"]

    async def test_an_orphan_past_its_deadline_expires(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs, deadline=clock.now() + 10)
        await jobs.claim("w", LEASE_S)
        await clock.advance(LEASE_S)
        assert await jobs.claim("w", LEASE_S) is None
        assert (await jobs.get("default", job.id)).status is JobStatus.EXPIRED

    # Working under the fence

    async def test_a_worker_that_lost_its_lease_writes_nothing(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        zombie = await jobs.claim("a", LEASE_S)
        await clock.advance(LEASE_S)
        holder = await jobs.claim("b", LEASE_S)
        before = (await jobs.get("default", job.id), await told(jobs, job))
        for write in (
            jobs.renew(zombie, LEASE_S),
            jobs.progress(zombie, Progress(0.9, "x")),
            jobs.stage_done(zombie, {"recap_id": "z"}, "e", {}),
            jobs.emit(zombie, "e", {}),
            jobs.complete(zombie, {"recap_id": "z"}),
            jobs.fail(zombie, BROKEN, None),
            jobs.fail(zombie, BROKEN, 1.0),
            jobs.cancelled(zombie),
            jobs.release(zombie),
        ):
            with pytest.raises(LeaseLost):
                await write
        assert (await jobs.get("default", job.id), await told(jobs, job)) == before
        await jobs.complete(holder, {"recap_id": "r"})

    async def test_the_same_owner_with_an_old_fence_is_refused_too(self, jobs: JobEngine, clock: MovableClock) -> None:
        await submitted(jobs)
        old = await jobs.claim("w", LEASE_S)
        await clock.advance(LEASE_S)
        await jobs.claim("w", LEASE_S)
        with pytest.raises(LeaseLost):
            await jobs.complete(old, {})

    async def test_a_job_ends_once(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await jobs.complete(lease, {"recap_id": "r"})
        for write in (jobs.complete(lease, {"recap_id": "z"}), jobs.fail(lease, BROKEN, None), jobs.cancelled(lease)):
            with pytest.raises(LeaseLost):
                await write
        done = await jobs.get("default", job.id)
        assert (done.status, dict(done.result)) == (JobStatus.COMPLETED, {"recap_id": "r"})
        assert (await told(jobs, job)).count("job.completed") == 1

    async def test_a_slow_holder_whom_nobody_replaced_may_still_write(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await clock.advance(10 * LEASE_S)
        await jobs.complete(lease, {"recap_id": "r"})
        assert (await jobs.get("default", job.id)).status is JobStatus.COMPLETED

    async def test_progress_never_goes_back(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        for fraction in (0.5, 0.2, 7.0, 0.1):
            await jobs.progress(lease, Progress(fraction, "transcribing", 3.0))
        assert (await jobs.get("default", job.id)).progress == Progress(1.0, "transcribing", 3.0)
        fractions = [e.data["fraction"] for e in await jobs.events("default", job.id, 0) if e.type == "job.progress"]
        assert fractions == [0.5, 1.0]

    async def test_the_time_left_may_change_without_an_event(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        for eta_s, overdue in ((3.0, False), (2.0, False), (4.0, True)):
            await jobs.progress(lease, Progress(0.5, "transcribing", eta_s, overdue=overdue))
        assert (await jobs.get("default", job.id)).progress == Progress(0.5, "transcribing", 4.0, overdue=True)
        assert (await told(jobs, job)).count("job.progress") == 1

    async def test_a_job_that_nobody_holds_is_not_overdue(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await jobs.progress(lease, Progress(0.5, "transcribing", 4.0, overdue=True))
        await jobs.release(lease)
        assert not (await jobs.get("default", job.id)).progress.overdue
        lease = await jobs.claim("w", LEASE_S)
        await jobs.progress(lease, Progress(0.5, "transcribing", 4.0, overdue=True))
        await jobs.complete(lease, {})
        assert not (await jobs.get("default", job.id)).progress.overdue

    async def test_progress_survives_a_takeover(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        await jobs.progress(await jobs.claim("a", LEASE_S), Progress(0.6, "transcribing"))
        await clock.advance(LEASE_S)
        await jobs.progress(await jobs.claim("b", LEASE_S), Progress(0.1, "transcribing"))
        assert (await jobs.get("default", job.id)).progress.fraction == 0.6

    async def test_progress_that_is_no_number_is_refused(self, jobs: JobEngine) -> None:
        await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        with pytest.raises(InvalidRequest):
            await jobs.progress(lease, Progress(float("nan"), "x"))

    async def test_a_finished_stage_is_visible_before_the_job_ends_and_outlives_its_failure(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await jobs.stage_done(lease, {"transcript_id": "t"}, "transcript.completed", {"transcript_id": "t"})
        assert (await jobs.get("default", job.id)).result == {"transcript_id": "t"}
        await jobs.fail(lease, BROKEN, None)
        failed = await jobs.get("default", job.id)
        assert (failed.status, failed.error, failed.result) == (JobStatus.FAILED, BROKEN, {"transcript_id": "t"})

    async def test_results_of_stages_and_of_the_end_are_merged(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await jobs.stage_done(lease, {"transcript_id": "t"}, "transcript.completed", {})
        await jobs.complete(lease, {"recap_id": "r"})
        assert (await jobs.get("default", job.id)).result == {"transcript_id": "t", "recap_id": "r"}

    async def test_a_stage_that_is_done_again_is_not_told_again(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        for owner in ("a", "b"):
            lease = await jobs.claim(owner, LEASE_S)
            await jobs.stage_done(lease, {"transcript_id": "t"}, "transcript.completed", {"took": clock.now()})
            await clock.advance(LEASE_S)
        assert (await told(jobs, job)).count("transcript.completed") == 1

    async def test_what_an_earlier_attempt_told_is_not_told_again(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        for owner in ("a", "b"):
            lease = await jobs.claim(owner, LEASE_S)
            await jobs.emit(lease, "window", {"index": 1})
            await jobs.emit(lease, "window", {"index": 1 if owner == "a" else 2})
            await clock.advance(LEASE_S)
        indexes = [e.data["index"] for e in await jobs.events("default", job.id, 0) if e.type == "window"]
        assert indexes == [1, 1, 2]

    # Failing, cancelling, giving back

    async def test_a_passing_failure_waits_before_the_next_attempt(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        await jobs.fail(await jobs.claim("w", LEASE_S), BROKEN, 10.0)
        waiting = await jobs.get("default", job.id)
        assert (waiting.status, waiting.error, waiting.progress.stage) == (JobStatus.QUEUED, None, "queued")
        assert await jobs.claim("w", LEASE_S) is None
        await clock.advance(10)
        assert (await jobs.claim("w", LEASE_S)).job.attempts == 2

    async def test_the_last_attempt_fails_for_good_with_its_own_error(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        for _ in range(MAX_ATTEMPTS):
            await jobs.fail(await jobs.claim("w", LEASE_S), BROKEN, 0.0)
        failed = await jobs.get("default", job.id)
        assert (failed.status, failed.error) == (JobStatus.FAILED, BROKEN)

    async def test_a_retry_that_could_not_start_in_time_fails_now(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs, deadline=clock.now() + 10)
        await jobs.fail(await jobs.claim("w", LEASE_S), BROKEN, 10.0)
        assert (await jobs.get("default", job.id)).error == BROKEN

    async def test_a_waiting_job_is_cancelled_at_once(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        cancelled = await jobs.cancel("default", job.id)
        assert (cancelled.status, cancelled.finished_at) == (JobStatus.CANCELLED, clock.now())
        assert await jobs.claim("w", LEASE_S) is None

    async def test_a_running_job_is_asked_to_stop_and_then_stops(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        for _ in range(2):
            asked_to_stop = await jobs.cancel("default", job.id)
            assert (asked_to_stop.status, asked_to_stop.cancel_requested) == (JobStatus.IN_PROGRESS, True)
        for write in (
            jobs.renew(lease, LEASE_S),
            jobs.progress(lease, Progress(0.5, "x")),
            jobs.stage_done(lease, {"recap_id": "r"}, "e", {}),
            jobs.emit(lease, "e", {}),
            jobs.complete(lease, {"recap_id": "r"}),
            jobs.fail(lease, BROKEN, None),
            jobs.release(lease),
        ):
            with pytest.raises(JobCancelled):
                await write
        await jobs.cancelled(lease)
        ended = await jobs.get("default", job.id)
        assert (ended.status, ended.result) == (JobStatus.CANCELLED, {})
        assert await told(jobs, job) == ["job.queued", "job.started", "job.cancel_requested", "job.cancelled"]

    async def test_a_cancelled_job_whose_worker_died_ends_at_the_next_claim(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs)
        await jobs.claim("w", LEASE_S)
        await jobs.cancel("default", job.id)
        await clock.advance(LEASE_S)
        assert await jobs.claim("w", LEASE_S) is None
        assert (await jobs.get("default", job.id)).status is JobStatus.CANCELLED

    async def test_an_ended_job_is_left_alone_by_a_cancel(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        await jobs.complete(await jobs.claim("w", LEASE_S), {})
        assert (await jobs.cancel("default", job.id)).status is JobStatus.COMPLETED
        assert (await told(jobs, job))[-1] == "job.completed"

    async def test_a_released_job_waits_again_and_lost_no_attempt(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        for _ in range(2 * MAX_ATTEMPTS):
            lease = await jobs.claim("w", LEASE_S)
            assert (lease.job.id, lease.job.attempts) == (job.id, 1)
            await jobs.release(lease)

    # Telling and removing

    async def test_events_count_without_gaps_and_can_be_read_on(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        lease = await jobs.claim("w", LEASE_S)
        await asyncio.gather(*(jobs.emit(lease, "window", {"index": index}) for index in range(20)))
        await jobs.complete(lease, {})
        events = await jobs.events("default", job.id, 0)
        assert [event.sequence for event in events] == list(range(1, 24))
        assert list(await jobs.events("default", job.id, 10, limit=5)) == list(events[10:15])
        assert {event.job_id for event in events} == {job.id}

    async def test_a_job_that_has_not_ended_can_not_be_deleted(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        with pytest.raises(InvalidRequest):
            await jobs.delete("default", job.id)
        await jobs.claim("w", LEASE_S)
        with pytest.raises(InvalidRequest):
            await jobs.delete("default", job.id)

    async def test_an_ended_job_is_deleted_with_its_events(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        await jobs.cancel("default", job.id)
        await jobs.delete("default", job.id)
        with pytest.raises(NotFound):
            await jobs.get("default", job.id)
        with pytest.raises(NotFound):
            await jobs.events("default", job.id, 0)

    # Operating

    async def test_dead_letters_are_listed_and_tried_again_under_their_own_id(self, jobs: JobEngine) -> None:
        dead, failed, waiting = [await submitted(jobs, tenant=tenant) for tenant in ("a", "b", "c")]
        while lease := await jobs.claim("w", LEASE_S):
            if lease.job.id == waiting.id:
                await jobs.cancel("c", waiting.id)
                await jobs.cancelled(lease)
            elif lease.job.id == dead.id:
                await jobs.stage_done(lease, {"transcript_id": "t"}, "transcript.completed", {})
                await jobs.fail(lease, BROKEN, 0.0)
            else:
                await jobs.fail(lease, BROKEN, None)
        assert [job.id for job in await jobs.all_jobs(10)] == [waiting.id, failed.id, dead.id]
        assert [job.id for job in await jobs.all_jobs(10, status=JobStatus.FAILED)] == [failed.id, dead.id]
        assert [job.id for job in await jobs.all_jobs(10, tenant="b")] == [failed.id]
        assert [job.id for job in await jobs.all_jobs(10, dead=True)] == [dead.id]
        again = await jobs.retry(dead.id)
        assert (again.status, again.attempts, again.error, again.finished_at) == (JobStatus.QUEUED, 0, None, None)
        lease = await jobs.claim("w", LEASE_S)
        assert (lease.job.id, lease.job.attempts, lease.job.result) == (dead.id, 1, {"transcript_id": "t"})
        await jobs.complete(lease, {"recap_id": "r"})
        ended = await jobs.find(dead.id)
        assert (ended.status, ended.result) == (JobStatus.COMPLETED, {"transcript_id": "t", "recap_id": "r"})
        for other in (dead, waiting):
            with pytest.raises(InvalidRequest):
                await jobs.retry(other.id)
        with pytest.raises(NotFound):
            await jobs.retry("job_0")
        with pytest.raises(NotFound):
            await jobs.find("job_0")

    async def test_a_lease_from_before_a_replay_writes_nothing(self, jobs: JobEngine) -> None:
        job = await submitted(jobs)
        old = await jobs.claim("old", LEASE_S)
        await jobs.fail(old, BROKEN, None)
        await jobs.retry(job.id)
        new = await jobs.claim("old", LEASE_S)
        with pytest.raises(LeaseLost):
            await jobs.complete(old, {"recap_id": "old"})
        await jobs.complete(new, {"recap_id": "new"})
        assert (await jobs.find(job.id)).result == {"recap_id": "new"}

    async def test_an_expired_job_is_tried_again_without_its_deadline(self, jobs: JobEngine, clock: MovableClock) -> None:
        job = await submitted(jobs, deadline=clock.now() + 1)
        await clock.advance(2)
        assert await jobs.claim("w", LEASE_S) is None
        await jobs.retry(job.id)
        assert (await jobs.claim("w", LEASE_S)).job.request.deadline is None

    async def test_jobs_that_ended_long_ago_are_found_by_their_tenants_time(self, jobs: JobEngine, clock: MovableClock) -> None:
        made = {tenant: await submitted(jobs, tenant=tenant) for tenant in ("default", "short", "ever")}
        for job in made.values():
            await jobs.cancel(job.request.tenant, job.id)
        await submitted(jobs, tenant="short")
        ended = clock.now()
        own = {"short": ended + 1, "ever": None}
        assert [job.id for job in await jobs.ended_before(ended, own, 10)] == [made["short"].id]
        assert {job.id for job in await jobs.ended_before(ended + 1, own, 10)} == {made["short"].id, made["default"].id}
        assert await jobs.ended_before(None, {}, 10) == []

    async def test_a_job_with_a_time_of_its_own_is_found_when_that_has_passed(self, jobs: JobEngine, clock: MovableClock) -> None:
        brief, lasting = await submitted(jobs, keep_s=60.0), await submitted(jobs)
        waiting = await submitted(jobs, keep_s=0.0)
        for job in (brief, lasting):
            await jobs.cancel(job.request.tenant, job.id)
        assert (await jobs.get(waiting.request.tenant, waiting.id)).request.keep_s == 0.0
        assert await jobs.ended_before(None, {}, 10) == []
        await clock.advance(61)
        assert [job.id for job in await jobs.ended_before(None, {}, 10)] == [brief.id]
        assert {job.id for job in await jobs.ended_before(clock.now(), {}, 10)} == {brief.id, lasting.id}


SETTINGS = StoreSettings(max_queued=MAX_QUEUED, max_attempts=MAX_ATTEMPTS)


class TestSqlJobs(JobEngineContract):
    @pytest.fixture
    def jobs(self, clock: MovableClock, database_url: str) -> Iterator[JobEngine]:
        store = SqlStore.open(database_url, clock, SETTINGS)
        yield store.jobs
        store.close()

    async def test_a_tenant_at_its_cap_lets_others_pass(self, clock: MovableClock, database_url: str) -> None:
        store = SqlStore.open(database_url, clock, StoreSettings(max_running_per_tenant=2))
        for tenant in ("flood", "flood", "flood", "quiet"):
            await submitted(store.jobs, tenant=tenant)
        claimed = [await store.jobs.claim("w", LEASE_S) for _ in range(4)]
        assert [lease and lease.job.request.tenant for lease in claimed] == ["flood", "quiet", "flood", None]
        await store.jobs.complete(claimed[0], {})
        assert (await store.jobs.claim("w", LEASE_S)).job.request.tenant == "flood"
        store.close()

    async def test_a_tenant_that_fills_its_share_is_limited_and_others_are_not(
        self, clock: MovableClock, database_url: str
    ) -> None:
        store = SqlStore.open(database_url, clock, StoreSettings(max_queued_per_tenant=2))
        for _ in range(2):
            await submitted(store.jobs, tenant="flood")
        for refused in (store.jobs.admit("flood"), store.jobs.submit(asked(tenant="flood"))):
            with pytest.raises(RateLimited) as limited:
                await refused
            assert limited.value.retry_after_s >= 1
        await store.jobs.admit("quiet")
        await submitted(store.jobs, tenant="quiet")
        store.close()

    async def test_more_work_than_may_wait_is_refused_until_it_is_done(self, clock: MovableClock, database_url: str) -> None:
        store = SqlStore.open(database_url, clock, StoreSettings(max_queue_wait_s=25.0))
        await submitted(store.jobs)
        lease = await store.jobs.claim("w", LEASE_S)
        await clock.advance(20)
        await store.jobs.complete(lease, {})
        for _ in range(2):
            await submitted(store.jobs)
        with pytest.raises(QueueFull, match="40 s") as refused:
            await store.jobs.admit("t")
        assert refused.value.retry_after_s == 15.0
        store.close()

    async def test_one_tenants_flood_does_not_make_another_wait(self, clock: MovableClock, database_url: str) -> None:
        store = SqlStore.open(database_url, clock, StoreSettings(max_queued=1_000_000))
        flood = [asked(tenant="flood", priority=9) for _ in range(FLOOD)]
        await asyncio.gather(*(store.jobs.submit(request) for request in flood))
        mine = await submitted(store.jobs, tenant="quiet")
        assert mine.progress.queue_position <= 2
        claimed = [(await store.jobs.claim("w", LEASE_S)).job.request.tenant for _ in range(2)]
        assert "quiet" in claimed
        store.close()

    async def test_a_worker_whose_clock_is_wrong_neither_keeps_nor_steals(self, postgresql_url: str) -> None:
        right, wrong = (MovableClock(time.time() + error) for error in (0.0, 3600.0))
        settings = StoreSettings(database_time=True)
        stores = [SqlStore.open(postgresql_url, clock, settings) for clock in (right, wrong)]
        await submitted(stores[0].jobs)
        lease = await stores[0].jobs.claim("right", LEASE_S)
        assert abs(lease.until - time.time() - LEASE_S) < 5
        assert await stores[1].jobs.claim("an hour ahead", LEASE_S) is None
        await stores[0].jobs.complete(lease, {})
        await submitted(stores[0].jobs)
        assert abs((await stores[1].jobs.claim("an hour ahead", LEASE_S)).until - time.time() - LEASE_S) < 5
        for store in stores:
            store.close()


class TestSqliteMemoryJobs(JobEngineContract):
    @pytest.fixture
    def jobs(self, clock: MovableClock, tmp_path: Path) -> Iterator[JobEngine]:
        store = SqlStore.open("sqlite://", clock, SETTINGS)
        yield store.jobs
        store.close()
