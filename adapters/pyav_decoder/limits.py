"""What one decode may use."""

from dataclasses import dataclass

MIB = 1024 * 1024
BYTES_PER_SECOND = 32_000
"""s16le mono at 16 kHz."""
SPEECH_BYTES_PER_SECOND = 500
"""4 kbit/s, below every speech codec here; a header that claims less sound per byte is not believed."""
LEVEL_SAMPLES = 800
"""Samples of one level of loudness: 50 ms, shorter than any word."""
MOST_LEVELS = 8
"""Channels whose levels are told: of more, nobody has a speaker in each, and their levels would be as much as the sound."""


def level_frames(sound_bytes: int) -> int:
    """Return how many levels each channel of the sound has, which is s16le mono at 16 kHz."""
    return -(-sound_bytes // (2 * LEVEL_SAMPLES))


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Bounds on each child process; a file that needs more is refused.

    The measurements behind the defaults are in docs/adr/0004: importing PyAV and NumPy maps 198 MiB, the worst file of the
    evaluation set peaks at 58 MiB resident, and the common lossy codecs decode about 400 seconds of sound in one second of
    processor time.
    """

    memory_bytes: int = 640 * MIB
    """Address space of the child, so also a bound on its resident memory."""
    cpu_grace_seconds: int = 5
    """Processor time before the first sound must have come out; one 20 MiB picture tag costs far less."""
    sound_per_cpu_second: float = 20.0
    """Seconds of sound that each further second of processor time must yield."""
    wall_grace_seconds: float = 20.0
    wall_per_cpu_second: float = 6.0
    """How far a busy machine may stretch processor time before the child is given up."""
    processes: int = 4
    """Decodes at once; further ones wait."""
    min_sample_rate: int = 4_000
    """Hz. Below it no speech is intelligible; telephony is 8,000."""
    max_sample_rate: int = 768_000
    """Hz. The highest rate of any audio interface on sale."""
    max_channels: int = 32

    def output_bytes(self, max_seconds: float) -> int:
        return int(max_seconds * BYTES_PER_SECOND) // 2 * 2

    def cpu_seconds(self, sound_seconds: float) -> int:
        """Processor seconds granted to a child that has produced `sound_seconds` of sound."""
        return self.cpu_grace_seconds + 1 + int(sound_seconds / self.sound_per_cpu_second)

    def wall_seconds(self, sound_seconds: float) -> float:
        """Seconds that may have passed for a child that has produced `sound_seconds` of sound."""
        return self.wall_grace_seconds + self.wall_per_cpu_second * self.cpu_seconds(sound_seconds)
