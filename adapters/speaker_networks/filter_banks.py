"""Log energies of a mel filter bank as Kaldi computes them, without dither: what the voice network learnt from."""

from functools import cache

import numpy as np
import numpy.typing as npt

from domain.audio import SAMPLE_RATE

Array = npt.NDArray[np.float32]

FRAME, STEP = 400, 160
"""Samples of a frame (25 ms), and from one to the next (10 ms)."""
FFT = 512
BANKS = 80
LOWEST_HZ = 20.0
PREEMPHASIS = 0.97
FLOOR = np.float32(np.finfo(np.float32).eps)
"""The least energy that a logarithm is taken of."""


def filter_banks(samples: Array) -> Array:
    """Return log energies of shape (frames, 80) of sound between -1 and 1 at 16 kHz; no frame reaches beyond it."""
    if len(samples) < FRAME:
        return np.zeros((0, BANKS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::STEP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    spectrum = np.fft.rfft((frames - np.float32(PREEMPHASIS) * before) * _window(), FFT)[:, : FFT // 2]
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(np.maximum(power @ _triangles(), FLOOR)), np.float32)


@cache
def _window() -> Array:
    """Povey's window: Hann to the power of 0.85."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))
    return (hann**0.85).astype(np.float32)


@cache
def _triangles() -> Array:
    """Weights of shape (256, 80): triangles of equal width on the mel scale, from 20 Hz to half the sampling rate."""
    edges = np.linspace(_mel(LOWEST_HZ), _mel(SAMPLE_RATE / 2), BANKS + 2)
    at = _mel(np.arange(FFT // 2) * SAMPLE_RATE / FFT)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (at - left) / (centre - left), (right - at) / (right - centre)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _mel(hertz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz, np.float64) / 700.0))
