"""Which SQLite to use, and which journal is safe on which disk (ADR 0005)."""

import ctypes
import ctypes.util
import os
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from domain.errors import StorageFailed

FIRST_WITHOUT_WAL_RESET_BUG = (3, 51, 3)
"""SQLite 3.7.0 to 3.51.2 can corrupt a WAL file that two connections write and checkpoint (release notes of 3.51.3)."""

NETWORK_FILE_SYSTEMS = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFE534D42: "SMB2",
    0xFF534D42: "CIFS",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x0BD00BD0: "Lustre",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
}
"""`f_type` of statfs(2) -> name: locks and shared memory between machines can not be relied on there."""
PERHAPS_SHARED_FILE_SYSTEMS = {0x01021997: "9P", 0x65735546: "FUSE"}
"""May be a local sandbox or a folder of another machine: file locks work, shared memory (WAL) may not."""


@dataclass(frozen=True, slots=True)
class SqliteLibrary:
    """A DB-API module, and whether its write-ahead log is safe with several writers."""

    module: ModuleType
    version: tuple[int, ...]

    @property
    def wal_is_safe(self) -> bool:
        return self.version >= FIRST_WITHOUT_WAL_RESET_BUG


def sqlite_library() -> SqliteLibrary:
    """Return the linked SQLite, or the newer one of the `pysqlite3` wheel when the linked one has the WAL-reset bug."""
    linked = SqliteLibrary(sqlite3, sqlite3.sqlite_version_info)
    if linked.wal_is_safe:
        return linked
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return linked
    bundled = SqliteLibrary(dbapi2, tuple(dbapi2.sqlite_version_info))
    return bundled if bundled.version > linked.version else linked


def journal_mode_for(path: str, library: SqliteLibrary, file_system: int | None = None) -> str:
    """Return `WAL` where it is safe, else `TRUNCATE` (same safety, writers and readers wait for one another).

    `file_system` is the `f_type` of the folder, asked of the kernel when None. Raises StorageFailed on a network file system.
    """
    kind = file_system_type(Path(path).absolute().parent) if file_system is None else file_system
    if kind in NETWORK_FILE_SYSTEMS:
        raise StorageFailed(f"{path} lies on {NETWORK_FILE_SYSTEMS[kind]}: SQLite is not safe on a network file system.")
    return "WAL" if library.wal_is_safe and kind not in PERHAPS_SHARED_FILE_SYSTEMS else "TRUNCATE"


def file_system_type(folder: Path) -> int:
    """Return the magic number of the file system that holds `folder`; 0 where the system does not say."""
    if not sys.platform.startswith("linux"):
        return 0
    libc: Any = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)
    buffer = (ctypes.c_long * 64)()  # struct statfs is 120 bytes and begins with f_type, a long
    if libc.statfs(os.fsencode(folder), ctypes.byref(buffer)) != 0:
        raise StorageFailed(f"{folder}: {os.strerror(ctypes.get_errno())}")
    return int(buffer[0]) & 0xFFFFFFFF
