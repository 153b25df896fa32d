"""Voice activity detection with the Silero model that ships inside faster-whisper."""

import asyncio
from array import array
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.errors import StorageFailed
from domain.speech import DetectorScale
from ports.speech_detector import SpeechDetector

FRAME_SAMPLES = 512
"""Samples per probability at 16 kHz (32 ms), and"""
CONTEXT_SAMPLES = 64
"""samples of the frame before that the model sees with them: fixed by Silero v6."""
STATE_WIDTH = 128
BLOCK_FRAMES = 1024
"""Frames per model call: 33 s of sound, about 2.4 MB of input."""
LOUD_FRAMES = 31
"""One second of sound: the level of the speech is that of the quietest frame of the loudest second, wherever in a long
silence it stands, and no door that slams decides it."""
TARGET_RMS = 0.05
"""Level to which the loud frames are brought (-26 dB full scale): ordinary speech recordings lie there."""
MAX_GAIN = 1000.0
"""60 dB: more would only amplify the rounding of 16-bit samples."""
NARROW_GAIN = 1.0
"""Recordings at or above the target are left as they are; the model copes with loud sound, not with faint."""

SILERO_SCALE = DetectorScale(starts=0.5, stops=0.35, faint_starts=0.3, faint_stops=0.15, like_speech=0.55)
"""The first two are Silero's own recommendations (get_speech_timestamps, v6). Of 18 words cut out of sentences and laid between
silences (as `benchmarks/single_words.py` does) the quietest peaked at 0.57; silence, noise, hum and clicks reach 0.27, a sweep
and a whale 0.44. No words were kept apart to confirm it."""

Samples = npt.NDArray[np.float32]


class SileroVad(SpeechDetector):
    """Silero v6 in ONNX Runtime on one CPU thread: about 0.1 s per minute of sound, two passes over the file.

    The first pass finds the level and the constant offset of the recording, so that faint or shifted speech is heard too;
    the second runs the model block by block and carries its state over, so that memory does not grow with the file.
    """

    def __init__(self, model_path: Path | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = 1
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(model_path or bundled_model()), providers=["CPUExecutionProvider"], sess_options=options
        )

    @property
    def frame_seconds(self) -> float:
        return FRAME_SAMPLES / SAMPLE_RATE

    @property
    def scale(self) -> DetectorScale:
        return SILERO_SCALE

    async def probabilities(self, pcm: Path) -> Sequence[float]:
        return await asyncio.to_thread(self._probabilities, pcm)

    def _probabilities(self, pcm: Path) -> Sequence[float]:
        offset, gain = _level(pcm)
        hidden = np.zeros((1, 1, STATE_WIDTH), np.float32)
        cell = np.zeros((1, 1, STATE_WIDTH), np.float32)
        tail = np.zeros(CONTEXT_SAMPLES, np.float32)
        result = array("f")
        for block in _blocks(pcm):
            frames = (block - offset) * np.float32(gain)
            context = np.vstack([tail, frames[:-1, -CONTEXT_SAMPLES:]])
            tail = frames[-1, -CONTEXT_SAMPLES:]
            output, hidden, cell = self._session.run(
                None, {"input": np.concatenate([context, frames], axis=1), "h": hidden, "c": cell}
            )
            result.extend(_flat(output))
        return result


def bundled_model() -> Path:
    """Return the Silero model inside the installed faster-whisper package, without importing that package."""
    spec = find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise StorageFailed("faster-whisper is not installed: the voice activity model comes with it")
    return Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"


def _flat(output: Any) -> list[float]:
    return [float(value) for value in np.asarray(output).reshape(-1)]


def _blocks(pcm: Path) -> Iterator[Samples]:
    """Yield the file as float frames of shape (up to BLOCK_FRAMES, FRAME_SAMPLES), the last one filled with zeros."""
    size = BLOCK_FRAMES * FRAME_SAMPLES * BYTES_PER_SAMPLE
    with pcm.open("rb") as file:
        while data := file.read(size):
            whole = len(data) - len(data) % BYTES_PER_SAMPLE
            samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / 32768.0
            yield np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).reshape(-1, FRAME_SAMPLES)


def _level(pcm: Path) -> tuple[np.float32, float]:
    """Return the constant offset of the recording and the gain that brings its loud frames to TARGET_RMS."""
    means, squares = array("f"), array("f")
    for frames in _blocks(pcm):
        means.extend(frames.mean(axis=1))
        squares.extend((frames.astype(np.float64) ** 2).mean(axis=1))
    if not means:
        return np.float32(0.0), 1.0
    offset = float(np.median(np.asarray(means)))
    power = np.maximum(np.asarray(squares, np.float64) - offset**2, 0.0)
    loud = float(np.sqrt(np.sort(power)[-min(LOUD_FRAMES, len(power))]))
    if loud <= 0:
        return np.float32(offset), 1.0
    return np.float32(offset), min(MAX_GAIN, max(NARROW_GAIN, TARGET_RMS / loud))
