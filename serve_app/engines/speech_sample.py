"""Some seconds of the bundled recording as the transcriber hears it."""

from typing import Final

from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from serve_app.demo import RECORDING

SECONDS: Final = 12.0
"""Two sentences. A full window of 30 s gives about twice the rate, which the first pass of a real recording then teaches."""


def speech_sample() -> bytes:
    """Return s16le mono sound at 16 kHz. The file comes with this package, so it is decoded in this process."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    wanted = int(SECONDS * SAMPLE_RATE) * BYTES_PER_SAMPLE
    pcm = bytearray()
    with av.open(str(RECORDING)) as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                pcm += piece.to_ndarray().tobytes()
            if len(pcm) >= wanted:
                break
    return bytes(pcm[:wanted])
