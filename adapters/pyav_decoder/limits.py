"""What one decode may use."""

from dataclasses import dataclass

MIB = 1024 * 1024
BYTES_PER_SECOND = 32_000
"""s16le mono at 16 kHz."""


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

    def wall_seconds(self, max_seconds: float) -> float:
        return self.wall_grace_seconds + self.wall_per_cpu_second * self.cpu_seconds(max_seconds)
