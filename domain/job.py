"""Jobs: work that was accepted, its states, and the rules between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from domain.canonical import Json


class JobKind(StrEnum):
    CONVERSATION = "conversation"
    TRANSCRIPTION = "transcription"
    RECAP = "recap"
    EMBEDDING = "embedding"


class JobStatus(StrEnum):
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        return self not in (JobStatus.QUEUED, JobStatus.IN_PROGRESS)


LOWEST_PRIORITY: Final = -3
HIGHEST_PRIORITY: Final = 3


class Lane(StrEnum):
    """Which of a worker's slots a job may take: those kept for short recordings too, or only those that are for all."""

    SHORT = "short"
    LONG = "long"

    @classmethod
    def of(cls, audio_s: float | None, short_audio_s: float) -> "Lane":
        """The lane of so many seconds of sound; what nobody knows is taken for long."""
        return cls.SHORT if audio_s is not None and audio_s <= short_audio_s else cls.LONG


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is. `fraction` (0 to 1) never goes back; `eta_s` in seconds, None when unknown.

    `overdue`: the present stage takes longer than was expected when it began.
    """

    fraction: float = 0.0
    stage: str = "queued"
    eta_s: float | None = None
    queue_position: int | None = None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a waiting job stands: `position` in the order of claims, from 1; `eta_s` until it is done, None when unknown."""

    position: int
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a job failed: the members of an RFC 9457 problem that the gateway completes. `code` is the error kind."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What was asked for, before anything is stored.

    `payload` is plain data: the options of the request and the hashes of its blobs. `deadline` is absolute
    (Unix seconds). `body_sha256` is the fingerprint that an idempotency key is held to. `audio_s`: seconds of sound or talk
    that the job goes through, as far as anybody knows before it is decoded; None when nobody does. `keep_s`: seconds from its end
    until all of the job is deleted, where the service does not delete it before; None: no time of its own.
    """

    kind: JobKind
    payload: Mapping[str, Json]
    tenant: str = "default"
    idempotency_key: str | None = None
    body_sha256: str = ""
    priority: int = 0
    deadline: float | None = None
    store: bool = True
    traceparent: str | None = None
    audio_s: float | None = None
    keep_s: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """An accepted job as anybody may see it. Times are Unix seconds.

    `result` maps `conversation_id`, `transcript_id`, `recap_id`, `embedding_id` to ids, each as soon as its
    stage is stored.
    """

    id: str
    request: JobRequest
    status: JobStatus
    progress: Progress
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    cancel_requested: bool = False
    result: Mapping[str, str] = field(default_factory=dict)
    error: Problem | None = None
    lane: Lane = Lane.LONG

    def result_id(self, prefix: str) -> str:
        """The id of this job's result of one kind: the same on every attempt, so a repeated write replaces."""
        return f"{prefix}_{self.id.removeprefix('job_')}"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on a job until `until` (store's clock). Every write carries the `fence`.

    `taken_over`: from a worker whose lease had run out.
    """

    job: Job
    owner: str
    fence: int
    until: float
    taken_over: bool = False


@dataclass(frozen=True, slots=True)
class LaneStanding:
    """Jobs of one lane over all tenants. `waiting` counts those whose worker was lost; `oldest_waiting_s`: for how long the first
    of them could have been claimed, 0 when none could.
    """

    waiting: int = 0
    running: int = 0
    oldest_waiting_s: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """The queue at one moment. `dead`: jobs that failed with every attempt used up."""

    lanes: Mapping[Lane, LaneStanding]
    dead: int


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job; `sequence` counts from 1 per job without gaps."""

    job_id: str
    sequence: int
    type: str
    data: Mapping[str, Json]
    created_at: float
