"""A job's events as they leave: one shape for all, and for each kind what its `data` holds."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from adapters.http.common.job_views import JobResultView, JobView, ProgressView
from domain.job import Job, JobEvent


class EventType(StrEnum):
    """The names of events, which are those of the stream (`event:`) and of the member `type`."""

    QUEUED = "job.queued"
    STARTED = "job.started"
    PROGRESS = "job.progress"
    SEGMENT = "transcript.segment"
    TRANSCRIPT = "transcript.completed"
    RECAP = "recap.completed"
    RETRYING = "job.retrying"
    RELEASED = "job.released"
    CANCEL_REQUESTED = "job.cancel_requested"
    REPLAYED = "job.replayed"
    COMPLETED = "job.completed"
    FAILED = "job.failed"
    CANCELLED = "job.cancelled"
    EXPIRED = "job.expired"


ENDS = frozenset({EventType.COMPLETED, EventType.FAILED, EventType.CANCELLED, EventType.EXPIRED})
MEANINGS: Mapping[EventType, str] = {
    EventType.QUEUED: "The job waits. `data` is empty.",
    EventType.STARTED: "A worker has begun. `data`: `attempt`, from 1.",
    EventType.PROGRESS: "The job has moved, or is expected at another time. `data`: as the job's `progress`.",
    EventType.SEGMENT: "Words that are final. `data`: `id`, `start`, `end`, `text`, `speaker`.",
    EventType.TRANSCRIPT: "The transcript is stored. `data`: `transcript_id`.",
    EventType.RECAP: "The recap is stored. `data`: `recap_id`.",
    EventType.RETRYING: "An attempt failed, and another follows. `data`: `code`, `attempt`, `retry_after_s`.",
    EventType.RELEASED: "The worker was shut down; the job waits for another. `data` is empty.",
    EventType.CANCEL_REQUESTED: "The worker was asked to stop. `data` is empty.",
    EventType.REPLAYED: "An operator let an ended job wait again. `data` is empty.",
    EventType.COMPLETED: "The end. `data`: `result`, the ids of what was made.",
    EventType.FAILED: "The end. `data`: `code` and `detail` of the problem; `result`, what was made before.",
    EventType.CANCELLED: "The end. `data`: `result`, what was made before.",
    EventType.EXPIRED: "The end: not done in time. `data`: `code`, `detail`, `result`.",
}


class NothingData(BaseModel):
    """The name of the event says it all."""


class AttemptData(BaseModel):
    attempt: int


class RetryingData(BaseModel):
    """Seconds until the next attempt."""

    code: str
    attempt: int
    retry_after_s: float


class SegmentData(BaseModel):
    """Times in seconds."""

    id: int
    start: float
    end: float
    text: str
    speaker: str | None


class TranscriptData(BaseModel):
    transcript_id: str


class RecapData(BaseModel):
    recap_id: str


class EndData(BaseModel):
    """What was made; and why no more was, where the job failed or expired."""

    result: JobResultView
    code: str | None = None
    detail: str | None = None


class JobEventView(BaseModel):
    """An event of a job. `sequence` counts from 1 per job without gaps; a state of progress between two events has that of the
    event before it. `created_at` in Unix seconds."""

    job_id: str
    sequence: int
    type: EventType
    created_at: float
    data: ProgressView | SegmentData | TranscriptData | RecapData | RetryingData | AttemptData | EndData | NothingData


def event_of(event: JobEvent, job: Job) -> dict[str, Any]:
    """Write an event out. One that was stored by an older version lacks members that its kind has today."""
    missing: dict[str, Any] = {}
    if event.type == EventType.PROGRESS:
        missing = {"eta_s": None, "queue_position": None, "overdue": False}
    elif event.type in ENDS:
        missing = {"result": dict(job.result)}
    return {
        "job_id": event.job_id,
        "sequence": event.sequence,
        "type": event.type,
        "created_at": event.created_at,
        "data": {**missing, **event.data},
    }


def progress_of(job: Job, sequence: int, now: float) -> dict[str, Any]:
    """A state of progress that no stored event has, in the shape of one that follows on `sequence`."""
    return {
        "job_id": job.id,
        "sequence": sequence,
        "type": EventType.PROGRESS.value,
        "created_at": now,
        "data": JobView.of(job).progress.model_dump(mode="json"),
    }
