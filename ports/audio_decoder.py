"""Bytes of any container to sound."""

from abc import abstractmethod
from pathlib import Path
from typing import Protocol

from domain.audio import DecodedAudio


class AudioDecoder(Protocol):
    """Decodes untrusted audio and video files within bounds of time, memory and output."""

    @abstractmethod
    async def decode(self, source: Path, target: Path, max_seconds: float, channel: int | None = None) -> DecodedAudio:
        """Decode the first audio stream of `source` to s16le mono 16 kHz at `target`: all channels mixed, or one of them.

        `channel` counts from 0; UnsupportedAudio is raised for one that is not there.

        Raises InvalidAudio, UnsupportedAudio or TooLarge (longer than `max_seconds`), within seconds whatever the file
        claims, and leaves no file behind then. Follows no reference from the file to anything else.
        """
