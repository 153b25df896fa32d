"""Where tests keep what need not outlive them: in memory, where the machine has room for it."""

import os
import shutil

SHARED_MEMORY = "/dev/shm"
ROOM_BYTES = 4 * 2**30


def memory_folder() -> str:
    """Return a folder in memory, else /tmp: writing files there costs a tenth, and both paths leave room for a socket's name."""
    roomy = os.access(SHARED_MEMORY, os.W_OK) and shutil.disk_usage(SHARED_MEMORY).free >= ROOM_BYTES
    return SHARED_MEMORY if roomy else "/tmp"
