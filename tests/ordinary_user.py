"""`python tests/ordinary_user.py COMMAND...`: runs a command as an ordinary user in a container would run it.

No privileges, and a system call filter that refuses new namespaces and mounts with EPERM, as a container's usual profile does.
Run by root it becomes a user who owns nothing; folders that only root can enter (an interpreter in root's home) are
shown to that user in a mount namespace of the process's own, so nothing changes for others. More such folders are named in
WORDLOOP_KEEP_READABLE, separated by colons. WORDLOOP_KERNEL_WITHOUT names what the kernel shall seem to lack: landlock, seccomp.
"""

import ctypes
import os
import platform
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

USER = 54_321
"""Nobody's number in any distribution."""
KEEP_READABLE = "WORDLOOP_KEEP_READABLE"
KERNEL_WITHOUT = "WORDLOOP_KERNEL_WITHOUT"
NEW_NAMESPACE, BIND, PRIVATE_BELOW, DETACH = 0x0002_0000, 0x1000, 0x4_4000, 2
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER_MODE = 38, 22, 2
ALLOW, REFUSE, NOT_THERE = 0x7FFF_0000, 0x0005_0001, 0x0005_0026
"""seccomp's answers: go on, EPERM, ENOSYS (for clone3, so that the C library falls back to clone)."""
LOAD, EQUAL, ANY_BIT, ANSWER = 0x20, 0x15, 0x45, 0x06
NAMESPACES = 0x7E02_0000
"""All CLONE_NEW* flags but CLONE_NEWTIME."""
CALLS: dict[str, dict[str, Any]] = {
    "x86_64": {"clone": 56, "clone3": 435, "refused": (272, 308, 165), "seccomp": 317, "landlock": 444},
    "aarch64": {"clone": 220, "clone3": 435, "refused": (97, 268, 40), "seccomp": 277, "landlock": 444},
}
"""Numbers of clone and clone3; of unshare, setns and mount; of what makes the walls."""


def main() -> None:
    """Become an ordinary user and turn into the command."""
    if os.geteuid() == 0:
        show_to_all([sys.base_prefix, sys.prefix, str(Path(__file__).parents[1]), *_named()])
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    refuse_namespaces()
    os.execv(sys.argv[1], sys.argv[1:])


def _named() -> list[str]:
    return [path for path in os.environ.get(KEEP_READABLE, "").split(":") if path]


def _lacking() -> list[str]:
    return [name for name in os.environ.get(KERNEL_WITHOUT, "").split(",") if name]


def show_to_all(paths: list[str]) -> None:
    """Put each path that others can not reach under folders they can enter; raises OSError where mounting is forbidden."""
    closed = {path: door for path in paths if (door := _closed_door(Path(path))) is not None}
    if not closed:
        return
    _checked(LIBC.unshare(NEW_NAMESPACE))
    _mount("none", "/", None, PRIVATE_BELOW)
    aside = Path(tempfile.mkdtemp())
    places = {path: aside / str(number) for number, path in enumerate(closed)}
    for path, place in places.items():
        place.mkdir()
        _mount(path, str(place), None, BIND)
    for door in set(closed.values()):
        _mount("none", str(door), "tmpfs", 0, "mode=0755")
    for path, place in places.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        _mount(str(place), path, None, BIND)
        _checked(LIBC.umount2(str(place).encode(), DETACH))
        place.rmdir()
    aside.rmdir()


def _closed_door(path: Path) -> Path | None:
    """The outermost folder on the way to `path` that others can not enter."""
    way = [*reversed(path.parents), path]
    return next((folder for folder in way if not folder.stat().st_mode & stat.S_IXOTH), None)


def refuse_namespaces() -> None:
    """Set the filter; it holds for this process and all it starts."""
    calls = CALLS[platform.machine()]
    program = [(LOAD, 0, 0, 0), *_answer(calls["clone3"], NOT_THERE)]
    for number in calls["refused"]:
        program += _answer(number, REFUSE)
    for name in _lacking():
        program += _answer(calls[name], NOT_THERE)
    program += [(EQUAL, 0, 3, calls["clone"]), (LOAD, 0, 0, 16), (ANY_BIT, 0, 1, NAMESPACES), (ANSWER, 0, 0, REFUSE)]
    program.append((ANSWER, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    pointer = ctypes.create_string_buffer(struct.pack("@HxxxxxxP", len(program), ctypes.addressof(code)))
    _checked(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked(LIBC.prctl(PR_SET_SECCOMP, FILTER_MODE, pointer, 0, 0))


def _answer(number: int, answer: int) -> list[tuple[int, int, int, int]]:
    return [(EQUAL, 0, 1, number), (ANSWER, 0, 0, answer)]


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, options)]
    _checked(LIBC.mount(*encoded[:3], flags, encoded[3]))


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    main()
