"""On whose behalf a job works, and whose its results are."""

from application.job_session import JobSession
from domain.call import CallContext
from domain.job import Job, JobKind
from domain.search import moment_of
from ports.results import Ownership


def conversation_of(job: Job) -> str:
    """The conversation that a job's results belong to, and are deleted with.

    A recap of a stored transcript belongs to the transcript's conversation: whoever deletes that deletes its words everywhere.
    """
    transcript_id = job.request.payload.get("transcript_id") if job.request.kind is JobKind.RECAP else None
    if isinstance(transcript_id, str):
        return conversation_of_transcript(transcript_id)
    return job.result_id("conversation")


def conversation_of_transcript(transcript_id: str) -> str:
    """The conversation that a transcript belongs to."""
    return f"conversation_{transcript_id.rpartition('_')[2]}"


def context_of(session: JobSession) -> CallContext:
    """On whose behalf the calls of a job are made, until when, and in which trace."""
    job = session.job
    request = job.request
    return CallContext(
        tenant=request.tenant,
        job_id=job.id,
        conversation_id=conversation_of(job),
        deadline=request.deadline,
        store=request.store,
        traceparent=session.traceparent,
    )


def owner_of(job: Job) -> Ownership:
    """Whose the results of a job are."""
    return Ownership(job.request.tenant, conversation_of(job))


def held_at(job: Job, recorded_at: str | None) -> float:
    """When the conversation of a job's recording or segments was held, in Unix seconds: as somebody said, or when it came in."""
    return job.created_at if recorded_at is None else moment_of(recorded_at)
