"""The sound of a stretch of a decoded recording."""

from pathlib import Path

from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, Span


def sound_of(pcm: Path, span: Span) -> bytes:
    """Return the samples of `span` (seconds) of a file of s16le mono 16 kHz; less where the file ends, whole samples always."""
    first, last = (round(time * SAMPLE_RATE) * BYTES_PER_SAMPLE for time in (span.start, span.end))
    with pcm.open("rb") as file:
        file.seek(first)
        data = file.read(last - first)
    return data[: len(data) - len(data) % BYTES_PER_SAMPLE]
