"""The engine: a window of sound to its speakers, when each of them speaks, and how each of them sounds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from adapters.speaker_networks.filter_banks import STEP, filter_banks
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import ModelIdentity, Usage
from domain.errors import ModelRejected, WordloopError
from ports.model_backend import DiarizeRequest, RawOutput

Array = npt.NDArray[np.float32]
Result = RawOutput | WordloopError

WINDOW_SAMPLES: Final = 10 * SAMPLE_RATE
"""What the segmentation network learnt from; shorter sound is filled up with silence."""
CLASSES: Final = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], bool)
"""Which of three speakers are active in each of the network's classes (powerset, Plaquet and Bredin 2023)."""
FRAME_SECONDS: Final = 270 / SAMPLE_RATE
"""From one frame of the network to the next, and"""
FIRST_FRAME: Final = (991 / 2 - 270 / 2) / SAMPLE_RATE
"""where the first one begins: each stands for the middle of the 991 samples that it sees."""
LEAST_VOICE_FRAMES: Final = 30
"""Frames of filter banks (10 ms each) of one stretch alone, below which nothing is said about a voice."""
DIGITS: Final = 5
"""Digits of a vector that are kept: the rest is rounding, and would only fill the cache."""


class SpeakerNetworksEngine:
    """pyannote's segmentation network and the CAM++ voice network in ONNX Runtime, on `threads` processor threads.

    `usual` is sound of the usual kind, s16le mono 16 kHz: how long the second network takes hangs on how much is said.
    """

    def __init__(self, segmentation: Path, voices: Path, threads: int, identity: ModelIdentity, usual: bytes) -> None:
        self.identity = identity
        self._usual = usual[: WINDOW_SAMPLES * BYTES_PER_SAMPLE]
        self._segmentation = _session(segmentation, threads)
        self._voices = _session(voices, threads)

    def warm_up(self) -> None:
        """Listen to one window, so that memory is allocated before the first request."""
        self.run(self.sample())

    def sample(self) -> list[DiarizeRequest]:
        """One window of the usual kind."""
        return [DiarizeRequest(self._usual, {})]

    def run(self, batch: Sequence[DiarizeRequest]) -> list[Result]:
        """Answer the requests in one pass of the first network; a window that is too long gets its error in its place."""
        sounds = [_samples(request.pcm) for request in batch]
        fitting = [sound for sound in sounds if len(sound) <= WINDOW_SAMPLES]
        classes = iter(self._classes(fitting))
        return [
            self._heard(sound, next(classes))
            if len(sound) <= WINDOW_SAMPLES
            else ModelRejected(f"the window has {len(sound)} samples; the networks take {WINDOW_SAMPLES}")
            for sound in sounds
        ]

    def _classes(self, sounds: Sequence[Array]) -> Any:
        if not sounds:
            return ()
        filled = np.stack([np.pad(sound, (0, WINDOW_SAMPLES - len(sound))) for sound in sounds])
        (scores,) = self._segmentation.run(None, {"sound": filled[:, None]})
        return scores.argmax(axis=-1)

    def _heard(self, sound: Array, classes: npt.NDArray[np.int64]) -> RawOutput:
        seconds = len(sound) / SAMPLE_RATE
        active = CLASSES[classes]
        active[_frame_starts(len(active)) >= seconds] = False
        banks = filter_banks(sound)
        bounds = np.minimum(np.append(_frame_starts(len(active)), seconds), seconds)
        stretches = [
            self._stretch(active, number, first, last, banks) | {"start": float(bounds[first]), "end": float(bounds[last])}
            for number in range(CLASSES.shape[1])
            for first, last in _runs(active[:, number])
        ]
        return RawOutput({"stretches": stretches}, Usage(audio_seconds=seconds))

    def _stretch(self, active: npt.NDArray[np.bool_], number: int, first: int, last: int, banks: Array) -> dict[str, Any]:
        alone = np.zeros(len(active), bool)
        alone[first:last] = active[first:last].sum(axis=1) == 1
        heard = banks[_bank_frames(alone, len(banks))]
        voice = self._voice(heard) if len(heard) >= LEAST_VOICE_FRAMES else []
        return {"speaker": number, "voice": voice, "voice_seconds": len(heard) * STEP / SAMPLE_RATE if voice else 0.0}

    def _voice(self, banks: Array) -> list[float]:
        (voice,) = self._voices.run(None, {"banks": (banks - banks.mean(axis=0))[None]})
        unit = voice[0] / np.linalg.norm(voice[0])
        return [round(float(value), DIGITS) for value in unit]


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"], sess_options=options)


def _samples(pcm: bytes) -> Array:
    whole = pcm[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE]
    return np.frombuffer(whole, "<i2").astype(np.float32) / np.float32(32768)


def _frame_starts(frames: int) -> npt.NDArray[np.floating[Any]]:
    """When each frame of the network begins; the first reaches back to the start of the window."""
    starts = FIRST_FRAME + np.arange(frames) * FRAME_SECONDS
    starts[0] = 0.0
    return starts


def _runs(active: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last (exclusive) frame of every run of active frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _bank_frames(active: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.bool_]:
    """For each frame of filter banks, whether the network's frame around its middle is active."""
    middles = np.arange(count) * STEP / SAMPLE_RATE + 0.0125
    indices = np.clip(((middles - FIRST_FRAME) / FRAME_SECONDS).astype(np.int64), 0, len(active) - 1)
    return active[indices]
