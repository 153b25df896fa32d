"""An upload on its way into the bucket."""

import hashlib
import threading
from contextlib import suppress
from functools import partial
from typing import Any

from adapters.s3_blobs.bucket import Bucket
from adapters.s3_blobs.errors import s3_errors
from domain.errors import NotFound
from ports.blob_store import Blob, BlobWriter

PART_BYTES = 8 * 1024**2
"""Bytes of one part, held in memory per upload. S3 takes 5 MiB to 5 GiB a part and 10,000 parts: 78 GiB a recording."""


class S3BlobWriter(BlobWriter):
    """A short recording in memory, a longer one as a multipart upload under a key of its own."""

    def __init__(self, bucket: Bucket, tenant: str, now: float) -> None:
        self._bucket = bucket
        self._tenant = tenant
        self._hash = hashlib.sha256()
        self._size = 0
        self._pending = bytearray()
        self._incoming = bucket.new_incoming(now)
        self._upload: str | None = None
        self._whole = False
        """Whether the upload has become an object."""
        self._parts: list[dict[str, Any]] = []
        self._finished: Blob | None = None
        self._committed = self._discarded = False
        self._one_at_a_time = threading.Lock()
        """A cancelled upload is discarded only when its last request has ended: an abort beside a part would miss that."""

    async def write(self, chunk: bytes) -> None:
        self._hash.update(chunk)
        self._size += len(chunk)
        self._pending += chunk
        while len(self._pending) >= PART_BYTES:
            part = bytes(self._pending[:PART_BYTES])
            del self._pending[:PART_BYTES]
            await self._bucket.ask(partial(self._send, part))

    async def finish(self) -> Blob:
        if self._finished is None:
            if self._upload is not None and self._pending:
                await self._bucket.ask(partial(self._send, bytes(self._pending)))
            self._finished = Blob(self._hash.hexdigest(), self._size)
        return self._finished

    async def commit(self) -> Blob:
        blob = await self.finish()
        if not self._committed:
            await self._bucket.ask(partial(self._commit, self._bucket.key_of(self._tenant, blob.id)))
        return blob

    def discard(self) -> None:
        """Remove what lies under the key of the upload, and let nothing more be sent."""
        with self._one_at_a_time:
            self._discarded = True
            if self._whole:
                self._bucket.call("delete_object", Key=self._incoming)
            elif self._upload is not None:
                with suppress(NotFound), s3_errors(self._bucket.name):
                    self._bucket.call("abort_multipart_upload", Key=self._incoming, UploadId=self._upload)

    def _send(self, part: bytes) -> None:
        with self._one_at_a_time:
            if self._discarded:
                return
            if self._upload is None:
                self._upload = self._bucket.call("create_multipart_upload", Key=self._incoming)["UploadId"]
            number = len(self._parts) + 1
            numbered = {"Key": self._incoming, "UploadId": self._upload, "PartNumber": number}
            sent = self._bucket.call("upload_part", Body=part, **numbered)
            self._parts.append({"ETag": sent["ETag"], "PartNumber": number})

    def _commit(self, key: str) -> None:
        with self._one_at_a_time:
            if self._discarded:
                return
            if self._upload is None:
                self._bucket.call("put_object", Key=key, Body=bytes(self._pending))
            else:
                ended = {"Key": self._incoming, "UploadId": self._upload, "MultipartUpload": {"Parts": self._parts}}
                self._bucket.call("complete_multipart_upload", **ended)
                self._whole = True
                # In parts where the object is too long for one request. The same content may be there: the same bytes replace it.
                self._bucket.client.copy({"Bucket": self._bucket.name, "Key": self._incoming}, self._bucket.name, key)
            self._committed = True
