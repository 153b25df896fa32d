"""Take a recording in, piece by piece, and queue the job that works on it."""

import logging
import secrets
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from application.payloads import AudioPayload
from application.remove_blobs import RemoveBlobs
from application.submit_job import JobOptions, SubmitJob
from domain.errors import InvalidAudio, StorageFailed, TooLarge, WordloopError
from domain.job import Job, JobKind
from ports.blob_store import HOLD_S, Blob, BlobReferences, BlobStore
from ports.clock import Clock

log = logging.getLogger("wordloop.uploads")


class Upload(Protocol):
    """A recording on its way in. All but its pieces is known once these have ended."""

    @abstractmethod
    def pieces(self) -> AsyncIterator[bytes]:
        """Yield the recording's bytes; ends when the whole body was read and is well-formed, raises otherwise."""

    @abstractmethod
    def payload(self, blob: Blob) -> AudioPayload:
        """Return what the job is to carry."""

    @abstractmethod
    def timeout_s(self) -> float | None:
        """Return in how many seconds from now the client has no use for the result any more, None when it did not say."""

    def stores(self) -> bool:
        """Return False when the body says that nothing is to be kept."""
        return True


@dataclass(frozen=True, slots=True)
class AcceptUpload:
    """Store the bytes under their hash, then write the job; whatever goes wrong before the job is written leaves nothing."""

    blobs: BlobStore
    references: BlobReferences
    submit: SubmitJob
    max_bytes: int
    clock: Clock

    async def __call__(self, kind: JobKind, upload: Upload, options: JobOptions) -> tuple[Job, bool]:
        """Return the job and whether it is new.

        Raises QueueFull, RateLimited or (when no byte more may be kept) QuotaExceeded before the first byte is read, TooLarge as
        soon as the count passes `max_bytes` or what the options allow, InvalidAudio for an empty recording, QuotaExceeded for one
        that does not fit, IdempotencyMismatch, and whatever the upload itself raises.
        """
        most = self.max_bytes if options.upload_bytes is None else min(self.max_bytes, options.upload_bytes)
        if not await self.submit.is_known(options):
            await self.submit.admit(options.tenant)
            await self.references.check_room(options.tenant, 1)
        async with self.blobs.writer(options.tenant) as writer:
            size = 0
            async for piece in upload.pieces():
                size += len(piece)
                if size > most:
                    raise TooLarge(f"The recording is larger than {most} bytes.")
                await writer.write(piece)
            if size == 0:
                raise InvalidAudio("The recording is empty.")
            blob = await writer.finish()
            holder, held_at = secrets.token_hex(16), self.clock.monotonic()
            await self._removal.hold(options.tenant, blob.id, holder)
            try:
                await writer.commit()
                if self.clock.monotonic() - held_at > HOLD_S / 2:
                    raise StorageFailed("Storing the recording took too long; send it again.")
                job, new = await self.submit(kind, upload.payload(blob).plain(), self._within(upload, options))
            except WordloopError:
                # A refusal, so no job names the bytes. Any other end (a crash, a cancelled request) leaves open whether the job
                # was written: then the hold runs out, and house-keeping removes the bytes if they are orphans.
                with suppress(StorageFailed):
                    await self._removal.discard(options.tenant, blob.id, holder)
                raise
        await self._settle(options.tenant, blob, holder, new)
        return job, new

    def _within(self, upload: Upload, options: JobOptions) -> JobOptions:
        timeout_s = upload.timeout_s()
        if not upload.stores():
            options = replace(options, store=False)
        if timeout_s is None:
            return options
        deadline = self.clock.now() + timeout_s
        return replace(options, deadline=deadline if options.deadline is None else min(deadline, options.deadline))

    @property
    def _removal(self) -> RemoveBlobs:
        return RemoveBlobs(self.blobs, self.references, self.clock)

    async def _settle(self, tenant: str, blob: Blob, holder: str, new: bool) -> None:
        """End the hold. The job is written, so nothing that fails here is the client's: the hold runs out by itself."""
        try:
            if new:
                await self.references.let_go(tenant, blob.id, holder)
            else:  # an older job answered, and may have lost its recording to a deletion
                await self._removal.discard(tenant, blob.id, holder)
        except StorageFailed:
            log.warning("hold not ended", extra={"blob": blob.id})
