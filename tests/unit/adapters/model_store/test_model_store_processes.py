"""Several processes, killed processes and full disks: models are whole or absent, and made once."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from model_store_fakes import WEIGHTS, RecordedProgress, entries, find_in, install_tiny, tiny_manifest

from adapters.model_store import ModelStore

HERE = Path(__file__).parent
SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from model_store_fakes import find_in, tiny_manifest
from adapters.model_store import ModelStore, SilentProgress

class Talking(SilentProgress):
    '''Says each step; stops inside the first block of joining until a line comes in.'''
    def start(self, label, total_bytes):
        print(label, flush=True)
    def advance(self, done_bytes):
        if sys.argv[3] == "stop":
            print("inside", flush=True)
            sys.stdin.readline()
            sys.argv[3] = "go on"

if sys.argv[3] == "small files":
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = ModelStore(Path(sys.argv[1]), Talking(), manifest=tiny_manifest(), find=find_in(Path(sys.argv[2])))
try:
    print(store.ensure("tiny").path, flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return install_tiny(tmp_path / "site")


def start(cache: Path, site: Path, how: str) -> "subprocess.Popen[str]":
    script = SCRIPT.format(tests=str(HERE), root=str(HERE.parents[3]))
    command = [sys.executable, "-c", script, str(cache), str(site), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_process_killed_while_joining_leaves_no_model_and_the_next_one_succeeds(tmp_path: Path, site: Path) -> None:
    cache = tmp_path / "cache"
    store = ModelStore(cache, manifest=tiny_manifest(), find=find_in(site))
    with start(cache, site, "stop") as victim:
        assert [line(victim), line(victim)] == ["Joining tiny", "inside"]
        os.kill(victim.pid, signal.SIGKILL)
    assert [name for name in entries(cache) if name.startswith(".assembling-")], "the killed process left its folder"

    folder = store.ensure("tiny")

    assert (folder.path / "weights.bin").read_bytes() == WEIGHTS
    assert entries(cache) == [folder.path.name]


def test_leftovers_of_the_dead_are_removed_at_the_next_start_and_work_of_the_living_is_not(tmp_path: Path, site: Path) -> None:
    cache = tmp_path / "cache"
    with start(cache, site, "stop") as worker:
        assert [line(worker), line(worker)] == ["Joining tiny", "inside"]
        while_alive = entries(cache)

        ModelStore(cache, manifest=tiny_manifest(), find=find_in(site))
        assert entries(cache) == while_alive

        os.kill(worker.pid, signal.SIGKILL)
    ModelStore(cache, manifest=tiny_manifest(), find=find_in(site))
    assert entries(cache) == []


def test_two_processes_at_once_assemble_once(tmp_path: Path, site: Path) -> None:
    cache = tmp_path / "cache"
    with start(cache, site, "stop") as first:
        assert [line(first), line(first)] == ["Joining tiny", "inside"]
        with start(cache, site, "go") as second:
            assert line(second).startswith("Waiting for another process")
            assert first.stdin is not None
            first.stdin.write("\n")
            first.stdin.flush()

            assert line(first) == line(second) != ""


def test_a_disk_that_takes_no_more_bytes_is_explained_and_nothing_is_left(tmp_path: Path, site: Path) -> None:
    cache = tmp_path / "cache"

    with start(cache, site, "small files") as process:
        said = [line(process), line(process)]

    assert said[0] == "Joining tiny"
    assert said[1].startswith("NotEnoughSpace")
    assert entries(cache) == []


def test_safetensors_on_a_full_disk_is_recognised_as_such(tmp_path: Path) -> None:
    script = (
        "import resource, sys, numpy; from safetensors.numpy import save_file; sys.path.insert(0, sys.argv[2])\n"
        "from adapters.model_store.conversion_child import is_disk_full\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        "try: save_file({'a': numpy.zeros(100_000)}, sys.argv[1])\n"
        "except Exception as error: print(is_disk_full(error), error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.safetensors"), str(HERE.parents[1])]

    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert said.startswith("True"), said


def test_threads_of_one_process_take_turns_too(tmp_path: Path, site: Path) -> None:
    cache = tmp_path / "cache"
    watched = [RecordedProgress() for _ in range(4)]

    def ensure(progress: RecordedProgress) -> Path:
        return ModelStore(cache, progress, manifest=tiny_manifest(), find=find_in(site)).ensure("tiny").path

    with ThreadPoolExecutor(4) as threads:
        paths = set(threads.map(ensure, watched))

    assert len(paths) == 1
    assert [label for progress in watched for label, _ in progress.steps].count("Joining tiny") == 1
