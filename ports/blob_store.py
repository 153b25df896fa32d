"""Bytes under the hash of their content."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
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
    async def finish(self) -> Blob:
        """Say what was written, before anybody can see it; no more can be written afterwards."""

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
    """Knows which stored bytes are still named by something, so that removing them never meets somebody who counts on them.

    Bytes are held before they become visible, and the hold is let go once a job names them. They get a tombstone before they
    are removed, and nobody can hold them until it is cleared. A holder or a remover that dies is found by `left_behind`.
    """

    @abstractmethod
    async def blob_in_use(self, tenant: str, blob_id: str) -> bool:
        """Say whether a job of this tenant names the blob."""

    @abstractmethod
    async def blob_of_conversation(self, tenant: str, conversation_id: str) -> str | None:
        """Return the blob that the conversation was made from, None when it names none (yet)."""

    @abstractmethod
    async def name_blob(self, tenant: str, conversation_id: str, blob: Blob) -> str:
        """Let the conversation name the blob, unless it names one already; return the id of the one it names.

        Raises Gone when the conversation was deleted meanwhile, QuotaExceeded when the tenant has no room for it.
        """

    @abstractmethod
    async def check_room(self, tenant: str, size: int) -> None:
        """Raise QuotaExceeded when `size` bytes more are beyond what the tenant may keep."""

    @abstractmethod
    async def hold(self, tenant: str, blob_id: str, holder: str) -> bool:
        """Keep the blob from getting a tombstone for `HOLD_S`; False while it is being removed."""

    @abstractmethod
    async def let_go(self, tenant: str, blob_id: str, holder: str) -> None:
        """End a hold: a job names the blob now."""

    @abstractmethod
    async def set_tombstone(self, tenant: str, blob_id: str, holder: str | None = None) -> bool:
        """End the hold and say whether the caller is to remove the bytes, within `BURIAL_S`: nothing else counts on them."""

    @abstractmethod
    async def clear_tombstone(self, tenant: str, blob_id: str) -> None:
        """Say that the bytes are gone: the same content may be stored again."""

    @abstractmethod
    async def left_behind(self, limit: int = 100) -> Sequence[tuple[str, str]]:
        """Set a tombstone on what a crash left and return it, (tenant, blob id): held for longer than `HOLD_S` without a job,
        or under a tombstone for longer than `TAKE_OVER_S`."""


HOLD_S = 900.0
"""Seconds from the hold to the job: making the bytes visible (a server-side copy of a gibibyte) and one transaction."""
COLLECT_S = 20.0
"""Seconds a remover has, on its own monotonic clock, from the tombstone to asking the store for the removal."""
TAKE_OVER_S = 300.0
"""Seconds after which another finishes a removal: `BURIAL_S` and the longest that a store's client tries one request (105 s)."""
