"""The promises of BlobStore on an S3-compatible store, and what becomes of them when that store is ill."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.s3_blobs import S3Access, S3BlobStore
from adapters.s3_blobs.store import ABANDONED_S
from adapters.s3_blobs.writer import PART_BYTES
from adapters.scripted.clock import MovableClock
from domain.errors import NotFound, StorageFailed, StorageFull
from tests.contracts.test_blob_store_contract import CONTENT, BlobStoreContract, content_of, files_in, stored
from tests.s3_server import IllFront, S3Server, ill_front

LONG = CONTENT * 8
MOST_BYTES = 32 * 1024**2


class TestS3BlobStore(BlobStoreContract):
    @pytest.fixture
    def access(self, s3: S3Server) -> S3Access:
        return s3.bucket()

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def blobs(self, access: S3Access, tmp_path: Path, clock: MovableClock) -> S3BlobStore:
        return S3BlobStore(access, tmp_path, MOST_BYTES, clock)

    async def test_leaving_without_a_commit_leaves_nothing(self, blobs: S3BlobStore, s3: S3Server, access: S3Access) -> None:
        for finished in (False, True):
            async with blobs.writer("t") as writer:
                await writer.write(LONG)
                assert len(s3.uploads(access)) == 1
                if finished:
                    await writer.finish()
            assert (s3.uploads(access), s3.keys(access)) == ([], [])

    async def test_a_cancelled_upload_leaves_nothing(self, blobs: S3BlobStore, s3: S3Server, access: S3Access) -> None:
        async def upload() -> None:
            async with blobs.writer("t") as writer:
                while True:
                    await writer.write(CONTENT)

        task = asyncio.create_task(upload())
        while not s3.uploads(access):
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (s3.uploads(access), s3.keys(access)) == ([], [])

    async def test_a_committed_recording_leaves_only_itself(self, blobs: S3BlobStore, s3: S3Server, access: S3Access) -> None:
        blob = await stored(blobs, LONG, tenant="../../evil")
        (key,) = s3.keys(access)
        assert key.startswith("pre/fix/blobs/")
        assert key.endswith(f"{blob.id[:2]}/{blob.id[2:]}")
        assert "evil" not in key
        assert s3.uploads(access) == []

    async def test_local_copies_are_removed_and_bounded(self, blobs: S3BlobStore, tmp_path: Path) -> None:
        blob = await stored(blobs)
        async with blobs.local_path("t", blob.id):
            assert len(files_in(tmp_path)) == 1
        assert files_in(tmp_path) == []
        long = await stored(blobs, CONTENT * 14)
        with pytest.raises(StorageFailed, match="longer"):
            async with blobs.local_path("t", long.id):
                pass
        assert files_in(tmp_path) == []

    async def test_a_sweep_ends_only_uploads_that_nobody_can_be_at(
        self, blobs: S3BlobStore, s3: S3Server, access: S3Access, clock: MovableClock
    ) -> None:
        kept = await stored(blobs)
        dead = blobs.writer("t")
        await (await dead.__aenter__()).write(LONG)  # its process was killed here
        blobs._bucket.call("put_object", Key=blobs._bucket.new_incoming(clock.now()), Body=b"completed, not copied")
        await clock.advance(ABANDONED_S + 2)
        async with blobs.writer("t") as alive:
            await alive.write(LONG)
            assert await asyncio.to_thread(blobs.sweep) == 2
            blob = await alive.commit()
        assert await content_of(blobs, blob.id) == LONG
        assert await content_of(blobs, kept.id) == CONTENT
        assert (len(s3.keys(access)), s3.uploads(access)) == (2, [])

    async def test_bytes_that_were_changed_in_the_store_are_not_given_out(
        self, blobs: S3BlobStore, s3: S3Server, access: S3Access
    ) -> None:
        blob = await stored(blobs)
        s3.client.put_object(Bucket=access.bucket, Key=s3.keys(access)[0], Body=CONTENT[:-1] + b"!")
        with pytest.raises(StorageFailed, match="other bytes"):
            async with blobs.local_path("t", blob.id):
                pass


@pytest.fixture
def front(s3: S3Server) -> Iterator[IllFront]:
    with ill_front(s3) as front:
        yield front


@pytest.fixture
def access(s3: S3Server) -> S3Access:
    return s3.bucket()


@pytest.fixture
def ill(s3: S3Server, access: S3Access, front: IllFront, tmp_path: Path) -> S3BlobStore:
    """A store behind a front that can be made ill. Its patience is half of what `slow` takes, and enough for a busy machine."""
    behind = s3.access(access.bucket, front.port, read_timeout_s=1.5)
    return S3BlobStore(behind, tmp_path, MOST_BYTES, MovableClock())


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (("PUT", "503"), StorageFailed, "SlowDown"),
        (("PUT", "full"), StorageFull, "no room"),
        (("PUT", "slow"), StorageFailed, "does not answer"),
        (("POST", "503"), StorageFailed, "SlowDown"),
    ],
)
async def test_an_upload_to_an_ill_store_fails_in_words_and_leaves_nothing(
    ill: S3BlobStore, front: IllFront, s3: S3Server, access: S3Access, fault: tuple[str, str], kind: type, words: str
) -> None:
    assert (await stored(ill)).size == len(CONTENT)
    before = s3.keys(access)
    front.fault = fault
    with pytest.raises(kind, match=words) as failed:
        await stored(ill, LONG)
    assert "127.0.0.1" not in str(failed.value)
    front.fault = None
    assert (s3.keys(access), s3.uploads(access)) == (before, [])
    assert (await stored(ill, LONG)).size == len(LONG)  # it recovers with the store


async def test_a_long_upload_takes_little_memory(ill: S3BlobStore, front: IllFront) -> None:
    front.fault = ("PUT", "sunk")  # else the server, in this very process, would keep the parts
    piece = bytes(1024**2)
    tracemalloc.start()
    async with ill.writer("t") as writer:
        for _ in range(200):
            await writer.write(piece)
        assert (await writer.finish()).size == 200 * len(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(line.startswith("PUT") for line in front.asked) == 25
    assert peak < 6 * PART_BYTES  # the pending bytes, the part, the request that carries it and the front that reads it


async def test_a_failed_short_upload_is_asked_for_again_three_times(ill: S3BlobStore, front: IllFront) -> None:
    front.fault = ("PUT", "503")
    with pytest.raises(StorageFailed):
        await stored(ill, b"short")
    assert len(front.asked) == 3


@pytest.mark.parametrize(("fault", "words"), [("503", "SlowDown"), ("truncated", "does not answer"), ("slow", "does not answer")])
async def test_reading_from_an_ill_store_fails_in_words(ill: S3BlobStore, front: IllFront, fault: str, words: str) -> None:
    blob = await stored(ill)
    front.fault = ("GET", fault)
    with pytest.raises(StorageFailed, match=words):
        await content_of(ill, blob.id)
    with pytest.raises(StorageFailed, match=words):
        async with ill.local_path("t", blob.id):
            pass
    front.fault = None
    assert await content_of(ill, blob.id) == CONTENT


async def test_a_missing_bucket_is_named(s3: S3Server, tmp_path: Path) -> None:
    blobs = S3BlobStore(s3.access("no-such-bucket"), tmp_path, MOST_BYTES, MovableClock())
    with pytest.raises(StorageFailed, match="no bucket no-such-bucket"):
        await stored(blobs)
    with pytest.raises(StorageFailed, match="no bucket no-such-bucket"):
        await content_of(blobs, "0" * 64)
    with pytest.raises(StorageFailed, match="no bucket no-such-bucket"):
        blobs.check()


async def test_a_store_that_is_away_is_told_from_a_blob_that_is_not_there(tmp_path: Path, s3: S3Server, access: S3Access) -> None:
    with ill_front(s3) as front:
        port = front.port
    away = S3BlobStore(s3.access(access.bucket, port), tmp_path, MOST_BYTES, MovableClock())
    with pytest.raises(StorageFailed, match="does not answer"):
        await content_of(away, "0" * 64)
    here = S3BlobStore(access, tmp_path, MOST_BYTES, MovableClock())
    with pytest.raises(NotFound):
        await content_of(here, "0" * 64)


def test_keys_are_not_shown(access: S3Access) -> None:
    assert "tests" not in repr(access)
