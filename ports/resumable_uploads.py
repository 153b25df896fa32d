"""Bytes that arrive in pieces, over days and broken connections."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from domain.upload import Checksum, PartialUpload


class ResumableUploads(Protocol):
    """Keeps what has arrived of an upload until it expires. Every method sees one tenant's uploads only.

    Each raises NotFound for an upload that is not this tenant's, Gone for one that has expired.
    """

    @abstractmethod
    async def create(self, tenant: str, length: int, metadata: Mapping[str, str]) -> PartialUpload:
        """Begin an upload. Raises RateLimited when the tenant keeps too many or too much of them already."""

    @abstractmethod
    async def get(self, tenant: str, upload_id: str) -> PartialUpload:
        """Return the upload; its offset counts bytes that are kept."""

    @abstractmethod
    async def append(
        self, tenant: str, upload_id: str, offset: int, pieces: AsyncIterator[bytes], checksum: Checksum | None
    ) -> PartialUpload:
        """Add pieces at `offset`; they are durable when this returns.

        When the pieces break off, those that came are kept, unless a checksum was to cover them. Raises OffsetConflict,
        UploadBusy, TooLarge (more than the upload's length) and ChecksumMismatch, having kept nothing of these pieces.
        """

    @abstractmethod
    def read(self, tenant: str, upload_id: str) -> AsyncIterator[bytes]:
        """Yield the bytes. Raises UploadIncomplete."""

    @abstractmethod
    async def moved(self, tenant: str, upload_id: str, blob_id: str) -> None:
        """Note that the bytes live under this hash now, and drop our own."""

    @abstractmethod
    async def delete(self, tenant: str, upload_id: str) -> None:
        """Forget the upload."""
