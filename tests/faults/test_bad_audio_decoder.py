"""Hostile, damaged and misleading files: nothing breaks, nothing leaks, nothing is left."""

import asyncio
import json
import os
import random
import resource
import shutil
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from domain.audio import DecodedAudio
from domain.errors import InvalidAudio, TooLarge, UnsupportedAudio

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests/data/audio/bad"
EVALUATION = Path(os.environ.get("WORDLOOP_EVAL_DATA", ROOT.parent / "shared/data")) / "bad_audio"
REFUSALS = (InvalidAudio, UnsupportedAudio, TooLarge)
MAX_SECONDS = 7200.0
PROMPT_SECONDS = 5.0
PEAK_KIB = 400 * 1024


def manifest(folder: Path) -> list[dict[str, Any]]:
    path = folder / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


CASES = [pytest.param(KEPT / row["file"], row, id=f"kept-{row['file']}") for row in manifest(KEPT)]
CASES += [pytest.param(EVALUATION / row["file"], row, id=f"evaluation-{row['file']}") for row in manifest(EVALUATION)]


@pytest.fixture
def decoder() -> PyAvDecoder:
    return PyAvDecoder(DecodeLimits())


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for results, checked to be empty of leftovers at the end."""
    results = tmp_path / "results"
    results.mkdir()
    yield results
    assert not [path.name for path in results.iterdir() if path.name.startswith(".")]


async def outcome(decoder: PyAvDecoder, source: Path, target: Path) -> DecodedAudio | Exception:
    try:
        return await decoder.decode(source, target, MAX_SECONDS)
    except REFUSALS as caught:
        refusal = caught
    assert not target.exists()
    assert str(source.parent) not in refusal.detail
    return refusal


def cpu_seconds() -> float:
    """Processor time of all children that ended; unlike the wall clock it does not depend on who else uses the machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_kib() -> int:
    """The largest resident memory of any child so far, in KiB; 0 when it is not above that of this process.

    The kernel counts the memory that a child shares with its parent before exec, so a larger parent hides it.
    """
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if peak > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss else 0


def test_the_evaluation_set_is_here() -> None:
    if not manifest(EVALUATION):
        pytest.skip("the evaluation recordings are not here; set WORDLOOP_DATA to their folder")
    assert len(manifest(EVALUATION)) > 60


@pytest.mark.parametrize(("source", "row"), CASES)
async def test_every_file_of_the_corpus_ends_as_expected(
    decoder: PyAvDecoder, folder: Path, source: Path, row: dict[str, Any]
) -> None:
    before = cpu_seconds()
    result = await outcome(decoder, source, folder / "out.pcm")
    took = cpu_seconds() - before

    expected = row["expect"]
    if expected == "reject":
        assert isinstance(result, REFUSALS)
    if "reject" not in expected:
        assert isinstance(result, DecodedAudio)
    if expected == "partial":
        assert isinstance(result, DecodedAudio)
        assert result.damaged
    if expected == "transcribe":
        assert isinstance(result, DecodedAudio)
        assert not result.damaged
    if isinstance(result, DecodedAudio):
        size = Path(result.pcm_path).stat().st_size
        assert size == pytest.approx(result.seconds * 32_000)
        if row["duration_s"] and expected in ("transcribe", "no_speech"):
            assert result.seconds == pytest.approx(row["duration_s"], abs=0.05)
    else:
        assert took < PROMPT_SECONDS
    assert peak_kib() < PEAK_KIB


async def test_hours_of_silence_in_a_tiny_file_are_too_long(decoder: PyAvDecoder, folder: Path) -> None:
    with pytest.raises(TooLarge, match="7200 seconds"):
        await decoder.decode(KEPT / "silence_6h_tiny.flac", folder / "out.pcm", MAX_SECONDS)


