"""Where recordings lie: the object store of the settings, else the data folder."""

import os
import shutil
from pathlib import Path
from typing import TypeAlias

import psutil

from adapters.local_blobs import LocalBlobStore
from adapters.s3_blobs import S3Access, S3BlobStore
from ports.clock import Clock
from serve_app.composition.database import named
from serve_app.errors import ConfigurationInvalid
from serve_app.settings.service import Settings

StoredBlobs: TypeAlias = LocalBlobStore | S3BlobStore


def build_blobs(settings: Settings, clock: Clock) -> StoredBlobs:
    """Return the store of recordings. Raises ConfigurationInvalid when a variable that should hold a key is not set."""
    s3 = settings.storage.s3
    if s3 is None:
        return LocalBlobStore(settings.data_folder / "blobs", settings.storage.keep_free_bytes)
    if (s3.access_key_env is None) != (s3.secret_key_env is None):
        raise ConfigurationInvalid("storage.s3: name both access_key_env and secret_key_env, or neither.")
    access = S3Access(
        bucket=s3.bucket,
        endpoint_url=s3.endpoint_url,
        region=s3.region,
        prefix=s3.prefix,
        access_key=named(s3.access_key_env, "storage.s3.access_key_env"),
        secret_key=named(s3.secret_key_env, "storage.s3.secret_key_env"),
    )
    return S3BlobStore(access, work_dir(settings.data_folder), settings.limits.max_upload_bytes, clock)


def work_dir(data_folder: Path) -> Path:
    """Return this process's own folder for decoded sound, and remove those of processes that have died."""
    root = data_folder / "work"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    for stale in root.iterdir():
        if stale.name.isdigit() and not _alive(int(stale.name), stale.stat().st_mtime):
            shutil.rmtree(stale, ignore_errors=True)
    own = root / str(os.getpid())
    own.mkdir(exist_ok=True, mode=0o700)
    return own


def _alive(process: int, used: float) -> bool:
    """Whether the process that made a folder still runs. One of its number that started later has only inherited the number."""
    try:
        return psutil.Process(process).create_time() <= used + 1.0
    except psutil.Error:
        return False
