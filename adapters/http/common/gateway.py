"""What all routes share: the use cases of the gateway, the options of a job, and how a job is handed out."""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from fastapi import Request
from fastapi.responses import JSONResponse

from adapters.http.common.job_views import JobView
from adapters.http.common.problems import HttpProblem, of_job
from adapters.http.common.request_headers import (
    Preferences,
    idempotency_key_of,
    key_bytes_of,
    priority_of,
    timeout_of,
    traceparent_of,
    wants_storage,
)
from adapters.http.common.services import HttpLimits, HttpServices
from adapters.http.common.template_body import TemplateBody
from application.accept_upload import AcceptUpload
from application.job_context import conversation_of
from application.submit_job import JobOptions, SubmitJob
from application.wait_for_job import WaitForJob
from domain.call import CallContext, CallKind
from domain.errors import NotFound, StillRunning, StorageFailed
from domain.job import Job, JobStatus

BUDGET_HEADER = "Wordloop-Budget-Left"
UNFETCHED_S = 600.0
"""Seconds that an answer which nobody wants stored waits for a caller whose connection broke, or whose wait ended before it."""
SHORTEST_RETRY_S = 1
LONGEST_RETRY_S = 30
"""Seconds a client is told to wait before it asks again: its job's remaining time, within these."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Services and limits with the use cases built from them."""

    services: HttpServices
    limits: HttpLimits
    submit: SubmitJob
    accept: AcceptUpload
    wait: WaitForJob

    @classmethod
    def of(cls, services: HttpServices, limits: HttpLimits) -> "Gateway":
        submit = SubmitJob(services.jobs, limits.queued_jobs, limits.retry_after_s)
        accept = AcceptUpload(services.blobs, services.references, submit, limits.upload_bytes, services.clock)
        return cls(services, limits, submit, accept, WaitForJob(services.jobs, services.clock))

    def options(self, request: Request, tenant: str, timeout_s: float | None = None) -> JobOptions:
        """The options of the job that a request asks for; the nearest of its timeouts and ours is its deadline."""
        allowed = nearest(timeout_s, timeout_of(request), self.limits.job_deadline_s)
        return JobOptions(
            tenant=tenant,
            idempotency_key=idempotency_key_of(request),
            deadline=self.services.clock.now() + allowed if allowed is not None else None,
            store=wants_storage(request),
            traceparent=traceparent_of(request),
            priority=priority_of(request, self.limits.max_priority),
            upload_bytes=key_bytes_of(request),
        )

    def compatible_options(self, request: Request, tenant: str, timeout_s: float | None = None) -> JobOptions:
        """The options of a job behind an OpenAI-compatible route: kept as long as these routes keep, not at all on request."""
        options = self.options(request, tenant, timeout_s)
        return replace(options, keep_s=self.limits.compatible_keep_s, unstored_keep_s=UNFETCHED_S)

    def limits_of(self, request: Request) -> HttpLimits:
        """The limits of this caller: the service's, or what its key narrows them to."""
        narrower = key_bytes_of(request)
        if narrower is None or narrower >= self.limits.upload_bytes:
            return self.limits
        return replace(self.limits, upload_bytes=narrower)

    def context(self, request: Request, tenant: str, seconds: float | None = None) -> CallContext:
        """The context of a model call that a request makes itself, within `seconds` or the request's own timeout."""
        seconds = nearest(seconds, timeout_of(request))
        deadline = self.services.clock.now() + seconds if seconds is not None else None
        return CallContext(tenant=tenant, deadline=deadline, store=wants_storage(request), traceparent=traceparent_of(request))

    async def check_template(self, template: TemplateBody) -> None:
        """Raise HttpProblem (422) for a recap template that does not exist."""
        if template.base not in self.services.templates:
            known = ", ".join(sorted(self.services.templates))
            raise HttpProblem("validation_failed", f"There is no such template; there are: {known}.", "template")

    async def check_model(self, asked: str | None, kind: CallKind) -> str | None:
        """Return the served model that `asked` names, None when nothing was asked. Raises HttpProblem (404)."""
        if asked is None:
            return None
        name = self.services.model_aliases.get(asked, asked)
        if name not in {card.id for card in await self.services.models() if card.kind is kind}:
            raise HttpProblem("model_not_found", "No served model of this kind has that name; see GET /v1/models.", "model")
        return name

    def refuse_unless_completed(self, job: Job) -> None:
        """Raise HttpProblem with the reason when a job did not complete, or not in the time that was waited for it."""
        if job.status is JobStatus.COMPLETED:
            return
        where = {"Location": f"/v1/jobs/{job.id}"}
        if not job.status.ended:
            text = f"Still running as {job.id}; its result will be linked at /v1/jobs/{job.id}."
            members = {"job": JobView.of(job).model_dump(mode="json")}
            raise HttpProblem("not_done_yet", text, members=members, extra_headers=where)
        if job.error is not None:
            raise of_job(job.error, where)
        code = "deadline_exceeded" if job.status is JobStatus.EXPIRED else "job_cancelled"
        raise HttpProblem(code, f"The job {job.id} ended as {job.status.value}.", extra_headers=where)

    async def forget(self, tenant: str, job: Job) -> None:
        """Delete an answered job that nobody wants stored. Where that fails now, house-keeping does it after `UNFETCHED_S`."""
        if job.request.store:
            return
        with suppress(StorageFailed, StillRunning, NotFound):
            await self.services.delete_conversation(tenant, conversation_of(job))

    async def budget_headers(self, tenant: str) -> dict[str, str]:
        """What the tenant may still use, as a dictionary of RFC 9651; no header where there is no limit.

        The answer is paid for by now, so it goes out without the header when the ledger can not tell.
        """
        if self.services.budget_left is None:
            return {}
        try:
            left = await self.services.budget_left(tenant)
        except StorageFailed:
            return {}
        shown = [f"{name.replace('_', '-')}={_decimal(amount)}" for name, amount in asdict(left).items() if math.isfinite(amount)]
        return {BUDGET_HEADER: ", ".join(shown)} if shown else {}

    async def hand_out(self, tenant: str, job: Job, new: bool, prefer: Preferences) -> JSONResponse:
        """Answer with the job, after waiting for it as long as the request prefers: 200 when it has ended, else 202."""
        if prefer.wait_s:
            job = await self.wait(tenant, job.id, min(prefer.wait_s, self.limits.wait_s))
        headers = prefer.applied(self.limits.wait_s) | ({} if new else {"Idempotent-Replayed": "true"})
        headers |= await self.budget_headers(tenant)
        return job_answer(job, headers, 200 if job.status.ended else 202)


