"""The promises of BlobStore, one per test."""

import asyncio
import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.local_blobs import LocalBlobStore, tenant_folder
from domain.errors import NotFound
from ports.blob_store import Blob, BlobStore

CONTENT = bytes(range(256)) * 10_000


async def stored(blobs: BlobStore, content: bytes = CONTENT, tenant: str = "t", piece: int = 100_000) -> Blob:
    async with blobs.writer(tenant) as writer:
        for start in range(0, len(content), piece):
            await writer.write(content[start : start + piece])
        return await writer.commit()


async def content_of(blobs: BlobStore, blob_id: str, tenant: str = "t") -> bytes:
    return b"".join([piece async for piece in blobs.read(tenant, blob_id)])


class BlobStoreContract:
    """Override `blobs`."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        raise NotImplementedError

    async def test_bytes_are_found_under_their_hash(self, blobs: BlobStore) -> None:
        blob = await stored(blobs)
        assert blob == Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
        assert await content_of(blobs, blob.id) == CONTENT

    async def test_no_bytes_have_a_hash_too(self, blobs: BlobStore) -> None:
        blob = await stored(blobs, b"")
        assert (blob.size, await content_of(blobs, blob.id)) == (0, b"")

    async def test_the_same_content_twice_is_one_blob(self, blobs: BlobStore) -> None:
        made = await asyncio.gather(*(stored(blobs) for _ in range(5)))
        assert len(set(made)) == 1
        await blobs.delete("t", made[0].id)
        with pytest.raises(NotFound):
            await content_of(blobs, made[0].id)

    async def test_nothing_is_visible_before_the_commit(self, blobs: BlobStore) -> None:
        async with blobs.writer("t") as writer:
            await writer.write(CONTENT)
            with pytest.raises(NotFound):
                await content_of(blobs, hashlib.sha256(CONTENT).hexdigest())

    async def test_the_hash_is_known_before_anything_is_visible(self, blobs: BlobStore) -> None:
        async with blobs.writer("t") as writer:
            await writer.write(CONTENT)
            blob = await writer.finish()
            with pytest.raises(NotFound):
                await content_of(blobs, blob.id)
            assert await writer.commit() == blob
        assert await content_of(blobs, blob.id) == CONTENT

    async def test_a_recording_of_many_parts_is_whole(self, blobs: BlobStore) -> None:
        content = CONTENT * 8  # 20 MB: three parts where there are parts
        blob = await stored(blobs, content, piece=1_000_003)
        assert await content_of(blobs, blob.id) == content
        assert await stored(blobs, content) == blob

    async def test_a_local_path_holds_the_content(self, blobs: BlobStore) -> None:
        blob = await stored(blobs)
        async with blobs.local_path("t", blob.id) as path:
            assert path.read_bytes() == CONTENT

    async def test_a_local_path_outlives_a_deletion_to_the_end_of_the_context(self, blobs: BlobStore) -> None:
        blob = await stored(blobs)
        async with blobs.local_path("t", blob.id) as path:
            await blobs.delete("t", blob.id)
            assert path.read_bytes() == CONTENT
        with pytest.raises(NotFound):
            await content_of(blobs, blob.id)

    async def test_tenants_are_apart(self, blobs: BlobStore) -> None:
        blob = await stored(blobs)
        with pytest.raises(NotFound):
            await content_of(blobs, blob.id, tenant="other")
        await blobs.delete("other", blob.id)
        assert await content_of(blobs, blob.id) == CONTENT

    async def test_deleting_what_is_not_there_is_no_error(self, blobs: BlobStore) -> None:
        await blobs.delete("t", "0" * 64)

    @pytest.mark.parametrize(
        "blob_id", ["", "..", "../../etc/passwd", "/etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "\x00" * 64, "a/" * 32]
    )
    async def test_what_is_no_hash_is_not_found(self, blobs: BlobStore, blob_id: str) -> None:
        with pytest.raises(NotFound):
            await content_of(blobs, blob_id)
        with pytest.raises(NotFound):
            async with blobs.local_path("t", blob_id):
                pass
        await blobs.delete("t", blob_id)


class TestLocalBlobStore(BlobStoreContract):
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "blobs"

    @pytest.fixture
    def blobs(self, root: Path) -> LocalBlobStore:
        return LocalBlobStore(root)

    async def test_leaving_without_a_commit_leaves_no_byte(self, blobs: LocalBlobStore, root: Path) -> None:
        async with blobs.writer("t") as writer:
            for _ in range(3):
                await writer.write(CONTENT)
        assert files_in(root) == []

    async def test_a_cancelled_upload_leaves_no_byte(self, blobs: LocalBlobStore, root: Path) -> None:
        writing = asyncio.Event()

        async def upload() -> None:
            async with blobs.writer("t") as writer:
                await writer.write(CONTENT)
                writing.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(upload())
        await writing.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert files_in(root) == []

    async def test_only_the_owner_may_look(self, blobs: LocalBlobStore, root: Path) -> None:
        await stored(blobs, tenant="../../evil")
        for path in [root, *root.rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o400)

    async def test_no_name_of_a_tenant_is_part_of_a_path(self, blobs: LocalBlobStore, root: Path) -> None:
        blob = await stored(blobs, tenant="../../evil")
        assert files_in(root) == [root / tenant_folder("../../evil") / blob.id[:2] / blob.id[2:]]

    async def test_a_sweep_removes_what_a_killed_process_left(self, blobs: LocalBlobStore, root: Path) -> None:
        program = (
            "import asyncio, os, sys; from pathlib import Path; from adapters.local_blobs import LocalBlobStore\n"
            "async def main():\n"
            "    async with LocalBlobStore(Path(sys.argv[1])).writer('t') as writer:\n"
            "        await writer.write(b'x' * 2**21); os.kill(os.getpid(), 9)\n"
            "asyncio.run(main())"
        )
        killed = subprocess.run([sys.executable, "-c", program, str(root)], check=False, env=os.environ | {"PYTHONPATH": "."})
        assert killed.returncode == -9
        assert len(files_in(root)) == 1
        assert blobs.sweep() == 1
        assert files_in(root) == []

    async def test_a_sweep_leaves_work_in_progress_alone(self, blobs: LocalBlobStore, root: Path) -> None:
        kept = await stored(blobs)
        async with blobs.writer("t") as writer, blobs.local_path("t", kept.id) as path:
            await writer.write(b"new")
            assert LocalBlobStore(root).sweep() == 0
            assert path.read_bytes() == CONTENT
            new = await writer.commit()
        assert await content_of(blobs, new.id) == b"new"
        assert blobs.sweep() == 0
        assert len(files_in(root)) == 2


def files_in(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]
