"""One bucket: its keys, and requests to it from threads of our own."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from adapters.s3_blobs.errors import s3_errors
from domain.errors import NotFound

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Bucket:
    """The bucket as this process uses it: blocking calls, and threads of our own that make them."""

    client: Any
    name: str
    prefix: str
    threads: ThreadPoolExecutor

    async def ask(self, work: Callable[[], Value]) -> Value:
        """Run `work` in a thread; what the store refuses is raised as an error a caller can act on."""

        def guarded() -> Value:
            with s3_errors(self.name):
                return work()

        return await asyncio.get_running_loop().run_in_executor(self.threads, guarded)

    def call(self, operation: str, **arguments: Any) -> Any:
        """Make one request."""
        return getattr(self.client, operation)(Bucket=self.name, **arguments)

    def key_of(self, tenant: str, blob_id: str) -> str:
        """Return the key of a blob; a hash stands for the tenant, so that no name a tenant chooses is part of a key."""
        folder = hashlib.sha256(tenant.encode()).hexdigest()[:32]
        return f"{self.prefix}blobs/{folder}/{blob_id[:2]}/{blob_id[2:]}"

    def new_incoming(self, now: float) -> str:
        """Return a key that nobody else uses and that tells when the upload began."""
        return f"{self.prefix}incoming/{int(now)}-{secrets.token_hex(16)}"

    def incoming(self) -> list[tuple[float, Callable[[], None]]]:
        """Return when each unfinished upload began (Unix seconds), and how to end it."""
        found: list[tuple[float, Callable[[], None]]] = []
        where = {"Bucket": self.name, "Prefix": f"{self.prefix}incoming/"}
        for page in self.client.get_paginator("list_multipart_uploads").paginate(**where):
            found += [
                (_began(each["Key"]), partial(self._abort, each["Key"], each["UploadId"])) for each in page.get("Uploads", [])
            ]
        for page in self.client.get_paginator("list_objects_v2").paginate(**where):
            found += [(_began(each["Key"]), partial(self._remove, each["Key"])) for each in page.get("Contents", [])]
        return found

    def _abort(self, key: str, upload: str) -> None:
        with suppress(NotFound), s3_errors(self.name):
            self.call("abort_multipart_upload", Key=key, UploadId=upload)

    def _remove(self, key: str) -> None:
        self.call("delete_object", Key=key)


def _began(key: str) -> float:
    began = key.rpartition("/")[2].partition("-")[0]
    return float(began) if began.isdigit() else 0.0
