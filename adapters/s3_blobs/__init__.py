"""An S3-compatible object store for audio and artifacts (ADR 0014)."""

from adapters.s3_blobs.store import S3Access, S3BlobStore

__all__ = ["S3Access", "S3BlobStore"]
