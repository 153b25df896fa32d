"""A decoder that was taken over gets nowhere, also as an ordinary user to whom the kernel refuses namespaces."""

from pathlib import Path

import pytest

from tests.ordinary_place import OrdinaryPlace, ordinary_place

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/data/audio/bad"
DATABASE = {"read the database", "list the folder of the database", "remove the database", "write a file"}
PARENT = {
    "read the environment of the parent",
    "open the memory of the parent",
    "read the memory of the parent",
    "trace the parent",
}
TCP = {"connect by TCP", "connect by TCP over IPv6", "listen"}


place = pytest.fixture(ordinary_place)


def test_the_ordinary_user_of_these_tests_has_no_rights_and_no_namespaces(place: OrdinaryPlace) -> None:
    looked = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
refused = libc.unshare(0x10000000) == -1 and ctypes.get_errno() == 1
capabilities = [line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")]
print(os.geteuid() != 0, refused, int(capabilities[0], 16) == 0)
"""
    assert place.run("-c", looked).stdout.split() == ["True", "True", "True"]


def test_without_walls_every_attempt_would_come_through(place: OrdinaryPlace) -> None:
    attempts = place.came_through("--unconfined")
    assert len(attempts) == 21
    assert attempts >= DATABASE | PARENT | TCP


def test_an_ordinary_users_decoder_gets_nowhere_where_namespaces_are_refused(place: OrdinaryPlace) -> None:
    assert place.came_through() == set()


def test_the_system_call_filter_alone_is_enough(place: OrdinaryPlace) -> None:
    assert place.came_through(without="landlock") == set()


def test_landlock_alone_keeps_files_the_parent_and_tcp(place: OrdinaryPlace) -> None:
    if "Landlock" not in place.run("-c", PROBE, without="seccomp").stdout:
        pytest.skip("this kernel has no Landlock")
    assert not place.came_through(without="seccomp") & (DATABASE | PARENT | TCP | {"connect to an abstract UNIX socket"})


def test_a_decoder_gets_nowhere_as_the_user_of_the_tests_either(place: OrdinaryPlace) -> None:
    assert place.came_through(as_tester=True) == set()


PROBE = "from adapters.pyav_decoder.confinement import probe_confinement as probe; print(probe().walls, probe().ways_out)"
DECODE = f"""
import asyncio, pathlib, sys
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
decoder = PyAvDecoder(DecodeLimits(), require_confinement=sys.argv[2] == "required")
decoded = asyncio.run(decoder.decode(pathlib.Path({str(KEPT / "cover_art.mp3")!r}), pathlib.Path(sys.argv[1]) / "out.pcm", 600.0))
print(round(decoded.seconds))
"""


def test_what_stands_and_what_is_open_is_found_by_trying(place: OrdinaryPlace) -> None:
    assert place.run("-c", PROBE).stdout.endswith("'seccomp') ()\n")
    open_ways = place.run("-c", PROBE, without="landlock,seccomp").stdout
    assert open_ways.startswith("() ")
    for way in ("read files", "make sockets", "send signals to the service", "read the memory of the service"):
        assert way in open_ways


def test_a_required_confinement_that_can_not_be_had_decodes_nothing(place: OrdinaryPlace) -> None:
    refused = place.run("-c", DECODE, str(place.folder), "required", without="landlock,seccomp")
    assert "DecoderBroken" in refused.stderr
    assert "could" in refused.stderr
    assert not (place.folder / "out.pcm").exists()


@pytest.mark.parametrize(("asked", "without"), [("required", ""), ("not required", "landlock,seccomp")])
def test_a_decoder_decodes_with_the_confinement_that_is_asked_of_it(place: OrdinaryPlace, asked: str, without: str) -> None:
    assert place.run("-c", DECODE, str(place.folder), asked, without=without).stdout == "5\n"


KEEP = '''
import subprocess, sys
from adapters.pyav_decoder.sandbox import keep_memory_to_oneself
if sys.argv[1] == "kept":
    keep_memory_to_oneself()
other = """
import os
parent = os.getppid()
open(f"/proc/{parent}/mem", "rb")
print(b"canary" in open(f"/proc/{parent}/environ", "rb").read())
"""
print(subprocess.run([sys.executable, "-c", other], capture_output=True, text=True))
'''


def test_a_process_that_keeps_its_memory_to_itself_shows_no_process_of_its_user_its_environment(place: OrdinaryPlace) -> None:
    assert "True" in place.run("-c", KEEP, "open").stdout
    assert "PermissionError" in place.run("-c", KEEP, "kept").stdout
