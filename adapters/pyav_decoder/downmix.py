"""Many channels to one, without losing speech that cancels or halving speech that sits on one side.

FFmpeg's own downmix is kept sample for sample wherever it is sound, so ordinary recordings come out as from any other
Whisper front end. It is replaced, block by block, in two cases (docs/adr/0004):

- Cancellation. For channels c with energies E_c the average has the energy sum(E_c) / n^2 when they are unrelated, n times
  that when they are equal, and nothing when they are opposite. Below a fifth of the unrelated value (a correlation of two
  equal channels under -0.8) the loudest channel is taken.
- One channel. While a single channel has carried any sound since the start, that channel is taken at its full level.

Decisions depend on integers of the signal only, so they are the same on every machine.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

BLOCK = 16_000
"""Samples per decision: one second, longer than a word and shorter than a sentence."""
FADE = 160
"""Samples over which one choice passes into the next: 10 ms, too short to blur speech and long enough not to click."""
CANCELLED_BELOW = 0.2
"""Energy of the mix over that of unrelated channels: a correlation of -0.8."""
RESTORED_ABOVE = 0.4
"""Higher than `CANCELLED_BELOW`, so that a recording at the border does not flutter."""
HEARD_PEAK = 32
"""Sample value: -60 dB of full scale; dead inputs and dither stay below it."""
KEEP_WITHIN = 4
"""Energy ratio (6 dB) up to which the channel taken before is kept."""
MIX = -1


class Downmix:
    """Takes FFmpeg's mix and the separate channels of the same stretch, and hands s16 mono blocks to `write`."""

    def __init__(self, channels: int, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._heard = np.zeros(channels, dtype=bool)
        self._choice = MIX
        self._has_chosen = False
        self._mix: Samples = np.empty(0, dtype=np.int16)
        self._channels: Samples = np.empty((channels, 0), dtype=np.int16)

    def feed(self, mix: Samples, channels: Samples) -> None:
        """Add samples: `mix` of shape (k,), `channels` of shape (n, j)."""
        self._mix = np.concatenate((self._mix, mix))
        self._channels = np.concatenate((self._channels, channels), axis=1)
        while min(self._mix.size, self._channels.shape[1]) >= BLOCK:
            self._emit(BLOCK)

    def finish(self) -> None:
        rest = min(self._mix.size, self._channels.shape[1])
        if rest:
            self._emit(rest)

    def _emit(self, length: int) -> None:
        mix, channels = self._mix[:length], self._channels[:, :length]
        self._mix, self._channels = self._mix[length:], self._channels[:, length:]
        before, self._choice = self._choice, self._decide(mix, channels)
        block = _taken(self._choice, mix, channels)
        if self._has_chosen and before != self._choice:
            block = _faded(_taken(before, mix, channels), block)
        self._has_chosen = True
        self._write(block.tobytes())

    def _decide(self, mix: Samples, channels: Samples) -> int:
        self._heard |= np.abs(channels.astype(np.int32)).max(axis=1) > HEARD_PEAK
        if np.count_nonzero(self._heard) <= 1:
            return int(np.argmax(self._heard)) if self._heard.any() else MIX
        energies = [_energy(channel) for channel in channels]
        unrelated = sum(energies) / len(energies) ** 2
        threshold = CANCELLED_BELOW if self._choice == MIX else RESTORED_ABOVE
        loudest = max(range(len(energies)), key=energies.__getitem__)
        if np.abs(channels[loudest].astype(np.int32)).max() <= HEARD_PEAK or _energy(mix) >= threshold * unrelated:
            return MIX
        if self._choice != MIX and energies[self._choice] * KEEP_WITHIN >= energies[loudest]:
            return self._choice
        return loudest


def plain_mean(channels: Samples) -> Samples:
    """The average of channels of shape (n, k), for layouts that FFmpeg has no mix for."""
    average: Samples = np.rint(channels.mean(axis=0, dtype=np.float64)).astype(np.int16)
    return average


def _energy(samples: Samples) -> int:
    """Energy around the mean, times the length: a constant offset is no sound."""
    wide = samples.astype(np.int64)
    return len(samples) * int(np.dot(wide, wide)) - int(wide.sum()) ** 2


def _taken(choice: int, mix: Samples, channels: Samples) -> Samples:
    return mix if choice == MIX else channels[choice]


def _faded(old: Samples, new: Samples) -> Samples:
    length = min(FADE, len(new))
    rise = np.arange(1, length + 1) / (length + 1)
    faded = new.copy()
    faded[:length] = np.rint(old[:length] * (1 - rise) + new[:length] * rise).astype(np.int16)
    return faded
