"""Landlock: a process gives up every file, TCP connection and other process that it has not open already.

An ordinary user may do so (Linux 5.13, https://docs.kernel.org/userspace-api/landlock.html). No rule is added here, so nothing
of what the kernel's version can restrict stays allowed.
"""

import ctypes
import os
import struct

CREATE_RULESET, RESTRICT_SELF = 444, 446
"""System call numbers, the same on every architecture that Linux 5.13 knew, save Alpha."""
ASK_VERSION = 1
FILE_ACCESSES = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many kinds of access to files a version of the interface knows: bits from EXECUTE to IOCTL_DEV, lowest first."""
TCP_VERSION, TCP_ACCESSES = 4, 2
SCOPE_VERSION, SCOPES = 6, 2
"""Scopes: abstract UNIX sockets and signals beyond this process."""


def landlock_version(libc: ctypes.CDLL) -> int:
    """The version of the interface; 0 where the kernel has none or a system call filter hides it."""
    answer: int = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(ASK_VERSION))
    return max(0, answer)


def restrict_to_nothing(libc: ctypes.CDLL) -> int:
    """Restrict this thread, for good, and return the version that does it; 0 when nothing is restricted.

    To be called with `no_new_privs` set and no other thread running.
    """
    version = landlock_version(libc)
    if version == 0:
        return 0
    handled = struct.pack("=3Q", *_handled(version))[: 8 * _words(version)]
    ruleset = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint(0))
    if ruleset < 0:
        return 0
    restricted = libc.syscall(RESTRICT_SELF, ruleset, ctypes.c_uint(0)) == 0
    os.close(ruleset)
    return version if restricted else 0


def _handled(version: int) -> tuple[int, int, int]:
    """Bits of what is restricted: files, TCP, scopes."""
    files = max(bits for since, bits in FILE_ACCESSES.items() if since <= version)
    tcp = TCP_ACCESSES if version >= TCP_VERSION else 0
    scopes = SCOPES if version >= SCOPE_VERSION else 0
    return (1 << files) - 1, (1 << tcp) - 1, (1 << scopes) - 1


def _words(version: int) -> int:
    """How long the structure is that a version knows, in words of 64 bits."""
    return 1 + (version >= TCP_VERSION) + (version >= SCOPE_VERSION)
