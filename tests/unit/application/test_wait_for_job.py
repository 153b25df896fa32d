"""Waiting for a job looks at growing intervals and never past its time."""

import pytest

from application.wait_for_job import FIRST_POLL_S, LONGEST_POLL_S, WaitForJob
from domain.job import Job, JobKind, JobRequest, JobStatus, Progress


class CountingClock:
    """Time that moves by sleeping only."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class EndingJobs:
    """A job that has ended from the look number `ends_at` on."""

    def __init__(self, ends_at: int) -> None:
        self.ends_at = ends_at
        self.looks = 0

    async def get(self, tenant: str, job_id: str) -> Job:
        self.looks += 1
        status = JobStatus.COMPLETED if self.looks >= self.ends_at else JobStatus.IN_PROGRESS
        return Job(job_id, JobRequest(JobKind.RECAP, {}, tenant), status, Progress(), 0.0)


async def test_an_ended_job_is_returned_without_waiting():
    clock = CountingClock()
    job = await WaitForJob(EndingJobs(1), clock)("default", "job_1", 60)

    assert (job.status, clock.slept) == (JobStatus.COMPLETED, [])


async def test_the_looks_become_rarer_and_stop_with_the_job():
    clock = CountingClock()
    jobs = EndingJobs(12)
    job = await WaitForJob(jobs, clock)("default", "job_1", 60)

    assert (job.status, jobs.looks) == (JobStatus.COMPLETED, 12)
    assert clock.slept[0] == FIRST_POLL_S
    assert clock.slept == sorted(clock.slept)
    assert clock.slept[-1] == LONGEST_POLL_S


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.3, 7.7])
async def test_waiting_takes_no_longer_than_allowed_and_then_gives_the_job_as_it_is(seconds):
    clock = CountingClock()
    job = await WaitForJob(EndingJobs(10_000), clock)("default", "job_1", seconds)

    assert job.status is JobStatus.IN_PROGRESS
    assert clock.seconds - 100.0 == pytest.approx(seconds)
