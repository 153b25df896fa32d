"""Bytes under the hash of their content."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes. `id` is the hex SHA-256 of the content."""

    id: str
    size: int


class BlobWriter(Protocol):
    """Takes bytes piece by piece; nothing is visible before `commit`."""

    @abstractmethod
    async def write(self, chunk: bytes) -> None: ...

    @abstractmethod
    async def commit(self) -> Blob:
        """Make the bytes durable and visible. The same content twice is stored once."""


class BlobStore(Protocol):
    """Keeps audio and artifacts by content hash, apart per tenant."""

    @abstractmethod
    def writer(self, tenant: str) -> AbstractAsyncContextManager[BlobWriter]:
        """Open a writer. Leaving the context without a commit removes every byte written."""

    @abstractmethod
    def local_path(self, tenant: str, blob_id: str) -> AbstractAsyncContextManager[Path]:
        """Give a readable local file with the content for the time of the context. Raises NotFound."""

    @abstractmethod
    def read(self, tenant: str, blob_id: str) -> AsyncIterator[bytes]:
        """Yield the content in pieces. Raises NotFound."""

    @abstractmethod
    async def delete(self, tenant: str, blob_id: str) -> None:
        """Remove the content; removing what is not there is no error."""


class BlobReferences(Protocol):
    """Knows which stored bytes are still named by something."""

    @abstractmethod
    async def blob_in_use(self, tenant: str, blob_id: str) -> bool:
        """Say whether a job of this tenant names the blob."""

    @abstractmethod
    async def blob_of_conversation(self, tenant: str, conversation_id: str) -> str | None:
        """Return the blob that the conversation was made from, None when it names none (yet)."""

    @abstractmethod
    async def name_blob(self, tenant: str, conversation_id: str, blob_id: str) -> str:
        """Let the conversation name the blob, unless it names one already; return the one it names.

        Raises Gone when the conversation was deleted meanwhile.
        """
