"""Which ways out of a confined process are open, found by trying them. Runs in the child, before it reads hostile bytes."""

import ctypes
import errno
import os
import socket
from collections.abc import Callable

from adapters.pyav_decoder.sandbox import EMPTY_ROOT, OWN_NETWORK

PROCESS_VM_READV = {"x86_64": 310, "aarch64": 270}
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


def ways_out(parent: int, walls: list[str]) -> list[str]:
    """What a process behind `walls` could still do, in words; empty when it is shut in."""
    tries: dict[str, Callable[[], object]] = {
        "start processes": _start,
        "send signals to the service": lambda: os.kill(parent, 0),
    }
    if EMPTY_ROOT not in walls:
        tries["read files"] = lambda: os.open("/", os.O_RDONLY)
    if OWN_NETWORK not in walls:
        tries["make sockets"] = _make_a_socket
    tries["read the memory of the service"] = lambda: _look_into(parent)
    return [words for words, way in tries.items() if _is_open(way)]


def _is_open(way: Callable[[], object]) -> bool:
    try:
        way()
    except OSError:
        return False
    return True


def _make_a_socket() -> None:
    """Raise OSError only when no kind of socket can be made."""
    refused: OSError | None = None
    for family in FAMILIES:
        try:
            socket.socket(family, socket.SOCK_STREAM).close()
        except OSError as error:
            refused = error
        else:
            return
    assert refused is not None
    raise refused


def _start() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _look_into(parent: int) -> None:
    """Ask for a byte at an address where nothing is: who may read is told of the address, who may not of the process."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = PROCESS_VM_READV.get(os.uname().machine)
    if number is None:
        return  # not known to be closed
    one, here = ctypes.c_ulong(1), (ctypes.c_ulong * 2)(ctypes.addressof(ctypes.create_string_buffer(1)), 1)
    there = (ctypes.c_ulong * 2)(0, 1)
    libc.syscall(ctypes.c_long(number), ctypes.c_long(parent), here, one, there, one, ctypes.c_ulong(0))
    if ctypes.get_errno() in (errno.EPERM, errno.ENOSYS):
        raise PermissionError(ctypes.get_errno(), "refused")
