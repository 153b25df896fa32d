"""Uploads in pieces, as files that grow: the size of the file is the offset, so a crash loses no count."""

import asyncio
import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from domain.errors import (
    ChecksumMismatch,
    Gone,
    NotFound,
    OffsetConflict,
    RateLimited,
    StorageFailed,
    TooLarge,
    UploadBusy,
    UploadIncomplete,
)
from domain.upload import Checksum, PartialUpload
from ports.clock import Clock
from ports.resumable_uploads import ResumableUploads

PIECE_BYTES = 1024**2
EXPIRES_S = 86_400.0
"""Seconds from the beginning of an upload until it is removed."""
MOST_UPLOADS = 64
"""Uploads of one tenant at a time, complete ones that were not used yet among them."""
BUSY_RETRY_S = 2.0
FREE_BYTES = 256 * 1024**2
"""Bytes of the disk that uploads leave to everything else."""
_ID = re.compile(r"upload_[0-9a-f]{32}")


class LocalUploads(ResumableUploads):
    """Files `root/<hash of the tenant>/<id>.part` with the facts in `<id>.json` beside them.

    `max_bytes` bounds what one tenant's uploads may come to, counted by their announced lengths. Whoever adds to a file holds its
    lock, which dies with its process. Raises StorageFailed when the disk refuses.
    """

    def __init__(self, root: Path, clock: Clock, max_bytes: int, expires_s: float = EXPIRES_S) -> None:
        self._root = root
        self._clock = clock
        self._max_bytes = max_bytes
        self._expires_s = expires_s
        with _disk_errors():
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            root.chmod(0o700)

    async def create(self, tenant: str, length: int, metadata: Mapping[str, str]) -> PartialUpload:
        return await asyncio.to_thread(self._create, tenant, length, metadata)

    async def get(self, tenant: str, upload_id: str) -> PartialUpload:
        return await asyncio.to_thread(self._get, tenant, upload_id)

    async def append(
        self, tenant: str, upload_id: str, offset: int, pieces: AsyncIterator[bytes], checksum: Checksum | None
    ) -> PartialUpload:
        upload = await self.get(tenant, upload_id)
        if upload.blob_id is not None:
            raise OffsetConflict("The upload is complete and was used.")
        file = await asyncio.to_thread(self._open_locked, tenant, upload_id)
        try:
            await self._grow(file, upload.length, offset, pieces, checksum)
        finally:
            os.close(file)
        return await self.get(tenant, upload_id)

    async def read(self, tenant: str, upload_id: str) -> AsyncIterator[bytes]:
        upload = await self.get(tenant, upload_id)
        if not upload.complete:
            raise UploadIncomplete(f"{upload.offset} of {upload.length} bytes have come.")
        with _disk_errors():
            file = await asyncio.to_thread(self._part(tenant, upload_id).open, "rb")
        with file, _disk_errors():
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece

    async def moved(self, tenant: str, upload_id: str, blob_id: str) -> None:
        await asyncio.to_thread(self._moved, tenant, upload_id, blob_id)

    async def delete(self, tenant: str, upload_id: str) -> None:
        await self.get(tenant, upload_id)
        await asyncio.to_thread(self._remove, self._part(tenant, upload_id))

    def sweep(self) -> int:
        """Remove the uploads that have expired; return how many. Safe beside processes that are at work."""
        removed = 0
        with _disk_errors():
            for facts in self._root.glob("*/upload_*.json"):
                if self._expired(_facts_of(facts)):
                    self._remove(facts.with_suffix(".part"))
                    removed += 1
            for part in self._root.glob("*/upload_*.part"):
                # Its facts come right after it, so without them for a day it is what a crash has left.
                if not part.with_suffix(".json").exists() and part.stat().st_mtime < self._clock.now() - self._expires_s:
                    part.unlink(missing_ok=True)
        return removed

    def _create(self, tenant: str, length: int, metadata: Mapping[str, str]) -> PartialUpload:
        folder = self._root / _tenant_folder(tenant)
        upload_id = f"upload_{secrets.token_hex(16)}"
        facts = {"length": length, "metadata": dict(metadata), "expires_at": self._clock.now() + self._expires_s, "blob_id": None}
        with _disk_errors():
            folder.mkdir(mode=0o700, exist_ok=True)
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)  # two that begin at once are counted one after the other
                self._admit(folder, length)
                os.close(os.open(folder / f"{upload_id}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                _write(folder / f"{upload_id}.json", facts)
            finally:
                os.close(lock)
        return self._get(tenant, upload_id)

    def _admit(self, folder: Path, length: int) -> None:
        known = [facts for path in folder.glob("upload_*.json") if not self._expired(facts := _facts_of(path))]
        if len(known) >= MOST_UPLOADS:
            raise RateLimited(f"There are {len(known)} uploads already; use or delete some first.", 60.0)
        if length + sum(facts["length"] for facts in known if facts["blob_id"] is None) > self._max_bytes:
            raise RateLimited(f"Unused uploads may come to {self._max_bytes} bytes; use or delete some first.", 60.0)
        if length + FREE_BYTES > shutil.disk_usage(folder).free:
            raise StorageFailed("The disk has no room for this upload.")

    def _get(self, tenant: str, upload_id: str) -> PartialUpload:
        part = self._part(tenant, upload_id)
        with _disk_errors():
            facts = _facts_of(part.with_suffix(".json"))
            if self._expired(facts):
                raise Gone("The upload has expired.")
            offset = facts["length"] if facts["blob_id"] is not None else part.stat().st_size
        return PartialUpload(upload_id, facts["length"], offset, facts["expires_at"], facts["metadata"], facts["blob_id"])

    def _open_locked(self, tenant: str, upload_id: str) -> int:
        with _disk_errors():
            file = os.open(self._part(tenant, upload_id), os.O_RDWR)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(file)
                raise UploadBusy("Another request adds to this upload.", BUSY_RETRY_S) from error
            return file

    async def _grow(self, file: int, length: int, offset: int, pieces: AsyncIterator[bytes], checksum: Checksum | None) -> None:
        size = os.fstat(file).st_size
        if size != offset:
            raise OffsetConflict(f"The upload ends at {size}, not at {offset}.")
        # A hash of the client's choice guards against line noise; nothing is trusted for it.
        found = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        kept = offset if checksum else None
        try:
            async for piece in pieces:
                if size + len(piece) > length:
                    kept = offset
                    raise TooLarge(f"The upload has {length} bytes; more came.")
                await _to_its_end(_write_all, file, size, piece)
                size += len(piece)
                if found is not None:
                    found.update(piece)
            if found is not None and checksum is not None and found.digest() != checksum.digest:
                raise ChecksumMismatch("The piece is not what its checksum says; nothing of it was kept.")
            await _to_its_end(os.fsync, file)
            kept = size
        finally:
            # Not awaited in a thread: a cancelled request has to leave no more than it may either.
            if kept is not None:
                with _disk_errors():
                    os.ftruncate(file, kept)

    def _moved(self, tenant: str, upload_id: str, blob_id: str) -> None:
        part = self._part(tenant, upload_id)
        with _disk_errors():
            facts = _facts_of(part.with_suffix(".json"))
            _write(part.with_suffix(".json"), facts | {"blob_id": blob_id})
            part.unlink(missing_ok=True)

    def _remove(self, part: Path) -> None:
        with _disk_errors():
            part.unlink(missing_ok=True)
            part.with_suffix(".json").unlink(missing_ok=True)

    def _expired(self, facts: Mapping[str, Any]) -> bool:
        return bool(facts["expires_at"] <= self._clock.now())

    def _part(self, tenant: str, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise NotFound("No such upload.")
        return self._root / _tenant_folder(tenant) / f"{upload_id}.part"


async def _to_its_end(work: Callable[..., None], *arguments: Any) -> None:
    """Run `work` in a thread and wait for its end even when cancelled: what it writes to is closed right after."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
    try:
        with _disk_errors():
            await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        raise


def _tenant_folder(tenant: str) -> str:
    """A hash, so that no name a tenant chooses is ever part of a path."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def _facts_of(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(path.read_bytes())
    return facts


def _write(path: Path, facts: Mapping[str, Any]) -> None:
    temporary = path.with_suffix(f".{secrets.token_hex(8)}")
    with temporary.open("x") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _write_all(file: int, at: int, piece: bytes) -> None:
    data = memoryview(piece)
    with _disk_errors():
        while data:
            written = os.pwrite(file, data, at)
            data, at = data[written:], at + written


@contextmanager
def _disk_errors() -> Iterator[None]:
    """Turn what the disk refuses into errors a caller can act on."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("No such upload.") from error
    except OSError as error:
        raise StorageFailed(f"The disk refused: {errno.errorcode.get(error.errno or 0, 'unknown')}.") from error
