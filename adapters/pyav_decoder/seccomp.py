"""The system call filter of a decoder at work: what it needs to compute, read and write, and nothing else.

A classic BPF program as the kernel reads it (https://docs.kernel.org/userspace-api/seccomp_filter.html), which an ordinary user
may install. A call that is not listed fails with EPERM, so a library that could do without it goes on.
"""

import ctypes
import struct
from typing import NamedTuple

SET_MODE_FILTER = 1
ON_ALL_THREADS = 1
ALLOW, REFUSE, KILL = 0x7FFF_0000, 0x0005_0001, 0x8000_0000
"""The kernel's answers: let it pass, fail with EPERM, end the process (a call in the manner of another architecture)."""
LOAD, IF_EQUAL, IF_ANY_BIT, ANSWER = 0x20, 0x15, 0x45, 0x06
"""Instructions: BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JSET|K, BPF_RET|K."""
NUMBER_AT, ARCHITECTURE_AT, FIRST_ARGUMENT_AT, ARGUMENT_BYTES = 0, 4, 16, 8
"""Offsets in `struct seccomp_data`; the low half of an argument comes first on both architectures."""
PROT_EXEC = 4


class Instruction(NamedTuple):
    """`struct sock_filter`: an operation on `value`, and how many instructions to skip when a test holds or fails."""

    operation: int
    held: int
    failed: int
    value: int


ALLOWED = {
    "read": (0, 63),
    "write": (1, 64),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "munmap": (11, 215),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "pread64": (17, 67),
    "readv": (19, 65),
    "writev": (20, 66),
    "sched_yield": (24, 124),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "getpid": (39, 172),
    "exit": (60, 93),
    "gettimeofday": (96, 169),
    "gettid": (186, 178),
    "futex": (202, 98),
    "restart_syscall": (219, 128),
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "exit_group": (231, 94),
    "getrandom": (318, 278),
}
"""Calls that are let through whatever their arguments, with their numbers on x86-64 and on aarch64."""
MAPPINGS = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Let through without PROT_EXEC in their third argument."""
PRLIMIT64, SECCOMP = (302, 261), (317, 277)
AUDIT_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
"""What the kernel calls the architectures of the two columns."""


def filter_calls(libc: ctypes.CDLL, machine: str) -> bool:
    """Install the filter on all threads, for good; False where the architecture is not known or the kernel refuses.

    To be called with `no_new_privs` set. `machine` as `uname` names it.
    """
    if machine not in AUDIT_ARCHITECTURES:
        return False
    steps = decoding_only(machine)
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(steps), ctypes.addressof(held))
    call, flags = ctypes.c_long(SECCOMP[_column(machine)]), ctypes.c_ulong(ON_ALL_THREADS)
    return bool(libc.syscall(call, ctypes.c_ulong(SET_MODE_FILTER), flags, program) == 0)


def decoding_only(machine: str) -> list[Instruction]:
    """The program: one architecture, the listed calls, mappings that can not be run, resource limits of this process alone."""
    column = _column(machine)
    steps = [
        Instruction(LOAD, 0, 0, ARCHITECTURE_AT),
        Instruction(IF_EQUAL, 1, 0, AUDIT_ARCHITECTURES[machine]),
        Instruction(ANSWER, 0, 0, KILL),
        Instruction(LOAD, 0, 0, NUMBER_AT),
    ]
    for numbers in ALLOWED.values():
        steps += [Instruction(IF_EQUAL, 0, 1, numbers[column]), Instruction(ANSWER, 0, 0, ALLOW)]
    for numbers in MAPPINGS.values():
        steps += _when(numbers[column], argument=2, test=Instruction(IF_ANY_BIT, 0, 1, PROT_EXEC), held=REFUSE, failed=ALLOW)
    steps += _when(PRLIMIT64[column], argument=0, test=Instruction(IF_EQUAL, 0, 1, 0), held=ALLOW, failed=REFUSE)
    return [*steps, Instruction(ANSWER, 0, 0, REFUSE)]


def _column(machine: str) -> int:
    return list(AUDIT_ARCHITECTURES).index(machine)


def _when(number: int, argument: int, test: Instruction, held: int, failed: int) -> list[Instruction]:
    """For the call `number` alone: an answer by a test on the low half of one of its arguments."""
    return [
        Instruction(IF_EQUAL, 0, 4, number),
        Instruction(LOAD, 0, 0, FIRST_ARGUMENT_AT + ARGUMENT_BYTES * argument),
        test,
        Instruction(ANSWER, 0, 0, held),
        Instruction(ANSWER, 0, 0, failed),
    ]
