"""Take a job into the queue, or refuse it before anything is stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from application.expected_length import expected_audio_s
from application.payloads import ALLOWED
from domain.canonical import Json, sha256_of
from domain.errors import QueueFull
from domain.job import Job, JobKind, JobRequest
from ports.jobs import JobStore


@dataclass(frozen=True, slots=True)
class JobOptions:
    """On whose behalf and how a job is to run: what a request says beside its body.

    `deadline` is absolute, in Unix seconds. `store` false keeps results for the life of the job only. `upload_bytes` is what the
    caller may send at most; None for the service's own bound. `audio_s`: how many seconds of talk it is, where the gateway knows.
    `keep_s` is how many seconds after its end the job and all that it
    made are deleted, `unstored_keep_s` the same where `store` is false; None: when the service deletes everything of that age.
    """

    tenant: str
    idempotency_key: str | None = None
    deadline: float | None = None
    store: bool = True
    traceparent: str | None = None
    priority: int = 0
    upload_bytes: int | None = None
    audio_s: float | None = None
    keep_s: float | None = None
    unstored_keep_s: float | None = None

    @property
    def kept_s(self) -> float | None:
        """Seconds until what is made with these options is deleted by itself."""
        return self.keep_s if self.store or self.unstored_keep_s is None else self.unstored_keep_s


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """Queue a job. `max_queued` waiting jobs (over all tenants) close the door; `retry_after_s` is what callers are told then."""

    jobs: JobStore
    max_queued: int
    retry_after_s: float

    async def is_known(self, options: JobOptions) -> bool:
        """Say whether the request was here before, so that it is answered from what there is."""
        return options.idempotency_key is not None and await self.jobs.knows(options.tenant, options.idempotency_key)

    async def admit(self, tenant: str) -> None:
        """Raise QueueFull or RateLimited when the queue takes no more, so that an upload can be refused before it is read."""
        await self.jobs.admit(tenant)
        if (await self.jobs.depth()).get("queued", 0) >= self.max_queued:
            raise QueueFull("The job queue is full; nothing was stored.", self.retry_after_s)

    async def __call__(self, kind: JobKind, payload: Mapping[str, Json], options: JobOptions) -> tuple[Job, bool]:
        """Return the stored job and whether it is new (False: the same request was here before under its key).

        Raises QueueFull, RateLimited, QuotaExceeded or IdempotencyMismatch, having stored nothing.
        """
        asked = {name: value for name, value in payload.items() if name not in ALLOWED}
        return await self.jobs.submit(
            JobRequest(
                kind=kind,
                payload=payload,
                tenant=options.tenant,
                idempotency_key=options.idempotency_key,
                body_sha256=sha256_of({"kind": kind.value, "payload": asked}),
                priority=options.priority,
                deadline=options.deadline,
                store=options.store,
                traceparent=options.traceparent,
                audio_s=options.audio_s if options.audio_s is not None else expected_audio_s(kind, payload),
                keep_s=options.kept_s,
            )
        )
