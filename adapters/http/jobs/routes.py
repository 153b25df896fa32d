"""Jobs: list, look, follow, cancel."""

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from adapters.http.common.documents import job_responses, problems
from adapters.http.common.gateway import Gateway, job_answer
from adapters.http.common.job_views import JobPage, JobView
from adapters.http.common.request_headers import Preferred, Tenant
from adapters.http.jobs.events import EVENT_STREAM, event_stream, follow, resume_point, stream_responses
from domain.job import JobStatus

JobId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
LARGEST_PAGE = 100


def job_routes(gateway: Gateway) -> APIRouter:
    """The routes of jobs."""
    router = APIRouter(tags=["jobs"])
    jobs = gateway.services.jobs

    @router.get("/v1/jobs", responses=problems(404, 422, 503))
    async def list_jobs(
        tenant: Tenant,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 20,
        after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None,
        status: JobStatus | None = None,
    ) -> JobPage:
        """Jobs, newest first; `after` is the `last_id` of the page before."""
        return JobPage.of(await jobs.list(tenant, limit + 1, after, status), limit)

    @router.get("/v1/jobs/{job_id}", response_model=JobView, responses=problems(404, 422, 503))
    async def get_job(job_id: JobId, tenant: Tenant, prefer: Preferred) -> Response:
        """A job as it is now, or once it has ended when `Prefer: wait=N` says so."""
        job = await gateway.wait(tenant, job_id, min(prefer.wait_s or 0.0, gateway.limits.wait_s))
        return job_answer(job, prefer.applied(gateway.limits.wait_s) | await gateway.budget_headers(tenant), 200)

    @router.get("/v1/jobs/{job_id}/cancel", response_model=JobView, responses=problems(404, 422, 503))
    async def get_cancel(job_id: JobId, tenant: Tenant) -> Response:
        """Whether a job was asked to stop (`cancel_requested`): the job as it is. POST asks."""
        return job_answer(await jobs.get(tenant, job_id), {}, 200)

    @router.post("/v1/jobs/{job_id}/cancel", status_code=202, responses=job_responses() | problems(404, 422, 503))
    async def cancel_job(job_id: JobId, tenant: Tenant) -> Response:
        """End a waiting job, ask a running one to stop, leave an ended one alone."""
        job = await jobs.cancel(tenant, job_id)
        return job_answer(job, {}, 200 if job.status.ended else 202)

    @router.get("/v1/jobs/{job_id}/events", response_class=Response, responses=stream_responses() | problems(400, 404, 422, 503))
    async def follow_job(
        job_id: JobId,
        tenant: Tenant,
        last_event_id: Annotated[str | None, Header()] = None,
        after: Annotated[int, Query(ge=0, lt=10**18)] = 0,
    ) -> Response:
        """The job's events from the first, or from after `Last-Event-ID`; ends with the job."""
        seen = resume_point(last_event_id, after)
        job = await jobs.get(tenant, job_id)
        if job.status.ended and not await jobs.events(tenant, job_id, seen.sequence, 1):
            return Response(status_code=204, media_type=EVENT_STREAM)  # without the type httpx-sse takes the end for an error
        events = follow(jobs, gateway.services.clock, tenant, job_id, seen, gateway.limits.event_poll_s)
        return event_stream(events, gateway.limits.heartbeat_s)

    return router
