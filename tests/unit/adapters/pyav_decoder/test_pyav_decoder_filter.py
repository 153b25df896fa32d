"""The decoder's system call filter, run as the kernel runs it, for both architectures on whichever the tests run."""

import struct

import pytest

from adapters.pyav_decoder.seccomp import ALLOWED, AUDIT_ARCHITECTURES, MAPPINGS, PRLIMIT64, Instruction, decoding_only

ALLOWED_ANSWER, REFUSED_ANSWER, KILLED = 0x7FFF0000, 0x00050001, 0x80000000
FORBIDDEN = {
    "openat": (257, 56),
    "openat2": (437, 437),
    "newfstatat": (262, 79),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "sendmsg": (46, 211),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tgkill": (234, 131),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "ioctl": (16, 29),
    "prctl": (157, 167),
    "memfd_create": (319, 279),
    "dup": (32, 23),
}
"""A way out for each: files, sockets, processes, other processes' memory, and the kernel's large interfaces."""


def answer(program: list[Instruction], audit: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Run the program on `struct seccomp_data`."""
    data = struct.pack("<iIQ6Q", number, audit, 0, *(*arguments, *[0] * (6 - len(arguments))))
    accumulator = place = 0
    while True:
        step = program[place]
        place += 1
        if step.operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, step.value)
        elif step.operation == 0x15:
            place += step.held if accumulator == step.value else step.failed
        elif step.operation == 0x45:
            place += step.held if accumulator & step.value else step.failed
        else:
            assert step.operation == 0x06
            return step.value


machines = pytest.mark.parametrize("machine", list(AUDIT_ARCHITECTURES))


@machines
def test_what_computes_reads_and_writes_passes(machine: str) -> None:
    column, program = list(AUDIT_ARCHITECTURES).index(machine), decoding_only(machine)
    for numbers in ALLOWED.values():
        assert answer(program, AUDIT_ARCHITECTURES[machine], numbers[column]) == ALLOWED_ANSWER


@machines
def test_every_way_out_is_refused_with_an_error_that_the_library_can_handle(machine: str) -> None:
    column, program = list(AUDIT_ARCHITECTURES).index(machine), decoding_only(machine)
    passed = [
        name
        for name, numbers in FORBIDDEN.items()
        if answer(program, AUDIT_ARCHITECTURES[machine], numbers[column]) != REFUSED_ANSWER
    ]
    assert not passed


@machines
def test_nothing_but_what_is_listed_passes(machine: str) -> None:
    column, program = list(AUDIT_ARCHITECTURES).index(machine), decoding_only(machine)
    passed = {n for n in range(1024) if answer(program, AUDIT_ARCHITECTURES[machine], n) == ALLOWED_ANSWER}
    assert passed == {numbers[column] for numbers in [*ALLOWED.values(), *MAPPINGS.values(), PRLIMIT64]}


@machines
@pytest.mark.parametrize("name", list(MAPPINGS))
def test_memory_that_can_be_run_is_refused_and_other_memory_is_not(machine: str, name: str) -> None:
    column, program = list(AUDIT_ARCHITECTURES).index(machine), decoding_only(machine)
    for protection, expected in ((0, ALLOWED_ANSWER), (3, ALLOWED_ANSWER), (4, REFUSED_ANSWER), (7, REFUSED_ANSWER)):
        assert answer(program, AUDIT_ARCHITECTURES[machine], MAPPINGS[name][column], (0, 4096, protection)) == expected


@machines
def test_the_limits_of_other_processes_stay_out_of_reach(machine: str) -> None:
    column, program = list(AUDIT_ARCHITECTURES).index(machine), decoding_only(machine)
    assert answer(program, AUDIT_ARCHITECTURES[machine], PRLIMIT64[column], (0, 0)) == ALLOWED_ANSWER
    assert answer(program, AUDIT_ARCHITECTURES[machine], PRLIMIT64[column], (4711, 0)) == REFUSED_ANSWER


@machines
def test_a_call_in_the_manner_of_another_architecture_ends_the_process(machine: str) -> None:
    program, i386, x32_bit = decoding_only(machine), 0x40000003, 0x40000000
    assert answer(program, i386, 3) == KILLED
    assert answer(program, AUDIT_ARCHITECTURES[machine], x32_bit | 1) == REFUSED_ANSWER
