"""Delete a conversation: audio, results, vectors, cached calls and its jobs."""

from dataclasses import dataclass

from application.remove_blobs import RemoveBlobs
from application.wait_for_job import WaitForJob
from domain.call import CallContext
from domain.errors import NotFound, StillRunning
from domain.job import Job
from ports.call_cache import CallCache
from ports.jobs import JobStore
from ports.results import ConversationDeleter

CONVERSATION_PREFIX = "conversation"
"""The prefix of conversation ids (`Job.result_id`)."""
STOP_WAIT_S = 2.0
"""Seconds a deletion waits for a running job to stop: a cancel is seen between two model calls, so most do."""
RETRY_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class DeleteConversation:
    """Stop the job that works on a conversation, then remove everything that belongs to it.

    A second call finishes what a crash in the middle left: the job goes last, and while it is there the conversation is found.
    """

    jobs: JobStore
    results: ConversationDeleter
    blobs: RemoveBlobs
    cache: CallCache
    wait: WaitForJob

    async def __call__(self, tenant: str, conversation_id: str) -> None:
        """Raises NotFound when nothing of it is there, StillRunning when its job does not stop soon enough."""
        job = await self._stopped_job(tenant, conversation_id)
        asked = self.wait.clock.monotonic()
        try:
            unused = await self.results.delete_conversation(tenant, conversation_id)
        except NotFound:
            if job is None:
                raise
            unused = ()
        for blob_id in unused:
            await self.blobs.collect(tenant, blob_id, asked)
        await self.cache.forget_conversation(CallContext(tenant=tenant).cache_scope, conversation_id)
        if job is not None:
            await self.jobs.delete(tenant, job.id)

    async def _stopped_job(self, tenant: str, conversation_id: str) -> Job | None:
        """Return the conversation's own job, ended; None when there is none (any more)."""
        job_id = "job_" + conversation_id.removeprefix(f"{CONVERSATION_PREFIX}_")
        try:
            job = await self.jobs.get(tenant, job_id)
            if not job.status.ended:
                await self.jobs.cancel(tenant, job_id)
                job = await self.wait(tenant, job_id, STOP_WAIT_S)
        except NotFound:
            return None
        if not job.status.ended:
            raise StillRunning("A job still works on this conversation; it was asked to stop.", RETRY_AFTER_S)
        return job
