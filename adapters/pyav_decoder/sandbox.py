"""Walls around the child: resource limits first, then everything a decoder does not need is taken away.

The limits always hold. Namespaces, chroot and the change of user are taken where the kernel and the container allow them.
Landlock and the system call filter need no permission; `confinement.py` tells what stays open where the kernel lacks them
(docs/adr/0004).
"""

import contextlib
import ctypes
import os
import resource
import signal
import struct

from adapters.pyav_decoder.landlock import restrict_to_nothing
from adapters.pyav_decoder.seccomp import filter_calls

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWNS = 0x0002_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
CAPABILITY_VERSION_3 = 0x2008_0522
NOBODY = 65_534
OPEN_FILES = 32
OWN_NETWORK, EMPTY_ROOT = "an own network", "an empty root"


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


def keep_memory_to_oneself() -> None:
    """Keep other processes of the same user from this one's memory and from its files in /proc, its environment among them."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(parent_pid: int) -> list[str]:
    """Give up the network, the file system, privileges and new processes; return the names of the walls that now stand.

    To be called with every import done and every file open. The working directory, private and empty, becomes the root. As root
    the user becomes nobody; as anyone else the new user namespace holds no identity, and its capabilities are dropped. Changing
    identity clears the death signal, so that is set again; a filter of system calls comes last, since it forbids all of this.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    walls = _leave_namespaces(libc)
    with contextlib.suppress(OSError):
        os.chroot(".")
        walls.append(EMPTY_ROOT)
    if _become_nobody():
        walls.append("a user of its own")
    libc.capset(struct.pack("=Ii", CAPABILITY_VERSION_3, 0), struct.pack("=6I", 0, 0, 0, 0, 0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    die_with_parent(parent_pid)
    keep_memory_to_oneself()
    if version := restrict_to_nothing(libc):
        walls.append(f"Landlock {version}")
    if filter_calls(libc, os.uname().machine):
        walls.append("seccomp")
    return walls


def _leave_namespaces(libc: ctypes.CDLL) -> list[str]:
    """Leave the network, and where possible the file system's and the IPC's namespace, of the others."""
    own_user = 0 if os.geteuid() == 0 else CLONE_NEWUSER
    for flags, walls in ((CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS, [OWN_NETWORK, "own mounts"]), (CLONE_NEWNET, [OWN_NETWORK])):
        if libc.unshare(flags | own_user) == 0:
            return walls
    return []


def _become_nobody() -> bool:
    if os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError):
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    return os.geteuid() != 0
