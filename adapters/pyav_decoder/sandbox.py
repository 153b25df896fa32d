"""Walls around the child: resource limits first, then everything a decoder does not need is taken away.

The limits always hold. Namespaces, chroot and the change of user are taken where the kernel and the container allow them;
what is refused is skipped, because the limits and the closed formats already stand (docs/adr/0004).
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS = 0x0002_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
CAPABILITY_VERSION_3 = 0x2008_0522
NOBODY = 65_534
OPEN_FILES = 32


def limit_resources(memory_bytes: int, output_bytes: int, cpu_now: int, cpu_ever: int) -> None:
    """Set the limits that hold whatever the file does; `cpu_now` and `cpu_ever` are seconds."""
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (min(cpu_now, cpu_ever), cpu_ever))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def allow_cpu(seconds: int) -> None:
    """Move the soft limit of processor time to `seconds` since the start; the kernel ends a process that passes it."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (min(seconds, hard), hard))


def die_with_parent(parent_pid: int) -> None:
    """Be killed when the parent ends; a parent that is gone already ends this process here."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def confine(parent_pid: int) -> None:
    """Give up the network, the file system, privileges and new processes. To be called with every import done.

    The working directory, private and empty, becomes the root. As root the user becomes nobody; as anyone else the new
    user namespace holds no identity, and its capabilities are dropped. Changing identity clears the death signal, so that
    is set again last.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    is_root = os.geteuid() == 0
    for flags in (CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS, CLONE_NEWNET):
        if libc.unshare(flags if is_root else flags | CLONE_NEWUSER) == 0:
            break
    with contextlib.suppress(OSError):
        os.chroot(".")
    if is_root:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), struct.pack("=6I", 0, 0, 0, 0, 0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    die_with_parent(parent_pid)
