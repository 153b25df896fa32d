"""Where tests keep what need not outlive them: in memory, where the machine has room for it."""

import os
import shutil

SHARED_MEMORY = "/dev/shm"
ROOM_BYTES = 8 * 2**30


def memory_folder(*, runs_programs: bool = False) -> str:
    """Return a folder in memory, else /tmp: writing files there costs a tenth, and both paths leave room for a socket's name.

    `runs_programs`: whether programs that lie in it have to run, which containers often forbid in shared memory.
    """
    try:
        system = os.statvfs(SHARED_MEMORY)
    except OSError:
        return "/tmp"
    roomy = shutil.disk_usage(SHARED_MEMORY).free >= ROOM_BYTES and os.access(SHARED_MEMORY, os.W_OK)
    return SHARED_MEMORY if roomy and not (runs_programs and system.f_flag & os.ST_NOEXEC) else "/tmp"
