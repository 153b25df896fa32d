"""What every child process that converts weights does besides: end with its parent, and tell a full disk from other failures."""

import ctypes
import errno
import signal
import sys

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>: the signal this process gets when the one that started it dies."""


def die_with_parent() -> None:
    """End this process as soon as the one that started it has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def is_disk_full(failed: Exception) -> bool:
    """Say whether a disk took no more bytes. Libraries in Rust report it as text, with the number the system gave."""
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return getattr(failed, "errno", None) in full or any(f"os error {number}" in str(failed) for number in full)
