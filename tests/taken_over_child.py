"""What a decoder does that was taken over: confined as the real child is, it tries every way out and writes down what it got.

Started in place of `child.py`. The recording it is given is a JSON object: the places to try (see `taken_over.py`) and whether
it may confine itself at all. The findings are written in place of the sound: for each attempt null, or the words of the refusal.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import sys
from collections.abc import Callable
from typing import Any

PTRACE_SEIZE = 0x4206
CALLS = {"x86_64": (310, 101, 425), "aarch64": (270, 117, 425)}
"""Numbers of process_vm_readv, ptrace and io_uring_setup."""
LIBC = ctypes.CDLL(None, use_errno=True)
IO_RING_PARAMETERS = 120


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def main() -> None:
    """Confine, try, report as an honest child would."""
    request = json.loads(sys.argv[1])
    sys.path.extend(request["import_paths"])
    from adapters.pyav_decoder.child import prepare

    places = json.loads(os.pread(request["source"], 1 << 16, 0))
    numbers = CALLS[os.uname().machine]
    if places["confine"]:
        prepare(request)
    found = {name: outcome(attempt) for name, attempt in attempts(places, numbers).items()}
    findings = json.dumps(found).encode()
    findings += b" " * (len(findings) % 2)
    os.write(request["target"], findings)
    facts = {"container": "wav", "codec": "pcm_s16le", "channels": 1, "sample_rate": 16_000, "damaged": False}
    os.write(1, json.dumps(facts | {"bytes": len(findings)}).encode() + b"\n")
    os._exit(0)


def outcome(attempt: Callable[[], object]) -> str | None:
    """None when it came through."""
    try:
        attempt()
    except OSError as error:
        return f"{type(error).__name__} {error.errno}"
    return None


def attempts(places: dict[str, Any], numbers: tuple[int, int, int]) -> dict[str, Callable[[], object]]:
    parent = places["parent"]
    return {
        "read the database": lambda: read(places["database"]),
        "look at the size of the database": lambda: os.stat(places["database"]),
        "list the folder of the database": lambda: os.listdir(os.path.dirname(places["database"])),
        "remove the database": lambda: os.rename(places["database"], places["database"] + ".gone"),
        "write a file": lambda: os.open(places["new_file"], os.O_CREAT | os.O_WRONLY),
        "read the environment of the parent": lambda: read(f"/proc/{parent}/environ"),
        "open the memory of the parent": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
        "read the memory of the parent": lambda: read_memory(numbers[0], parent, places["address"]),
        "trace the parent": lambda: checked(
            LIBC.syscall(numbers[1], ctypes.c_long(PTRACE_SEIZE), ctypes.c_long(parent), None, None)
        ),
        "signal the parent": lambda: os.kill(parent, 0),
        "look at the limits of the parent": lambda: resource.prlimit(parent, resource.RLIMIT_CPU),
        "connect by TCP": lambda: connect(socket.AF_INET, ("127.0.0.1", places["port"])),
        "connect by TCP over IPv6": lambda: connect(socket.AF_INET6, ("::1", places["port_ipv6"])),
        "send by UDP": lambda: datagram(("127.0.0.1", places["port"])),
        "connect to a UNIX socket": lambda: connect(socket.AF_UNIX, places["unix"]),
        "connect to an abstract UNIX socket": lambda: connect(socket.AF_UNIX, "\0" + places["abstract"]),
        "listen": lambda: listen(),
        "start a process": start_process,
        "become another program": lambda: become(places["program"]),
        "use io_uring": lambda: checked(LIBC.syscall(numbers[2], 4, ctypes.create_string_buffer(IO_RING_PARAMETERS))),
        "make memory that can be run": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    }


def read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    return os.read(descriptor, 1 << 16)


def checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def read_memory(number: int, parent: int, address: int) -> None:
    """Eight bytes at an address that the parent has told."""
    here = ctypes.create_string_buffer(8)
    local, remote = Vector(ctypes.addressof(here), 8), Vector(address, 8)
    one, no_flags = ctypes.c_ulong(1), ctypes.c_ulong(0)
    checked(LIBC.syscall(number, parent, ctypes.byref(local), one, ctypes.byref(remote), one, no_flags))


def connect(family: int, address: Any) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(2.0)
        client.connect(address)


def datagram(address: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"found you", address)


def listen() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


def start_process() -> None:
    if (pid := os.fork()) == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def become(program: str) -> None:
    """Turn into a program that is none: the kernel says so only to those who may turn into programs."""
    try:
        os.execv(program, [program])
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise


if __name__ == "__main__":
    main()
