"""Take a recording in, piece by piece, and queue the job that works on it."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Protocol

from application.payloads import AudioPayload
from application.submit_job import JobTerms, SubmitJob
from domain.errors import InvalidRequest, TooLarge, WordloopError
from domain.job import Job, JobKind
from ports.blob_store import Blob, BlobReferences, BlobStore
from ports.clock import Clock


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


@dataclass(frozen=True, slots=True)
class AcceptUpload:
    """Store the bytes under their hash, then write the job; whatever goes wrong before the job is written leaves nothing."""

    blobs: BlobStore
    references: BlobReferences
    submit: SubmitJob
    max_bytes: int
    clock: Clock

    async def __call__(self, kind: JobKind, upload: Upload, terms: JobTerms) -> tuple[Job, bool]:
        """Return the job and whether it is new.

        Raises QueueFull before the first byte is read, TooLarge as soon as the count passes `max_bytes`, InvalidRequest for an
        empty recording, IdempotencyMismatch, and whatever the upload itself raises.
        """
        await self.submit.admit()
        async with self.blobs.writer(terms.tenant) as writer:
            size = 0
            async for piece in upload.pieces():
                size += len(piece)
                if size > self.max_bytes:
                    raise TooLarge(f"The recording is larger than {self.max_bytes} bytes.")
                await writer.write(piece)
            if size == 0:
                raise InvalidRequest("The recording is empty.")
            blob = await writer.commit()
        try:
            return await self.submit(kind, upload.payload(blob).plain(), self._within(upload.timeout_s(), terms))
        except WordloopError:
            # A refusal, so no job names the bytes. Any other end (a crash, a cancelled request) leaves open whether the job
            # was written: then the bytes stay, and retention removes them if they are orphans.
            await self._discard(terms.tenant, blob)
            raise

    def _within(self, timeout_s: float | None, terms: JobTerms) -> JobTerms:
        if timeout_s is None:
            return terms
        deadline = self.clock.now() + timeout_s
        return replace(terms, deadline=deadline if terms.deadline is None else min(deadline, terms.deadline))

    async def _discard(self, tenant: str, blob: Blob) -> None:
        if not await self.references.blob_in_use(tenant, blob.id):
            await self.blobs.delete(tenant, blob.id)
