"""How long a child may take: in proportion to the sound that has come out, and to the recording's own size."""

import asyncio
from pathlib import Path

import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import SPEECH_BYTES_PER_SECOND, DecodeLimits
from domain.errors import InvalidAudio

THREE_HOURS = 3 * 3600.0
QUICK = DecodeLimits(cpu_grace_seconds=0, wall_grace_seconds=0.5, wall_per_cpu_second=0.1)
"""0.6 s, and a further 0.1 s for each 20 s of sound; for three hours that makes 54 s."""
PATIENCE_S = 20.0
HEAD = """
import json, os, sys, time
target = json.loads(sys.argv[1])["target"]
def make(seconds):
    os.write(target, bytes(int(seconds * 32_000)))
"""
HONEST = """
report = {"container": "wav", "codec": "pcm_s16le", "channels": 1, "sample_rate": 16000, "damaged": False}
print(json.dumps(report | {"bytes": os.fstat(target).st_size}))
"""


def decoder(folder: Path, behaviour: str, limits: DecodeLimits = QUICK) -> PyAvDecoder:
    child = folder / "child.py"
    child.write_text(HEAD + behaviour)
    return PyAvDecoder(limits, child)


def recording(folder: Path, seconds: float) -> Path:
    """A file that is large enough to hold so much speech; it takes no disk space."""
    with (folder / "recording").open("wb") as out:
        out.truncate(int(seconds * SPEECH_BYTES_PER_SECOND))
    return folder / "recording"


def test_by_default_a_silent_child_has_a_minute_however_long_recordings_may_be() -> None:
    assert DecodeLimits().wall_seconds(0.0) < 60.0
    assert DecodeLimits().wall_seconds(600.0) < 300.0


@pytest.mark.parametrize(
    "behaviour", ["time.sleep(3600)", "make(5); time.sleep(3600)", "sys.stdout.close(); os.close(1); time.sleep(3600)"]
)
async def test_a_sleeping_child_ends_soon_also_where_hours_are_allowed(tmp_path: Path, behaviour: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(InvalidAudio, match="took too long"):
            await decoder(tmp_path, behaviour).decode(recording(tmp_path, THREE_HOURS), tmp_path / "out.pcm", THREE_HOURS)


async def test_a_child_that_dribbles_sound_gets_no_more_time_than_its_recording_explains(tmp_path: Path) -> None:
    dribble = "while True: make(20); time.sleep(0.05)"
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(InvalidAudio, match="took too long"):
            await decoder(tmp_path, dribble).decode(recording(tmp_path, 60.0), tmp_path / "out.pcm", THREE_HOURS)


async def test_a_long_recording_has_the_time_that_its_sound_explains(tmp_path: Path) -> None:
    limits = DecodeLimits(cpu_grace_seconds=0, wall_grace_seconds=2.0, wall_per_cpu_second=0.1)  # 2.1 s without sound
    behaviour = "for _ in range(30): make(100); time.sleep(0.1)\n" + HONEST
    decoded = await decoder(tmp_path, behaviour, limits).decode(recording(tmp_path, 3000.0), tmp_path / "out.pcm", THREE_HOURS)
    assert decoded.seconds == 3000.0
