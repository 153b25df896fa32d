"""Delete whole conversations, and kept voices, once they are older than their tenant keeps them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from application.delete_conversation import CONVERSATION_PREFIX, DeleteConversation
from domain.errors import NotFound, WordloopError
from ports.clock import Clock
from ports.jobs import JobOperator
from ports.results import ConversationDeleter
from ports.voice_profiles import VoiceProfiles

log = logging.getLogger("wordloop.maintenance")

DAY_S = 86_400.0
BATCH = 100
DELETION_NOTE_S = 30 * DAY_S
"""Seconds that a deleted conversation is remembered, so that a worker that writes late does not bring it back."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Days from a job's end to its deletion; None keeps it until somebody deletes it. `tenants` have their own.

    A kept voice counts from the last recording that it was remembered from.
    """

    days: float | None = None
    tenants: Mapping[str, float | None] = field(default_factory=dict)

    def before(self, now: float) -> tuple[float | None, dict[str, float | None]]:
        """Return what is older than which time goes (Unix seconds): of all tenants, and of those that have their own."""
        return _before(now, self.days), {tenant: _before(now, days) for tenant, days in self.tenants.items()}


@dataclass(frozen=True, slots=True)
class KeepRetention:
    """A chore. Several processes may do it at once: what another has deleted is not there."""

    jobs: JobOperator
    results: ConversationDeleter
    delete: DeleteConversation
    retention: Retention
    clock: Clock

    async def __call__(self) -> int:
        """Delete what is too old: audio, results, vectors, cached calls and the job; return how many conversations."""
        now, removed = self.clock.now(), 0
        await self.results.forget_deletions(now - DELETION_NOTE_S)
        default, tenants = self.retention.before(now)
        stuck = 0
        while True:
            found = await self.jobs.ended_before(default, tenants, BATCH + stuck)
            fresh = found[stuck:]
            for job in fresh:
                try:
                    await self.delete(job.request.tenant, job.result_id(CONVERSATION_PREFIX))
                    removed += 1
                except NotFound:
                    pass
                except WordloopError as error:
                    stuck += 1  # it stays where it is, and the others go
                    log.warning("not deleted", extra={"wordloop_job_id": job.id, "kind": type(error).__name__})
            if not fresh:
                if removed:
                    log.info("conversations past their retention deleted", extra={"conversations": removed})
                return removed


@dataclass(frozen=True, slots=True)
class ForgetOldVoices:
    """A chore: kept voices go by the same rule."""

    voices: VoiceProfiles
    retention: Retention
    clock: Clock

    async def __call__(self) -> int:
        """Delete what is too old; return how many voices."""
        removed = await self.voices.forget_remembered_before(*self.retention.before(self.clock.now()))
        if removed:
            log.info("voices past their retention deleted", extra={"voices": removed})
        return removed


def _before(now: float, days: float | None) -> float | None:
    return None if days is None else now - days * DAY_S
