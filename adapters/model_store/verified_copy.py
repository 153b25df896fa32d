"""Writing files that are either whole and right, or not there."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from adapters.model_store.errors import ModelSumWrong, NotEnoughSpace
from adapters.model_store.manifest import ModelFile

BLOCK_BYTES = 1 << 20
"""One MiB: large enough that the system call is free, small enough that progress moves and memory stays flat."""

SPARE_BYTES = 256 << 20
"""Free space that an assembly leaves on the disk for everybody else."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""How a system says that no more bytes fit: disk full, quota used up, file size limit met."""


def write_verified(blocks: Iterable[bytes], target: Path, expected: ModelFile, advance: Callable[[int], None]) -> None:
    """Writes `blocks` to the new file `target`, synced to disk. `ModelSumWrong` when size or sha256 is not the expected one."""
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        for block in blocks:
            out.write(block)
            digest.update(block)
            size += len(block)
            advance(len(block))
        out.flush()
        os.fsync(out.fileno())
    require_sum(expected, size, digest.hexdigest())


def require_sum(expected: ModelFile, size: int, sha256: str) -> None:
    """`ModelSumWrong` when the bytes are not the expected ones."""
    if (size, sha256) != (expected.size, expected.sha256):
        raise ModelSumWrong(
            f"{expected.path} is not the file the manifest names: {size} bytes with sha256 {sha256[:12]}…, "
            f"wanted {expected.size} bytes with {expected.sha256[:12]}…. "
            "Install its source again (`uv sync --reinstall`); if that does not help, do not use it."
        )


def blocks_of(paths: Iterable[Path]) -> Iterator[bytes]:
    """The bytes of several files, one after the other."""
    for path in paths:
        with path.open("rb") as part:
            while block := part.read(BLOCK_BYTES):
                yield block


def sha256_of_file(path: Path, advance: Callable[[int], None] = lambda _: None) -> str:
    """The sha256 of a file, in hex, read in blocks."""
    digest = hashlib.sha256()
    for block in blocks_of([path]):
        digest.update(block)
        advance(len(block))
    return digest.hexdigest()


def sync_tree(folder: Path) -> None:
    """Forces every file and folder below `folder` to disk, so that a rename after it publishes whole files only."""
    for root, _, names in os.walk(folder):
        for name in names:
            _sync(Path(root) / name)
        _sync(Path(root))


def sync_folder(folder: Path) -> None:
    """Forces the entries of one folder (names made, renamed or removed) to disk."""
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_space(folder: Path, needed_bytes: int) -> None:
    """`NotEnoughSpace` when the disk of `folder` has not `needed_bytes` and a spare left."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        raise not_enough_space(folder, needed_bytes)


def not_enough_space(folder: Path, needed_bytes: int) -> NotEnoughSpace:
    """The error for a disk that is, or became, too full."""
    free = shutil.disk_usage(folder).free
    return NotEnoughSpace(
        f"{folder} has {free / 1e9:.1f} GB free, and this model takes {(needed_bytes + SPARE_BYTES) / 1e9:.1f} GB to assemble. "
        "Free some space, lift the quota, or set WORDLOOP_CACHE_DIR to a folder on another disk."
    )
