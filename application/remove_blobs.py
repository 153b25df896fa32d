"""Remove stored bytes that nothing names any more, without ever meeting an upload of the same bytes."""

import logging
from dataclasses import dataclass

from ports.blob_store import BURIAL_S, BlobReferences, BlobStore
from ports.clock import Clock

log = logging.getLogger("wordloop.house")


@dataclass(frozen=True, slots=True)
class RemoveBlobs:
    """Condemn, remove, bury (ports/blob_store.py). A crash between two of these is finished by `leftovers`."""

    blobs: BlobStore
    references: BlobReferences
    clock: Clock

    async def discard(self, tenant: str, blob_id: str, holder: str) -> None:
        """Give up an upload: remove its bytes unless something else counts on them."""
        asked = self.clock.monotonic()
        if await self.references.condemn(tenant, blob_id, holder):
            await self.bury(tenant, blob_id, asked)

    async def bury(self, tenant: str, blob_id: str, asked: float) -> None:
        """Remove bytes that were condemned after `asked` (monotonic seconds).

        Somebody who was asleep for too long leaves them alone: others may have removed them and stored them anew.
        """
        if self.clock.monotonic() - asked > BURIAL_S:
            return
        await self.blobs.delete(tenant, blob_id)
        await self.references.buried(tenant, blob_id)

    async def leftovers(self) -> int:
        """Remove what crashed uploads and removals left; return how many blobs. A chore."""
        removed = 0
        while True:
            asked = self.clock.monotonic()
            found = await self.references.left_behind()
            for tenant, blob_id in found:
                await self.bury(tenant, blob_id, asked)
            removed += len(found)
            if not found:
                if removed:
                    log.info("orphaned recordings removed", extra={"blobs": removed})
                return removed
