"""Where somebody speaks."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from domain.speech import DetectorScale


class SpeechDetector(Protocol):
    """Voice activity detection over a decoded recording."""

    @property
    @abstractmethod
    def frame_seconds(self) -> float:
        """Seconds of sound that one probability stands for."""

    @property
    @abstractmethod
    def scale(self) -> DetectorScale:
        """What its probabilities mean."""

    @abstractmethod
    async def probabilities(self, pcm: Path) -> Sequence[float]:
        """Return the probability of speech (0 to 1) per frame of the s16le mono 16 kHz file, in bounded memory."""
