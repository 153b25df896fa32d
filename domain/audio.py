"""Sound as the models hear it: 16 kHz, mono, signed 16-bit little-endian."""

from dataclasses import dataclass

from domain.canonical import sha256_of

SAMPLE_RATE = 16_000
"""Hz. What Whisper and Silero VAD were trained on."""
BYTES_PER_SAMPLE = 2
LEVEL_FRAME_S = 0.05
"""Seconds of one level of loudness."""
WINDOW_SECONDS = 30.0
"""The receptive field of Whisper's encoder."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds from the start of the recording."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """At most `WINDOW_SECONDS` of sound around speech, cut at silence: the input of one transcription call.

    `pcm` is s16le mono at `SAMPLE_RATE`; `speech` are the stretches inside it that hold speech, in seconds of
    the recording. The content key depends on the sound only, never on where in a recording it stands.
    """

    index: int
    start: float
    end: float
    pcm: bytes
    speech: tuple[Span, ...] = ()
    left: float = 0.0
    """Seconds of the recording's windows from this one on: what its owner still waits for."""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)

    @property
    def sha256(self) -> str:
        return sha256_of(self.pcm)


@dataclass(frozen=True, slots=True)
class DecodedAudio:
    """A recording decoded to s16le mono 16 kHz in the file `pcm_path`.

    `damaged` is set when the container or codec reported errors, or promised more than it held, and what
    could be decoded is served. `levels`: how loud each channel is, one byte for every `LEVEL_FRAME_S`, in decibels over one
    step of 16 bits; none of a recording with one channel, with very many, or with now this many and now that.
    """

    pcm_path: str
    seconds: float
    container: str
    codec: str
    channels: int
    sample_rate: int
    damaged: bool = False
    levels: tuple[bytes, ...] = ()
