"""Audio and artifacts as files named by the hash of their content."""

import asyncio
import errno
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from domain.errors import NotFound, StorageFailed, StorageFull
from ports.blob_store import Blob, BlobStore, BlobWriter

PIECE_BYTES = 1024**2
"""Bytes handed over at once: one hop to a thread per MiB."""
FOLDER_MODE = 0o700
FILE_MODE = 0o400
"""Content under its hash never changes, so nobody may write it."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_BLOB_ID = re.compile(r"[0-9a-f]{64}")


class LocalBlobStore(BlobStore):
    """Files `root/<hash of the tenant>/<2 digits>/<62 digits>`; what is being written or read lies in `root/tmp`.

    A blob appears whole and durable (fsync, rename, fsync of the folder) or not at all. Everything in `tmp` is locked by the
    process that uses it, and a lock dies with its process: `sweep` removes what nobody holds. Raises StorageFailed when the disk
    refuses, StorageFull when a write would leave less than `keep_free_bytes` on it.
    """

    def __init__(self, root: Path, keep_free_bytes: int = 0) -> None:
        self._root = root
        self._keep_free = keep_free_bytes
        self._temporary = root / "tmp"
        with disk_errors():
            self._temporary.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for folder in (root, self._temporary):
                folder.chmod(FOLDER_MODE)

    @asynccontextmanager
    async def writer(self, tenant: str) -> AsyncIterator[BlobWriter]:
        writer = await asyncio.to_thread(LocalBlobWriter, self._temporary, self._root / tenant_folder(tenant), self._keep_free)
        try:
            yield writer
        finally:
            # Not awaited in a thread: a cancelled upload has to leave nothing behind either.
            writer.discard()

    @asynccontextmanager
    async def local_path(self, tenant: str, blob_id: str) -> AsyncIterator[Path]:
        # A second name of the same file: it stays readable to the end of the context though the blob be deleted.
        name, lock = await asyncio.to_thread(self._second_name, self._path(tenant, blob_id))
        try:
            yield name
        finally:
            name.unlink(missing_ok=True)
            os.close(lock)

    async def read(self, tenant: str, blob_id: str) -> AsyncIterator[bytes]:
        path = self._path(tenant, blob_id)
        with disk_errors():
            file = await asyncio.to_thread(path.open, "rb")
        with file, disk_errors():
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece

    async def delete(self, tenant: str, blob_id: str) -> None:
        try:
            path = self._path(tenant, blob_id)
        except NotFound:
            return
        await asyncio.to_thread(_remove, path)

    def sweep(self) -> int:
        """Remove what dead processes left in `tmp`; return how many files. Safe beside processes that are at work."""
        removed = 0
        with disk_errors():
            for path in self._temporary.iterdir():
                removed += _remove_if_orphan(path)
        return removed

    def _path(self, tenant: str, blob_id: str) -> Path:
        if not _BLOB_ID.fullmatch(blob_id):
            raise NotFound("No such blob.")
        return self._root / tenant_folder(tenant) / blob_id[:2] / blob_id[2:]

    def _second_name(self, path: Path) -> tuple[Path, int]:
        name = self._temporary / f"{secrets.token_hex(16)}.read"
        with disk_errors():
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH)
                os.link(path, name)
            except BaseException:
                os.close(lock)
                raise
        return name, lock


class LocalBlobWriter(BlobWriter):
    """One file in `temporary`, moved into `folder` under its hash by `commit`."""

    def __init__(self, temporary: Path, folder: Path, keep_free_bytes: int) -> None:
        self._folder = folder
        self._keep_free = keep_free_bytes
        self._path = temporary / f"{secrets.token_hex(16)}.part"
        self._hash = hashlib.sha256()
        self._size = 0
        self._pending = bytearray()
        self._finished: Blob | None = None
        self._committed = False
        with disk_errors():
            self._leave_room(temporary)
            self._file = _create_locked(self._path)

    async def write(self, chunk: bytes) -> None:
        self._pending += chunk
        if len(self._pending) >= PIECE_BYTES:
            await asyncio.to_thread(self._flush)

    async def finish(self) -> Blob:
        if self._finished is None:
            await asyncio.to_thread(self._flush)
            self._finished = Blob(self._hash.hexdigest(), self._size)
        return self._finished

    async def commit(self) -> Blob:
        blob = await self.finish()
        if not self._committed:
            await asyncio.to_thread(self._commit, blob)
            self._committed = True
        return blob

    def discard(self) -> None:
        """Remove the bytes unless they were committed, and let go of the file."""
        if self._file >= 0:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = -1

    def _flush(self) -> None:
        data = memoryview(bytes(self._pending))
        self._pending.clear()
        self._hash.update(data)
        self._size += len(data)
        with disk_errors():
            self._leave_room(self._path)
            while data:
                data = data[os.write(self._file, data) :]

    def _leave_room(self, folder: Path) -> None:
        """Refuse before the disk is full: the database, on the same disk, has to go on writing."""
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < self._keep_free:
            raise StorageFull("There is no room left on the disk; nothing was stored.")

    def _commit(self, blob: Blob) -> None:
        target = self._folder / blob.id[:2] / blob.id[2:]
        with disk_errors():
            os.fchmod(self._file, FILE_MODE)
            os.fsync(self._file)
            _make_durable_folder(target.parent)
            # The same content may be there already: the same bytes take its place, so nobody sees a gap.
            os.replace(self._path, target)
            _sync_folder(target.parent)


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the disk refuses into errors a caller can act on: NotFound, StorageFailed."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotFound("No such blob.") from error
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StorageFull("There is no room left on the disk; nothing was stored.") from error
        raise StorageFailed(f"The disk refused: {os.strerror(error.errno or 0)}.") from error


def tenant_folder(tenant: str) -> str:
    """Return the folder of a tenant: a hash, so that no name a tenant chooses is ever part of a path."""
    return hashlib.sha256(tenant.encode()).hexdigest()[:32]


def _create_locked(path: Path) -> int:
    while True:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink > 0:
            return file
        os.close(file)  # a sweep saw the file before it was locked, and removed it


def _make_durable_folder(folder: Path) -> None:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _sync_folder(parent.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    with disk_errors():
        path.unlink(missing_ok=True)
        if path.parent.exists():
            _sync_folder(path.parent)


def _remove_if_orphan(path: Path) -> bool:
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False  # somebody writes or reads it just now
        raise
    finally:
        os.close(file)
    return True
