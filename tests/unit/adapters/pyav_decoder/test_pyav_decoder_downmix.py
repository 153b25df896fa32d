"""The downmix keeps speech that a plain average would lose, and otherwise changes nothing."""

import numpy as np
import pytest

from adapters.pyav_decoder.downmix import BLOCK, FADE, Downmix, Samples, plain_mean


def noise(seed: int, seconds: float, level: float = 3000.0) -> Samples:
    return (np.random.default_rng(seed).normal(0, level, int(seconds * 16_000))).clip(-32000, 32000).astype(np.int16)


def mixed_down(*channels: Samples, step: int = 5_000) -> Samples:
    stacked = np.stack(channels)
    mix = plain_mean(stacked)
    out = bytearray()
    downmix = Downmix(len(channels), out.extend)
    for start in range(0, stacked.shape[1], step):
        downmix.feed(mix[start : start + step], stacked[:, start : start + step])
    downmix.finish()
    return np.frombuffer(bytes(out), dtype=np.int16)


def test_equal_channels_pass_as_ffmpeg_mixed_them() -> None:
    voice = noise(1, 3.3)
    assert np.array_equal(mixed_down(voice, voice), voice)


def test_unrelated_channels_pass_as_ffmpeg_mixed_them() -> None:
    left, right = noise(1, 3.3), noise(2, 3.3)
    assert np.array_equal(mixed_down(left, right), plain_mean(np.stack((left, right))))


def test_opposite_channels_give_one_of_them_and_not_silence() -> None:
    voice = noise(1, 3.3)
    assert np.array_equal(mixed_down(voice, -voice), voice)


def test_a_channel_that_was_never_heard_does_not_halve_the_other() -> None:
    voice, dead = noise(1, 3.3), noise(2, 3.3, level=2.0)
    assert np.array_equal(mixed_down(dead, voice), voice)


def test_two_speakers_on_two_channels_are_both_kept_once_both_were_heard() -> None:
    silence = np.zeros(BLOCK * 2, dtype=np.int16)
    first, second = noise(1, 2), noise(2, 2)
    left, right = np.concatenate((first, silence, first)), np.concatenate((silence, second, second))
    out = mixed_down(left, right)
    mix = plain_mean(np.stack((left, right)))
    assert np.array_equal(out[: 2 * BLOCK], first)
    assert np.array_equal(out[2 * BLOCK + FADE :], mix[2 * BLOCK + FADE :])


def test_an_offset_on_one_channel_is_no_sound() -> None:
    voice = noise(1, 3)
    offset = np.full_like(voice, 12_000)
    out = mixed_down(voice, (-voice.astype(np.int32) + offset).clip(-32768, 32767).astype(np.int16))
    assert np.corrcoef(out, voice)[0, 1] ** 2 > 0.9


def test_a_stretch_with_opposite_channels_is_replaced_alone_after_a_short_fade() -> None:
    time = np.arange(6 * BLOCK) / 16_000
    tone = (8_000 * np.sin(2 * np.pi * 220 * time)).astype(np.int16)
    right = tone.copy()
    right[2 * BLOCK : 4 * BLOCK] *= -1
    out = mixed_down(tone, right)
    replaced = 2 * BLOCK
    assert np.array_equal(out[:replaced], tone[:replaced])
    assert np.array_equal(out[replaced + FADE :], tone[replaced + FADE :])
    assert np.abs(np.diff(out.astype(np.int32))[replaced:]).max() <= np.abs(np.diff(tone.astype(np.int32))).max() * 1.2


def test_the_loudest_channel_is_kept_until_another_is_much_louder() -> None:
    voice = noise(1, 4)
    slightly_more = (-1.2 * voice[2 * BLOCK :]).astype(np.int16)
    out = mixed_down(voice, np.concatenate((-voice[: 2 * BLOCK], slightly_more)))
    assert np.array_equal(out, voice)


def test_silence_stays_silence() -> None:
    silence = np.zeros(BLOCK + 7, dtype=np.int16)
    assert np.array_equal(mixed_down(silence, silence, silence), silence)


@pytest.mark.parametrize("step", [1_601, 16_000, 40_000])
def test_the_result_does_not_depend_on_how_the_sound_was_cut(step: int) -> None:
    left, right = noise(1, 5), np.concatenate((-noise(1, 2), noise(3, 3)))
    assert np.array_equal(mixed_down(left, right, step=step), mixed_down(left, right, step=5_000))