@pytest.mark.parametrize(
    "disguise",
    [
        b"ffconcat version 1.0\nfile 'neighbour.wav'\n",
        b"\n\n  ffconcat version 1.0\nfile 'neighbour.wav'\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nneighbour.wav\n#EXT-X-ENDLIST\n",
        b"\x00\x01<MPD xmlns='urn:mpeg:dash:schema:mpd:2011' profiles='urn:mpeg:dash:profile:isoff-on-demand:2011'></MPD>",
        b"v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
        b"\x00\r\nc=IN IP4 127.0.0.1\r\nm=audio 5004 RTP/AVP 0\r\n",
        b"[Reference]\r\nRef1=neighbour.wav\r\n",
        b"<?xml version='1.0'?><SmoothStreamingMedia></SmoothStreamingMedia>",
    ],
)
async def test_a_file_that_names_a_neighbour_does_not_get_its_sound(
    decoder: PyAvDecoder, tmp_path: Path, folder: Path, disguise: bytes
) -> None:
    with wave.open(str(tmp_path / "neighbour.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(64_000))
    (tmp_path / "upload.wav").write_bytes(disguise)
    assert isinstance(await outcome(decoder, tmp_path / "upload.wav", folder / "out.pcm"), InvalidAudio | UnsupportedAudio)


async def test_the_known_concat_script_does_not_get_the_neighbour_it_names(
    decoder: PyAvDecoder, tmp_path: Path, folder: Path
) -> None:
    shutil.copy(KEPT / "concat_relative_named.mp3", tmp_path)
    with wave.open(str(tmp_path / "truncated.wav"), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes(bytes(64_000))
    with pytest.raises(UnsupportedAudio, match="playlist"):
        await decoder.decode(tmp_path / "concat_relative_named.mp3", folder / "out.pcm", MAX_SECONDS)


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp3",
        "%03d.mp3",
        "a%d?*[b].png",
        "pipe:0",
        "concat:a|b",
        "two\nlines",
        "Grüße 会議 🎧.m4a",
        "…" * 80,
        "x" * 255,
        "'\";$(id)",
    ],
)
async def test_a_name_is_never_read_as_anything_but_a_name(decoder: PyAvDecoder, tmp_path: Path, folder: Path, name: str) -> None:
    shutil.copy(KEPT / "cover_art.mp3", tmp_path / name)
    decoded = await decoder.decode(tmp_path / name, folder / "out.pcm", MAX_SECONDS)
    assert decoded.seconds == pytest.approx(4.905, abs=0.01)


@pytest.mark.slow
async def test_random_damage_never_does_more_than_fail_the_file(decoder: PyAvDecoder, tmp_path: Path, folder: Path) -> None:
    dice = random.Random(20_240_501)
    names = ["-leading-dash.mp3", "opus_named.m4a", "video_with_speech.mp4", "truncated.webm", "corrupt_middle.mp3", "10ms.wav"]
    for number in range(36):
        data = bytearray((KEPT / names[number % len(names)]).read_bytes())
        for _ in range(dice.choice((1, 8, 64))):
            data[dice.randrange(len(data)) if dice.random() < 0.5 else dice.randrange(min(200, len(data)))] = dice.randrange(256)
        (tmp_path / "damaged").write_bytes(data)
        before = cpu_seconds()
        await outcome(decoder, tmp_path / "damaged", folder / "out.pcm")
        assert cpu_seconds() - before < PROMPT_SECONDS
    assert peak_kib() < PEAK_KIB


def tag_bomb(path: Path) -> Path:
    """A good MP3 behind a private tag of 250 MB that takes no disk space; unbounded, reading it takes 2.7 GiB of memory."""
    size = 250_000_000

    def syncsafe(number: int) -> bytes:
        return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))

    with path.open("wb") as out:
        out.write(b"ID3\x04\x00\x00" + syncsafe(size) + b"PRIV" + syncsafe(size - 10) + b"\x00\x00owner\x00")
        out.truncate(size + 10)
        out.seek(0, os.SEEK_END)
        out.write((KEPT / "-leading-dash.mp3").read_bytes())
    return path


async def test_a_tag_larger_than_the_memory_limit_does_not_take_the_memory(tmp_path: Path, folder: Path) -> None:
    memory = 320 * 1024 * 1024
    source = tag_bomb(tmp_path / "tagged.mp3")
    result = await outcome(PyAvDecoder(DecodeLimits(memory_bytes=memory)), source, folder / "out.pcm")
    assert peak_kib() * 1024 < memory
    assert isinstance(result, DecodedAudio) or "memory" in str(result)


async def test_twenty_files_at_once_do_not_mix_and_leave_nothing(decoder: PyAvDecoder, tmp_path: Path, folder: Path) -> None:
    sources = [KEPT / name for name in ("cover_art.mp3", "opus_named.m4a", "zero_bytes.wav", "text_named.mp3")]
    alone = [await outcome(decoder, source, folder / "alone.pcm") for source in sources]
    open_before, pages_before = len(os.listdir("/proc/self/fd")), int(Path("/proc/self/statm").read_text().split()[1])

    results = await asyncio.gather(*(outcome(decoder, sources[n % 4], folder / f"{n}.pcm") for n in range(20)))

    for number, result in enumerate(results):
        expected = alone[number % 4]
        if isinstance(expected, DecodedAudio):
            assert isinstance(result, DecodedAudio)
            assert result.seconds == expected.seconds
        else:
            assert type(result) is type(expected)
    assert len(os.listdir("/proc/self/fd")) == open_before
    grown = int(Path("/proc/self/statm").read_text().split()[1]) - pages_before
    assert grown * resource.getpagesize() < 20 * 1024 * 1024
    assert sorted(path.name for path in folder.glob("*.pcm") if path.name != "alone.pcm") == sorted(
        f"{n}.pcm" for n in range(20) if n % 4 < 2
    )
