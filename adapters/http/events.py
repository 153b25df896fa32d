"""A job's events as a stream that can be taken up again where it broke off."""

import json
from collections.abc import AsyncIterator

from sse_starlette import ServerSentEvent

from adapters.http.edge import retry_after_s
from adapters.http.problems import HttpProblem
from adapters.http.views import JobView, ProgressView
from domain.job import Job, JobEvent
from ports.clock import Clock
from ports.jobs import JobStore

EVENTS_PER_LOOK = 100


def resume_point(last_event_id: str | None, after: int) -> int:
    """The sequence of the last event that was seen. Raises HttpProblem (400) when the header is no such number."""
    if last_event_id is None:
        return after
    if not last_event_id.isdecimal():
        raise HttpProblem("malformed_request", "Last-Event-ID is the number of an event of this job.")
    return int(last_event_id)


async def follow(
    jobs: JobStore, clock: Clock, tenant: str, job_id: str, after: int, poll_s: float
) -> AsyncIterator[ServerSentEvent]:
    """Yield events above `after` in order, progress in between, and end after the job's last event.

    Progress carries no id: it is a state, not an event, so resuming never depends on having seen it.
    """
    shown: ProgressView | None = None
    while True:
        job = await jobs.get(tenant, job_id)
        events = await jobs.events(tenant, job_id, after, EVENTS_PER_LOOK)
        for event in events:
            after = event.sequence
            yield _event(event)
        if len(events) == EVENTS_PER_LOOK:
            continue
        progress = JobView.of(job).progress
        if progress != shown and not job.status.ended:
            shown = progress
            yield _progress(job, progress)
        if job.status.ended:
            return
        await clock.sleep(poll_s)


def _event(event: JobEvent) -> ServerSentEvent:
    data = {
        "job_id": event.job_id,
        "sequence": event.sequence,
        "type": event.type,
        "created_at": event.created_at,
        "data": event.data,
    }
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=event.type, id=str(event.sequence))


def _progress(job: Job, progress: ProgressView) -> ServerSentEvent:
    data = {"job_id": job.id, "type": "progress", "status": job.status.value, "progress": progress.model_dump()}
    return ServerSentEvent(json.dumps(data), event="progress", retry=retry_after_s(job) * 1000)
