"""Bring the recording behind an address into the blob store, once per job."""

import secrets
from dataclasses import dataclass

from application.remove_blobs import RemoveBlobs
from domain.errors import Gone, InvalidAudio, QuotaExceeded
from ports.blob_store import BlobReferences, BlobStore
from ports.outbound import RemoteAudio


@dataclass(frozen=True, slots=True)
class FetchRecording:
    """Address -> stored bytes under their hash, named by the conversation from then on; at most `max_bytes`."""

    remote: RemoteAudio
    blobs: BlobStore
    references: BlobReferences
    max_bytes: int
    removal: RemoveBlobs

    async def __call__(self, tenant: str, conversation_id: str, url: str, allowed: int | None = None) -> str:
        """Return the blob's id. What an earlier attempt of the job has stored is not fetched again: the bytes behind an address
        may change, those of a job do not. `allowed`: what the caller may bring, where that is less than `max_bytes`.

        Raises what `RemoteAudio.fetch` raises, InvalidAudio for no bytes at all, Gone when the conversation was deleted since,
        QuotaExceeded when the tenant has no room for it.
        """
        known = await self.references.blob_of_conversation(tenant, conversation_id)
        if known is not None:
            return known
        most = self.max_bytes if allowed is None else min(self.max_bytes, allowed)
        async with self.blobs.writer(tenant) as writer:
            size = 0
            async for piece in self.remote.fetch(url, most):
                size += len(piece)
                await writer.write(piece)
            if size == 0:
                raise InvalidAudio("The address leads to no bytes at all.")
            blob = await writer.finish()
            holder = secrets.token_hex(16)
            await self.removal.hold(tenant, blob.id, holder)
            # A crash from here on leaves bytes that nothing names: the hold runs out, and house-keeping removes them.
            await writer.commit()
            try:
                named = await self.references.name_blob(tenant, conversation_id, blob)
            except (Gone, QuotaExceeded):
                await self.removal.discard(tenant, blob.id, holder)
                raise
        await self.removal.discard(tenant, blob.id, holder)
        return named
