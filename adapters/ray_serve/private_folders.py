"""Folders that only their owner may look into, whoever made them before."""

import logging
import os
import stat
from pathlib import Path

from domain.errors import WordloopError

PRIVATE, OTHERS = 0o700, 0o077
log = logging.getLogger("wordloop")


class FolderShared(WordloopError):
    """A folder is one in which everybody writes, or somebody else has taken its name."""


def make_private(folder: Path) -> None:
    """Make a folder, or take away from one that is there what others may do in it. Raises FolderShared for one like `/tmp`.

    One that belongs to somebody else stays as it is, with a warning: a volume of a container does, and has no other users.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    found = folder.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not mode & OTHERS:
        return
    if mode & stat.S_ISVTX:
        raise FolderShared(f"everybody writes into {folder}; name a folder of its own for the data")
    if found.st_uid != os.geteuid():
        log.warning("%s belongs to another user, and others may look into it (mode %o)", folder, mode)
        return
    folder.chmod(mode & PRIVATE)


def private_ray_folder(base: Path) -> Path:
    """Return the folder for Ray's sessions: Ray opens each to everybody, so what lies above them must be closed.

    It is `base` itself where that is closed. The name is short and always the same: those of Unix sockets are bounded, and the
    logs of earlier runs lie there. Raises FolderShared when somebody else has taken the name, or has closed `base`.
    """
    if base.is_dir() and base.stat().st_uid == os.geteuid() and not base.stat().st_mode & OTHERS:
        return base
    folder = base / f"wordloop-{os.geteuid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE)
    except PermissionError as error:
        raise FolderShared(f"{base} is closed to this user; name another place for Ray's sessions with RAY_TMPDIR") from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise FolderShared(f"{folder} belongs to somebody else; name another place for Ray's sessions with RAY_TMPDIR")
    folder.chmod(PRIVATE)
    return folder
