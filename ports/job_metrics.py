"""What is told about jobs and the queue to whoever watches: numbers, never content."""

from abc import abstractmethod
from enum import StrEnum
from typing import Protocol

from domain.job import Job, QueueStanding
from domain.search import SpaceStanding
from domain.webhook import WebhookBacklog


class JobOutcome(StrEnum):
    """How a worker came to an end with a job: for good, or for this time."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    RETRIED = "retried"
    HANDED_BACK = "handed_back"
    LOST = "lost"


class JobMetrics(Protocol):
    """Metrics of jobs. No method raises."""

    @abstractmethod
    def taken_over(self, job: Job) -> None:
        """A worker was lost with the job, and it goes on in this one."""

    @abstractmethod
    def stage_ended(self, job: Job, stage: str, seconds: float) -> None:
        """The job leaves a stage that it was in for so many seconds."""

    @abstractmethod
    def attempt_ended(self, job: Job, outcome: JobOutcome, since_submitted_s: float) -> None:
        """This worker has done with the job, so many seconds after it was submitted."""

    @abstractmethod
    def standing(self, queue: QueueStanding, webhooks: WebhookBacklog) -> None:
        """How many jobs and events wait just now, over all tenants and workers."""

    @abstractmethod
    def to_embed(self, standing: SpaceStanding) -> None:
        """How many indexed passages have no vector of the model that embeds now."""
