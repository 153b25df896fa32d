"""Uploads that can be interrupted and taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartialUpload:
    """An upload of `length` bytes of which the first `offset` are kept. Times are Unix seconds.

    `metadata` is what the client said of it. `blob_id` is set once a job was made from it: then the bytes live in the blob store.
    """

    id: str
    length: int
    offset: int
    expires_at: float
    metadata: Mapping[str, str]
    blob_id: str | None = None

    @property
    def complete(self) -> bool:
        return self.offset == self.length


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a piece must hash to. `algorithm` as hashlib names it."""

    algorithm: str
    digest: bytes
