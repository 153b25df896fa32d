"""A job as it leaves, written out field by field, so that nothing internal slips through."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field

from adapters.http.common.problems import problem_members
from adapters.http.common.view import View
from application.job_context import conversation_of
from domain.job import Job, JobKind, JobStatus, Lane

RESULT_ROUTES = {"transcript": "/v1/transcripts/", "recap": "/v1/recaps/", "embedding": "/v1/embeddings/"}


class ProgressView(View):
    """`fraction` from 0 to 1, never going back; `eta_s` in seconds; `queue_position` from 1 while waiting.

    `overdue`: the stage takes longer than was expected when it began; `eta_s` then grows with the time it is late.
    """

    fraction: float
    stage: str
    eta_s: float | None
    queue_position: int | None
    overdue: bool


class JobProblemView(BaseModel):
    """Why the job failed."""

    type: str
    title: str
    status: int
    detail: str
    code: str


def _absent(value: object) -> bool:
    return value is None


class JobResultView(BaseModel):
    """Ids of what a job has made, each as soon as it is stored. What is not there yet is left out."""

    conversation_id: str | None = Field(None, exclude_if=_absent)
    transcript_id: str | None = Field(None, exclude_if=_absent)
    recap_id: str | None = Field(None, exclude_if=_absent)
    embedding_id: str | None = Field(None, exclude_if=_absent)


class JobLinksView(BaseModel):
    """Where to go from a job; GET works on all of them. What is not there (yet) is left out."""

    self: str
    events: str
    conversation: str
    cancel: str | None = Field(None, exclude_if=_absent)
    transcript: str | None = Field(None, exclude_if=_absent)
    recap: str | None = Field(None, exclude_if=_absent)
    embedding: str | None = Field(None, exclude_if=_absent)


class JobView(View):
    """A job. Times are Unix seconds; `result` holds each id as soon as its stage is stored.

    `priority` is what it was asked for with; `lane` says whether it passes for short: short jobs wait for one another only.
    """

    id: str
    object: Literal["job"] = "job"
    kind: JobKind
    status: JobStatus
    priority: int
    lane: Lane
    progress: ProgressView
    created_at: float
    started_at: float | None
    finished_at: float | None
    cancel_requested: bool
    result: JobResultView
    error: JobProblemView | None
    links: JobLinksView

    @classmethod
    def otherwise(cls, value: Job) -> dict[str, Any]:
        return {
            "kind": value.request.kind,
            "priority": value.request.priority,
            "result": JobResultView(**value.result),
            "error": JobProblemView(**problem_members(value.error)) if value.error else None,
            "links": links_of(value),
        }


def links_of(job: Job) -> JobLinksView:
    """Where to go from a job: itself, its events, what to delete it by, and what there already is of its result."""
    links = {
        "self": f"/v1/jobs/{job.id}",
        "events": f"/v1/jobs/{job.id}/events",
        "conversation": f"/v1/conversations/{conversation_of(job)}",
    }
    if not job.status.ended:
        links["cancel"] = f"/v1/jobs/{job.id}/cancel"
    for name, route in RESULT_ROUTES.items():
        if result_id := job.result.get(f"{name}_id"):
            links[name] = route + result_id
    return JobLinksView(**links)


class JobPage(BaseModel):
    """Jobs, newest first. Pass `last_id` as `after` for the next page while `has_more`."""

    object: Literal["list"] = "list"
    data: list[JobView]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @classmethod
    def of(cls, jobs: Sequence[Job], limit: int) -> "JobPage":
        """From up to `limit` + 1 jobs: the one too many says that there are more."""
        data = [JobView.of(job) for job in jobs[:limit]]
        return cls(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(jobs) > limit,
        )
