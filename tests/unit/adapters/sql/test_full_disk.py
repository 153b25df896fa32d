"""A disk or database without room: a clear answer, nothing half-written, and work goes on once there is room again."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.local_blobs import LocalBlobStore
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from application.spool import Spool
from domain.errors import StorageFull
from domain.job import JobKind, JobRequest
from tests.contracts.test_blob_store_contract import CONTENT, content_of, files_in, stored

ROOM = 8 * 1024**2


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of eight megabytes."""
    folder = tempfile.mkdtemp()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder], check=False, capture_output=True)
    if mounted.returncode != 0:
        os.rmdir(folder)
        pytest.skip("no right to mount a file system here")
    yield Path(folder)
    subprocess.run(["umount", folder], check=True)
    os.rmdir(folder)


async def test_an_upload_that_does_not_fit_leaves_nothing_and_the_next_one_fits(small_disk: Path) -> None:
    blobs = LocalBlobStore(small_disk / "blobs")
    kept = await stored(blobs)
    with pytest.raises(StorageFull, match="no room"):
        await stored(blobs, os.urandom(2 * ROOM))
    assert len(files_in(small_disk)) == 1
    assert await content_of(blobs, kept.id) == CONTENT
    again = await stored(blobs, CONTENT[1:])
    assert await content_of(blobs, again.id) == CONTENT[1:]


async def test_an_upload_stops_before_it_takes_the_room_of_the_database(small_disk: Path) -> None:
    blobs = LocalBlobStore(small_disk / "blobs", keep_free_bytes=ROOM // 2)
    with pytest.raises(StorageFull):
        await stored(blobs, os.urandom(2 * ROOM))
    (small_disk / "filler").write_bytes(bytes(ROOM * 5 // 8))
    with pytest.raises(StorageFull):
        await stored(blobs, b"one byte is too much")
    disk = os.statvfs(small_disk)
    assert disk.f_bavail * disk.f_frsize > ROOM // 4
    (small_disk / "filler").unlink()
    assert (await stored(blobs)).size == len(CONTENT)


async def test_a_database_without_room_refuses_keeps_what_it_has_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(bytes(ROOM // 4))
    url = f"sqlite:///{small_disk}/store.db"
    SqlStore.migrate(url)
    store = SqlStore.open(url, MovableClock())
    kept = []

    async def fill() -> None:
        while True:
            kept.append((await store.jobs.submit(JobRequest(JobKind.RECAP, {"text": "x" * 100_000})))[0])

    with pytest.raises(StorageFull, match="no room"):
        await fill()
    assert len(kept) > 5
    assert [job.id for job in reversed(kept)] == [job.id for job in await store.jobs.list("default", 10_000)]
    filler.unlink()
    lease = await store.jobs.claim("w", 30.0)
    assert lease is not None
    await store.jobs.complete(lease, {})
    assert (await store.jobs.submit(JobRequest(JobKind.RECAP, {"text": "room again"})))[1]
    store.close()


async def test_a_spooled_upload_that_does_not_fit_leaves_nothing(small_disk: Path) -> None:
    async def pieces():
        for _ in range(4):
            yield os.urandom(ROOM // 2)

    with pytest.raises(StorageFull):
        async with Spool(small_disk).kept("caller", pieces(), 100 * ROOM):
            pass
    assert files_in(small_disk) == []


def test_the_small_disk_is_small(small_disk: Path) -> None:
    disk = os.statvfs(small_disk)
    assert disk.f_blocks * disk.f_frsize == ROOM
