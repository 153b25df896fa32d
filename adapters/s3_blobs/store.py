"""Audio and artifacts as objects, named by the hash of their content."""

import asyncio
import errno
import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from adapters.s3_blobs.bucket import Bucket
from adapters.s3_blobs.errors import s3_errors
from adapters.s3_blobs.writer import S3BlobWriter
from domain.errors import NotFound, StorageFailed, StorageFull
from ports.blob_store import BlobStore, BlobWriter
from ports.clock import Clock

PIECE_BYTES = 1024**2
THREADS = 16
"""Requests at once per process; an upload has one at a time."""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S, TRIES = 5, 30, 3
"""One request gives up after TRIES * (CONNECT_TIMEOUT_S + READ_TIMEOUT_S) = 105 s (ports/blob_store.py counts on that)."""
ABANDONED_S = 86_400.0
"""Seconds after which an unfinished upload belongs to nobody: a stalled client is cut off after a minute."""
_BLOB_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class S3Access:
    """Where the objects are and how to get at them. Keys None: what the environment offers (role, profile, variables).

    `prefix` stands before every key, without a slash at its ends. `endpoint_url` None means Amazon's own.
    """

    bucket: str
    endpoint_url: str | None = None
    region: str | None = None
    prefix: str = ""
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    read_timeout_s: float = READ_TIMEOUT_S


class S3BlobStore(BlobStore):
    """Objects `PREFIX/blobs/<hash of the tenant>/<2 digits>/<62 digits>`; what is being written lies in `PREFIX/incoming/`.

    A recording goes up in parts while it comes in, and is copied under its hash by the server when it is committed. A local copy
    for reading goes to `temporary`, a folder of this process alone, at most `max_bytes` long. Raises StorageFailed when the
    store does not answer or refuses, StorageFull when it has no room.
    """

    def __init__(self, access: S3Access, temporary: Path, max_bytes: int, clock: Clock) -> None:
        import boto3
        from botocore.config import Config

        style = {"addressing_style": "path"} if access.endpoint_url else {}
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=access.read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": TRIES},
            max_pool_connections=THREADS,
            s3=style,
            request_checksum_calculation="when_required",  # other makers' stores do not know the newer kinds
            response_checksum_validation="when_required",
        )
        # A session of our own: the shared default one is not safe to use from several threads at once.
        session = boto3.session.Session(access.access_key, access.secret_key, region_name=access.region or "us-east-1")
        self._bucket = Bucket(
            session.client("s3", endpoint_url=access.endpoint_url, config=config),
            access.bucket,
            f"{access.prefix.strip('/')}/".lstrip("/"),
            ThreadPoolExecutor(THREADS, thread_name_prefix="s3"),
        )
        self._temporary = temporary
        self._max_bytes = max_bytes
        self._clock = clock

    @asynccontextmanager
    async def writer(self, tenant: str) -> AsyncIterator[BlobWriter]:
        writer = S3BlobWriter(self._bucket, tenant, self._clock.now())
        try:
            yield writer
        finally:
            # A cancelled upload has to leave nothing behind either: the thread goes on though nobody waits.
            await asyncio.shield(self._bucket.ask(writer.discard))

    @asynccontextmanager
    async def local_path(self, tenant: str, blob_id: str) -> AsyncIterator[Path]:
        path = self._temporary / f"{secrets.token_hex(16)}.blob"
        try:
            await self._download(tenant, blob_id, path)
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def read(self, tenant: str, blob_id: str) -> AsyncIterator[bytes]:
        found = await self._bucket.ask(lambda: self._bucket.call("get_object", Key=self._key(tenant, blob_id)))
        body, digest = found["Body"], hashlib.sha256()
        try:
            while piece := await self._bucket.ask(partial(body.read, PIECE_BYTES)):
                digest.update(piece)
                yield piece
        finally:
            body.close()
        if digest.hexdigest() != blob_id:
            raise StorageFailed("The object store gave other bytes than were stored.")

    async def delete(self, tenant: str, blob_id: str) -> None:
        with suppress(NotFound):
            key = self._key(tenant, blob_id)
            await self._bucket.ask(lambda: self._bucket.call("delete_object", Key=key))

    def sweep(self) -> int:
        """End uploads that dead processes left for longer than `ABANDONED_S`, return how many."""
        oldest = self._clock.now() - ABANDONED_S
        with s3_errors(self._bucket.name):
            abandoned = [end for began, end in self._bucket.incoming() if began < oldest]
            for end in abandoned:
                end()
        return len(abandoned)

    def check(self) -> None:
        """Raises StorageFailed when the bucket is not there or not ours, in words."""
        with s3_errors(self._bucket.name):
            self._bucket.call("list_objects_v2", MaxKeys=1)

    async def _download(self, tenant: str, blob_id: str, path: Path) -> None:
        size = 0
        try:
            with path.open("xb") as file:
                async for piece in self.read(tenant, blob_id):
                    size += len(piece)
                    if size > self._max_bytes:
                        raise StorageFailed(f"The stored recording is longer than {self._max_bytes} bytes.")
                    await asyncio.to_thread(file.write, piece)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("There is no room left on the disk for a copy of the recording.") from error
            raise StorageFailed(f"The disk refused with {type(error).__name__}.") from error

    def _key(self, tenant: str, blob_id: str) -> str:
        if not _BLOB_ID.fullmatch(blob_id):
            raise NotFound("No such blob.")
        return self._bucket.key_of(tenant, blob_id)
