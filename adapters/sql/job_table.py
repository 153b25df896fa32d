"""What callers do with jobs, as transactions on the job table."""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from adapters.sql.blobs import check_room, has_tombstone
from adapters.sql.job_order import Admission, admit, queue_position_of, rank_of
from adapters.sql.job_rows import QUEUED, RUNNING, append_event, change, end, find, job_of
from adapters.sql.plain import from_text, to_text, upsert
from adapters.sql.tables import blob_uses, job_events, jobs
from domain.errors import IdempotencyMismatch, InvalidRequest, NotFound, StorageFailed
from domain.job import Job, JobEvent, JobKind, JobRequest, JobStatus, Lane

UPLOAD_KINDS = (JobKind.CONVERSATION, JobKind.TRANSCRIPTION)
"""Jobs whose payload names stored bytes under `blob_id`."""


def submit(connection: Connection, request: JobRequest, job_id: str, now: float, admission: Admission) -> tuple[Job, bool]:
    """Insert the job unless its idempotency key is known. Raises IdempotencyMismatch, QueueFull, RateLimited or QuotaExceeded."""
    known = _by_key(connection, request, now)
    if known is not None:
        return known, False
    admit(connection, request.tenant, now, admission)
    values = _columns(request, job_id, now) | {
        "max_attempts": admission.max_attempts,
        "lane": Lane.of(request.audio_s, admission.short_audio_s).value,
    }
    statement = upsert(connection.dialect.name, jobs).values(**values)
    statement = statement.on_conflict_do_nothing(index_elements=["tenant", "idempotency_key"]).returning(*jobs.c)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:  # the same key came in at the same moment, and was first
        other = _by_key(connection, request, now)
        assert other is not None
        return other, False
    append_event(connection, row, "job.queued", {}, now)
    job = job_of(row, queue_position_of(connection, row, now))
    if request.kind in UPLOAD_KINDS:
        _name_recording(connection, request, job, admission)
    return job, True


def knows(connection: Connection, tenant: str, idempotency_key: str) -> bool:
    """Say whether the tenant has a job under this key."""
    same = (jobs.c.tenant == tenant, jobs.c.idempotency_key == idempotency_key)
    return connection.execute(select(jobs.c.seq).where(*same)).first() is not None


def _name_recording(connection: Connection, request: JobRequest, job: Job, admission: Admission) -> None:
    """Let the job's conversation name its recording. One that is still to be fetched needs room for a byte, at least."""
    blob_id, size = request.payload.get("blob_id"), request.payload.get("size")
    if not isinstance(blob_id, str):
        check_room(connection, request.tenant, None, 1, admission.max_tenant_bytes)
        return
    size = size if isinstance(size, int) else 0
    check_room(connection, request.tenant, blob_id, size, admission.max_tenant_bytes)
    if has_tombstone(connection, request.tenant, blob_id):
        raise StorageFailed("The recording is just being removed; send it again.")
    use = {"tenant": request.tenant, "blob_id": blob_id, "conversation_id": job.result_id("conversation"), "size": size}
    connection.execute(insert(blob_uses).values(**use))


def _columns(request: JobRequest, job_id: str, now: float) -> dict[str, object]:
    return {
        "id": job_id,
        "tenant": request.tenant,
        "idempotency_key": request.idempotency_key,
        "body_sha256": request.body_sha256,
        "kind": request.kind.value,
        "payload": to_text(dict(request.payload)),
        "priority": request.priority,
        "deadline": request.deadline,
        "store": request.store,
        "traceparent": request.traceparent,
        "keep_s": request.keep_s,
        "status": QUEUED,
        "run_after": now,
        "created_at": now,
        "attempts": 0,
        "fence": 0,
        "cancel_requested": False,
        "fraction": 0.0,
        "stage": QUEUED,
        "result": "{}",
        "last_sequence": 1,
        "rank": rank_of(request.priority, now),
        "audio_s": request.audio_s,
    }


def _by_key(connection: Connection, request: JobRequest, now: float) -> Job | None:
    if request.idempotency_key is None:
        return None
    same = (jobs.c.tenant == request.tenant, jobs.c.idempotency_key == request.idempotency_key)
    row = connection.execute(select(jobs).where(*same)).mappings().one_or_none()
    if row is None:
        return None
    if (row["body_sha256"], row["kind"]) != (request.body_sha256, request.kind.value):
        raise IdempotencyMismatch("This idempotency key came with another body before.")
    waits = row["status"] == QUEUED
    return job_of(row, queue_position_of(connection, row, now) if waits else None)


def depth(connection: Connection) -> dict[str, int]:
    """Return how many jobs wait and run."""
    counted = select(jobs.c.status, func.count()).where(jobs.c.status.in_([QUEUED, RUNNING])).group_by(jobs.c.status)
    return {QUEUED: 0, RUNNING: 0} | {row[0]: row[1] for row in connection.execute(counted)}


def get(connection: Connection, tenant: str, job_id: str, now: float) -> Job:
    """Return the job, with its position in the queue while it waits. Raises NotFound."""
    row = find(connection, tenant, job_id)
    if row is None:
        raise NotFound("No such job.")
    return job_of(row, queue_position_of(connection, row, now) if row["status"] == QUEUED else None)


def list_jobs(connection: Connection, tenant: str, limit: int, after: str | None, status: JobStatus | None) -> Sequence[Job]:
    """Return the tenant's jobs, newest first, from the one after the cursor. Raises NotFound."""
    chosen = select(jobs).where(jobs.c.tenant == tenant)
    if after is not None:
        cursor = find(connection, tenant, after)
        if cursor is None:
            raise NotFound("No such job to continue after.")
        chosen = chosen.where(jobs.c.seq < cursor["seq"])
    if status is not None:
        chosen = chosen.where(jobs.c.status == status.value)
    rows = connection.execute(chosen.order_by(jobs.c.seq.desc()).limit(max(0, limit))).mappings()
    return [job_of(row) for row in rows]


def cancel(connection: Connection, tenant: str, job_id: str, now: float) -> Job:
    """End a waiting job; flag a running one, once; leave an ended one. Raises NotFound."""
    row = find(connection, tenant, job_id, lock=True)
    if row is None:
        raise NotFound("No such job.")
    if row["status"] == QUEUED:
        row = end(connection, row, now, JobStatus.CANCELLED, cancel_requested=True)
    elif row["status"] == RUNNING and not row["cancel_requested"]:
        row = change(connection, row, now, "job.cancel_requested", {}, cancel_requested=True)
    return job_of(row)


def events(connection: Connection, tenant: str, job_id: str, after: int, limit: int) -> Sequence[JobEvent]:
    """Return the job's events above `after`, in order. Raises NotFound."""
    row = find(connection, tenant, job_id)
    if row is None:
        raise NotFound("No such job.")
    told = select(job_events).where(job_events.c.job_seq == row["seq"], job_events.c.sequence > after)
    rows = connection.execute(told.order_by(job_events.c.sequence).limit(max(0, limit))).mappings()
    return [JobEvent(job_id, e["sequence"], e["type"], from_text(e["data"]), e["created_at"]) for e in rows]


def remove(connection: Connection, tenant: str, job_id: str) -> None:
    """Delete an ended job; its events go with it. Raises NotFound or InvalidRequest."""
    row = find(connection, tenant, job_id, lock=True)
    if row is None:
        raise NotFound("No such job.")
    if not JobStatus(row["status"]).ended:
        raise InvalidRequest("The job has not ended; cancel it first.")
    connection.execute(delete(jobs).where(jobs.c.seq == row["seq"]))