def _decimal(amount: float) -> str:
    """A decimal of RFC 9651, section 3.3.2: three digits after the point, rounded down so that nobody is promised too much."""
    return f"{math.floor(amount * 1000) / 1000:.3f}"


def nearest(*seconds: float | None) -> float | None:
    """The least of the bounds that are set."""
    return min((bound for bound in seconds if bound is not None), default=None)


def job_answer(job: Job, headers: Mapping[str, str], status: int) -> JSONResponse:
    """A job with where it is and, until it has ended, when to look again."""
    shown = {"Location": f"/v1/jobs/{job.id}", **headers}
    if not job.status.ended:
        shown["Retry-After"] = str(retry_after_s(job))
    return JSONResponse(JobView.of(job).model_dump(mode="json"), status, shown)


def kept_headers(job: Job) -> dict[str, str]:
    """Where the job behind a compatible answer is, and what to delete it by; nothing where nothing is kept."""
    if not job.request.store:
        return {}
    ids = {name: job.result.get(f"{name}_id") for name in ("transcript", "embedding")}
    made = {f"Wordloop-{name.title()}-Id": value for name, value in ids.items() if value is not None}
    return {"Location": f"/v1/jobs/{job.id}", "Wordloop-Conversation-Id": conversation_of(job), **made}


def retry_after_s(job: Job) -> int:
    """Whole seconds after which asking again makes sense."""
    eta = job.progress.eta_s
    return SHORTEST_RETRY_S if eta is None else max(SHORTEST_RETRY_S, min(LONGEST_RETRY_S, math.ceil(eta)))
