"""The child that decodes: it can be killed, it dies with its parent, it is held to its limits, and it can reach nothing."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from domain.errors import InvalidAudio, TooLarge

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/data/audio/bad"
MAX_SECONDS = 7200.0


@pytest.fixture
def decoder() -> PyAvDecoder:
    return PyAvDecoder(DecodeLimits())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    results.mkdir()
    return results


def slow_recording(path: Path) -> Path:
    """Minutes of work in a file that takes no disk space: 96 kHz, 8 channels of 64-bit float, all zero."""
    size, rate, channels = 4_000_000_000, 96_000, 8
    form = b"".join(
        number.to_bytes(width, "little")
        for number, width in ((3, 2), (channels, 2), (rate, 4), (rate * channels * 8, 4), (channels * 8, 2), (64, 2))
    )
    with path.open("wb") as out:
        out.write(b"RIFF" + (size + 36).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little") + form)
        out.write(b"data" + size.to_bytes(4, "little"))
        out.truncate(size + 44)
    return path


async def child_at_work(folder: Path) -> int:
    """The process id of the child, once sound has come out of it and so once it is confined."""
    while not any(path.stat().st_size for path in folder.glob(".decoding-*")):
        await asyncio.sleep(0)
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return int(children[-1])


@contextmanager
def watched(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def test_cancelling_kills_the_child_and_leaves_nothing(decoder: PyAvDecoder, tmp_path: Path, folder: Path) -> None:
    task = asyncio.create_task(decoder.decode(slow_recording(tmp_path / "slow.wav"), folder / "out.pcm", MAX_SECONDS))
    pid = await child_at_work(folder)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not Path(f"/proc/{pid}").exists()
    assert list(folder.iterdir()) == []


def children() -> set[str]:
    """Processes this one has started; a server of another test may be among them."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


async def test_cancelling_while_the_child_starts_kills_it_too(decoder: PyAvDecoder, tmp_path: Path, folder: Path) -> None:
    source = slow_recording(tmp_path / "slow.wav")
    before = children()
    for turns in range(12):
        task = asyncio.create_task(decoder.decode(source, folder / "out.pcm", MAX_SECONDS))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list(folder.iterdir()) == []
        assert children() == before


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
async def test_a_child_that_dies_fails_the_file_and_not_the_service(
    decoder: PyAvDecoder, tmp_path: Path, folder: Path, number: signal.Signals
) -> None:
    task = asyncio.create_task(decoder.decode(slow_recording(tmp_path / "slow.wav"), folder / "out.pcm", MAX_SECONDS))
    os.kill(await child_at_work(folder), number)
    with pytest.raises(InvalidAudio, match="broke down"):
        await task
    assert list(folder.iterdir()) == []
    assert (await decoder.decode(KEPT / "cover_art.mp3", folder / "out.pcm", MAX_SECONDS)).seconds > 4


async def test_the_child_dies_with_its_parent(tmp_path: Path, folder: Path) -> None:
    script = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/tests/faults"]
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from test_bad_audio_decoder_process import child_at_work
async def main():
    folder = Path(sys.argv[3])
    task = asyncio.create_task(PyAvDecoder(DecodeLimits()).decode(Path(sys.argv[2]), folder / "out.pcm", 7200.0))
    print(await child_at_work(folder), flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    source = slow_recording(tmp_path / "slow.wav")
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT), str(source), str(folder)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent, watched(int(parent.stdout.readline())) as child:
        parent.stdin.write("\n")
        parent.stdin.flush()
        ended, _, _ = select.select([child], [], [], 10.0)
    assert ended, "the decoder outlived the process that started it"
    for partial in folder.glob(".decoding-*"):  # nobody was left to remove it
        partial.unlink()


async def test_the_child_has_no_secrets_no_privileges_and_no_way_out(
    tmp_path: Path, folder: Path, decoder: PyAvDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDLOOP_SECRET", "canary-8d21")
    task = asyncio.create_task(decoder.decode(slow_recording(tmp_path / "slow.wav"), folder / "out.pcm", MAX_SECONDS))
    process = Path(f"/proc/{await child_at_work(folder)}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert int(status["CapEff"], 16) == 0
    assert (status["Seccomp"], status["Threads"]) == ("2", "1")
    assert status["NoNewPrivs"] == "1"
    limits = {line[:26].strip(): line[26:].split()[1] for line in (process / "limits").read_text().splitlines()[1:]}
    assert limits["Max address space"] == str(DecodeLimits().memory_bytes)
    assert limits["Max core file size"] == "0"
    assert limits["Max processes"] == "0"
    with suppress(PermissionError):  # only root may look further into a process that gave up its identity
        assert b"canary-8d21" not in (process / "environ").read_bytes()
        assert {os.readlink(link) for link in (process / "fd").iterdir() if "/slow.wav" in os.readlink(link)}
        assert len(list((process / "fd").iterdir())) == 6
        if os.geteuid() == 0:
            assert status["Uid"].split() == ["65534"] * 4
            assert list((process / "root").iterdir()) == []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_processor_time_that_the_sound_does_not_explain_ends_the_decode(tmp_path: Path, folder: Path) -> None:
    decoder = PyAvDecoder(DecodeLimits(cpu_grace_seconds=0, sound_per_cpu_second=1_000_000.0))
    with pytest.raises(InvalidAudio, match="computing time"):
        await decoder.decode(slow_recording(tmp_path / "slow.wav"), folder / "out.pcm", MAX_SECONDS)


async def test_processor_time_that_the_sound_explains_is_granted(folder: Path) -> None:
    decoder = PyAvDecoder(DecodeLimits(cpu_grace_seconds=0))  # one second; more than that is needed here
    with pytest.raises(TooLarge):
        await decoder.decode(KEPT / "silence_6h_tiny.flac", folder / "out.pcm", 20_000.0)


async def test_a_child_that_does_not_end_is_given_up(tmp_path: Path, folder: Path) -> None:
    decoder = PyAvDecoder(DecodeLimits(wall_grace_seconds=0.2, wall_per_cpu_second=0.0))
    with pytest.raises(InvalidAudio, match="too long"):
        await decoder.decode(slow_recording(tmp_path / "slow.wav"), folder / "out.pcm", MAX_SECONDS)
    assert list(folder.iterdir()) == []
