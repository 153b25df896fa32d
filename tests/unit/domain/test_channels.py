"""Channels that each have a speaker are told from stereo, by real speech through the real decoder."""

import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.downmix import Samples
from adapters.pyav_decoder.levels import Levels
from adapters.pyav_decoder.limits import LEVEL_SAMPLES, DecodeLimits
from domain.audio import LEVEL_FRAME_S, SAMPLE_RATE, DecodedAudio
from domain.channels import ChannelTurns, channel_turns

ROOT = Path(__file__).parents[3]
SPOKEN = ROOT / "tests/data/speech"
SPEECH = Path(os.environ.get("WORDLOOP_EVAL_DATA", ROOT.parent / "shared/data")) / "speech"
STEREO = ["format-p001.wav", "format-p001.mp3", "format-p001.aac", "jfk.flac", "librivox-en-example7.mp3", "sonnet-2.mp3"]
"""Recordings of one voice in two channels."""


def voice(name: str) -> Samples:
    """A committed recording at 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(SPOKEN / name)) as container:
        frames = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(frames)


KENNEDY, READER = voice("jfk.ogg"), voice("librispeech-198-209-0000.ogg")


def quieter(samples: Samples, decibels: float) -> Samples:
    return np.rint(samples * 10 ** (-decibels / 20)).astype(np.int16)


def mixed(*parts: Samples) -> Samples:
    return np.sum([part.astype(np.int32) for part in parts], axis=0).clip(-32768, 32767).astype(np.int16)


SHORTER = min(len(KENNEDY), len(READER))
TOGETHER = mixed(KENNEDY[:SHORTER], READER[:SHORTER])
HISS = np.random.default_rng(1).normal(0, 30, len(KENNEDY)).astype(np.int16)


async def decoded(folder: Path, *channels: Samples) -> DecodedAudio:
    path = folder / "call.wav"
    with wave.open(str(path), "wb") as out:
        out.setnchannels(len(channels))
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(np.stack(channels, axis=1).astype("<i2").tobytes())
    return await PyAvDecoder(DecodeLimits(processes=1)).decode(path, folder / "out.pcm", 600.0)


def in_turns() -> tuple[Samples, Samples]:
    """One speaks, then the other, then the first again."""
    silence, pause = np.zeros_like(READER), np.zeros_like(KENNEDY)
    return np.concatenate((KENNEDY, silence, KENNEDY)), np.concatenate((pause, READER, pause))


def assert_told_in_turns(found: ChannelTurns) -> None:
    """Whoever speaks second is heard while that one speaks, and nobody else is then."""
    change, back = len(KENNEDY) / SAMPLE_RATE, (len(KENNEDY) + len(READER)) / SAMPLE_RATE
    theirs = [turn for turn in found.turns if turn.speaker == 1]

    assert (found.apart, found.speakers) == (True, 2)
    assert theirs
    assert all(change - 0.1 <= turn.start < turn.end <= back + 0.1 for turn in theirs)
    assert sum(turn.end - turn.start for turn in theirs) > 0.5 * (back - change)
    assert all(turn.end <= change + 0.1 or turn.start >= back - 0.1 for turn in found.turns if turn.speaker == 0)


async def test_two_telephones_are_two_speakers_at_their_own_times(tmp_path: Path) -> None:
    assert_told_in_turns(channel_turns((await decoded(tmp_path, *in_turns())).levels))


@pytest.mark.parametrize("gain", [0.0, 12.0, 24.0])
async def test_microphones_that_hear_the_other_one_quietly_are_told_apart_whatever_their_gain(
    tmp_path: Path, gain: float
) -> None:
    first, second = in_turns()
    left, right = mixed(first, quieter(second, 20)), quieter(mixed(second, quieter(first, 20)), gain)
    assert_told_in_turns(channel_turns((await decoded(tmp_path, left, right)).levels))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (KENNEDY, KENNEDY),
        (KENNEDY, quieter(KENNEDY, 15)),
        (KENNEDY, -np.maximum(KENNEDY, -32767)),
        (
            mixed(KENNEDY[: len(READER)], READER[: len(KENNEDY)]),
            quieter(mixed(KENNEDY[: len(READER)], READER[: len(KENNEDY)]), 3),
        ),
        (KENNEDY, np.zeros_like(KENNEDY)),
        (KENNEDY, HISS),
        (in_turns()[0], np.tile(quieter(HISS, -20), 3)),
        (KENNEDY, mixed(KENNEDY, HISS)),
    ],
    ids=["copy", "quieter", "inverted", "two voices in both", "dead", "hiss", "loud hiss", "noisy copy"],
)
async def test_channels_that_hold_the_same_or_nothing_are_not_speakers(tmp_path: Path, left: Samples, right: Samples) -> None:
    shortest = min(len(left), len(right))
    assert not channel_turns((await decoded(tmp_path, left[:shortest], right[:shortest])).levels).apart


async def test_two_voices_panned_a_little_to_either_side_are_not_told_by_their_channels(tmp_path: Path) -> None:
    first, second = in_turns()
    found = channel_turns((await decoded(tmp_path, mixed(first, quieter(second, 6)), mixed(second, quieter(first, 6)))).levels)

    assert not found.apart


async def test_more_channels_tell_speakers_only_for_who_asks(tmp_path: Path) -> None:
    first, second = in_turns()
    found = channel_turns((await decoded(tmp_path, first, second, np.zeros_like(first))).levels)

    assert (found.apart, found.speakers) == (False, 2)


async def test_a_real_call_with_one_speaker_a_channel_is_told_apart(tmp_path: Path) -> None:
    if not (SPEECH / "stereo-2ch.wav").exists():
        pytest.skip("the evaluation recordings are not here; set WORDLOOP_EVAL_DATA to their folder")
    audio = await PyAvDecoder(DecodeLimits()).decode(SPEECH / "stereo-2ch.wav", tmp_path / "out.pcm", 60.0)
    found = channel_turns(audio.levels)

    assert (found.apart, found.speakers) == (True, 2)


@pytest.mark.parametrize("name", STEREO)
async def test_real_stereo_of_one_voice_is_not_two_speakers(tmp_path: Path, name: str) -> None:
    if not (SPEECH / name).exists():
        pytest.skip("the evaluation recordings are not here; set WORDLOOP_EVAL_DATA to their folder")
    audio = await PyAvDecoder(DecodeLimits()).decode(SPEECH / name, tmp_path / "out.pcm", 60.0)

    assert len(audio.levels) == 2
    assert not channel_turns(audio.levels).apart


async def test_levels_are_as_long_as_the_sound_and_of_several_channels_only(tmp_path: Path) -> None:
    assert LEVEL_FRAME_S == LEVEL_SAMPLES / SAMPLE_RATE
    stereo, mono = await decoded(tmp_path, KENNEDY, KENNEDY), await decoded(tmp_path, KENNEDY)

    assert [len(channel) for channel in stereo.levels] == 2 * [-(-round(stereo.seconds * SAMPLE_RATE) // LEVEL_SAMPLES)]
    assert mono.levels == ()
    assert (await decoded(tmp_path, *[KENNEDY[:16_000]] * 9)).levels == ()


def test_levels_are_decibels_over_one_step_whatever_pieces_the_sound_comes_in() -> None:
    square = np.tile(np.array([1000, -1000], dtype=np.int16), 2000)
    whole, pieces = Levels(), Levels()
    whole.begin(2)
    pieces.begin(2)
    whole.feed(np.stack((square, square + 5000)))
    for at in range(0, 4000, 700):
        pieces.feed(np.stack((square, square + 5000))[:, at : at + 700])

    assert whole.of_frames(5) == pieces.of_frames(5)
    assert [set(channel) for channel in whole.of_frames(5)] == [{61}, {61}]


def test_a_recording_that_changes_its_channels_has_no_levels() -> None:
    levels = Levels()
    levels.begin(2)
    levels.feed(np.ones((2, 1600), dtype=np.int16))
    levels.begin(1)

    assert levels.of_frames(2) == ()


def test_nothing_heard_is_nobody() -> None:
    assert channel_turns([bytes(40), bytes(40)]) == channel_turns([])
