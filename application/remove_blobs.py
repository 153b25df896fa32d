"""Remove stored bytes that nothing names any more, without ever meeting an upload of the same bytes."""

import logging
from dataclasses import dataclass

from domain.errors import StorageFailed
from ports.blob_store import COLLECT_S, BlobReferences, BlobStore
from ports.clock import Clock

log = logging.getLogger("wordloop.maintenance")

REMOVAL_WAIT_S = 5.0
"""Seconds an upload waits for a removal of the same bytes: that is one file or one request."""
REMOVAL_PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class RemoveBlobs:
    """Set a tombstone, remove, clear it (ports/blob_store.py). A crash between two of these is finished by `leftovers`."""

    blobs: BlobStore
    references: BlobReferences
    clock: Clock

    async def hold(self, tenant: str, blob_id: str, holder: str) -> None:
        """Keep bytes that are about to be stored from being removed; wait for a removal of the same bytes that is under way.

        Raises StorageFailed when that takes longer than `REMOVAL_WAIT_S`.
        """
        give_up = self.clock.monotonic() + REMOVAL_WAIT_S
        while not await self.references.hold(tenant, blob_id, holder):
            if self.clock.monotonic() > give_up:
                raise StorageFailed("The same recording is just being removed; send it again.")
            await self.leftovers()  # the remover may have died long ago
            await self.clock.sleep(REMOVAL_PAUSE_S)

    async def discard(self, tenant: str, blob_id: str, holder: str) -> None:
        """Give up an upload: remove its bytes unless something else counts on them."""
        asked = self.clock.monotonic()
        if await self.references.set_tombstone(tenant, blob_id, holder):
            await self.collect(tenant, blob_id, asked)

    async def collect(self, tenant: str, blob_id: str, asked: float) -> None:
        """Remove bytes that got their tombstone after `asked` (monotonic seconds).

        Somebody who was asleep for too long leaves them alone: others may have removed them and stored them anew.
        """
        if self.clock.monotonic() - asked > COLLECT_S:
            return
        await self.blobs.delete(tenant, blob_id)
        await self.references.clear_tombstone(tenant, blob_id)

    async def leftovers(self) -> int:
        """Remove what crashed uploads and removals left; return how many blobs. A chore."""
        removed = 0
        while True:
            asked = self.clock.monotonic()
            found = await self.references.left_behind()
            for tenant, blob_id in found:
                await self.collect(tenant, blob_id, asked)
            removed += len(found)
            if not found:
                if removed:
                    log.info("orphaned recordings removed", extra={"blobs": removed})
                return removed
