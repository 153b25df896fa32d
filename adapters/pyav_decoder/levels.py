"""How loud each channel of a recording is, frame by frame: what tells channels with a speaker of their own. Runs in the child.

Decisions depend on integers of the signal only, so they are the same on every machine.
"""

import numpy as np

from adapters.pyav_decoder.downmix import Samples
from adapters.pyav_decoder.limits import LEVEL_SAMPLES, MOST_LEVELS

LEAST_ENERGIES = np.array([round(10 ** (decibel / 10)) for decibel in range(91)])
"""The mean square that each level begins at: decibels over one step of 16 bits; the loudest there can be is 90."""


class Levels:
    """Takes the separate channels of a recording; tells their levels when it is over."""

    def __init__(self) -> None:
        self._rest: Samples | None = None
        self._parts: list[Samples] = []
        self._shapes = 0

    def begin(self, channels: int) -> None:
        """A stretch of so many channels begins. A recording that changes them on the way has no channels to speak of."""
        self._shapes += 1
        some = self._shapes == 1 and 2 <= channels <= MOST_LEVELS
        self._rest = np.empty((channels, 0), dtype=np.int16) if some else None

    def feed(self, channels: Samples) -> None:
        """Add samples of shape (n, k)."""
        if self._rest is None:
            return
        joined = np.concatenate((self._rest, channels), axis=1)
        whole = joined.shape[1] // LEVEL_SAMPLES * LEVEL_SAMPLES
        self._rest = joined[:, whole:]
        if whole:
            self._parts.append(_levels_of(joined[:, :whole]))

    def of_frames(self, count: int) -> tuple[bytes, ...]:
        """Return `count` levels of each channel, () where there are none; what is missing at the end is silence."""
        if self._rest is None or not self._parts:
            return ()
        levels = np.concatenate(self._parts, axis=1)[:, :count].astype(np.uint8)
        return tuple(bytes(channel).ljust(count, b"\0") for channel in levels)


def _levels_of(channels: Samples) -> Samples:
    """The levels of whole frames: of the energy around their mean, since a constant offset is no sound."""
    frames = channels.reshape(len(channels), -1, LEVEL_SAMPLES).astype(np.int64)
    energy = LEVEL_SAMPLES * (frames * frames).sum(axis=2) - frames.sum(axis=2) ** 2
    levels: Samples = np.searchsorted(LEAST_ENERGIES, energy // LEVEL_SAMPLES**2, side="right").astype(np.int16)
    return levels
