"""Uploads without HTTP: a recording on its way in, and the use cases over the stores of one test."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from application.accept_upload import AcceptUpload
from application.delete_conversation import DeleteConversation
from application.payloads import AudioPayload
from application.remove_blobs import RemoveBlobs
from application.submit_job import SubmitJob
from application.wait_for_job import WaitForJob
from ports.blob_store import Blob, BlobStore


@dataclass
class Sound:
    """An upload that notes whether anybody read it."""

    content: bytes
    read: bool = False

    async def pieces(self) -> AsyncIterator[bytes]:
        self.read = True
        yield self.content

    def payload(self, blob: Blob) -> AudioPayload:
        return AudioPayload(blob.id, blob.size, "a.wav", "audio/wav")

    def stores(self) -> bool:
        return True

    def timeout_s(self) -> float | None:
        return None


@dataclass
class UploadPlace:
    """Stores of one test, and the use cases over them."""

    store: SqlStore
    blobs: BlobStore
    clock: MovableClock

    @property
    def removal(self) -> RemoveBlobs:
        return RemoveBlobs(self.blobs, self.store.results, self.clock)

    @property
    def accept(self) -> AcceptUpload:
        submit = SubmitJob(self.store.jobs, 100_000, 5.0)
        return AcceptUpload(self.blobs, self.store.results, submit, 2**30, self.clock)

    @property
    def delete(self) -> DeleteConversation:
        wait = WaitForJob(self.store.jobs, self.clock)
        return DeleteConversation(self.store.jobs, self.store.results, self.removal, self.store.calls, wait)
