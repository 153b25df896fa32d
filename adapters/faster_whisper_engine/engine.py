"""A loaded Whisper model that recognises the windows of many requests together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import pi
from pathlib import Path
from typing import Any

import numpy as np

from adapters.faster_whisper_engine.decoding import Array, Decoder, DecodingOptions, ModelFiles, storage
from adapters.faster_whisper_engine.gates import Decode, is_hopeless
from adapters.faster_whisper_engine.timing import add_word_times, split_at_timestamps
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, WINDOW_SECONDS
from domain.call import ModelIdentity, Usage
from domain.canonical import Json
from domain.errors import ModelRejected
from ports.model_backend import RawOutput, TranscribeRequest
from ports.transcriber import TranscriptionOptions

MAX_ROUNDS = 6
"""Decodes of one window at most. A window of speech needs one, or two when the model breaks off in a sentence."""
SHORTEST_REST_FRAMES = 20
"""Frames (10 ms) after the last timestamp that are worth another decode; no word is shorter than 0.2 s."""
SHORTEST_STEP_FRAMES = 10
"""Frames by which a round must advance; less means that the model stands still."""


@dataclass(slots=True)
class _Window:
    """One request on its way through the rounds. `seek` and `frames` count 10 ms."""

    features: Array
    frames: int
    options: DecodingOptions
    word_timestamps: bool
    language: str | None
    language_probability: float = 1.0
    seek: int = 0
    rounds: int = 0
    last_end: float = 0.0
    segments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rest(self) -> int:
        return self.frames - self.seek

    @property
    def unfinished(self) -> bool:
        return self.rounds == 0 or (self.rest >= SHORTEST_REST_FRAMES and self.rounds < MAX_ROUNDS)


class FasterWhisperEngine:
    """Recognises windows of at most 30 s with one set of weights in memory.

    Decoding is a beam search with timestamps at the temperature asked for, without the text before as a condition; a text that
    loops or that the model itself does not believe gets one seeded second try. Everything is explicit (`TranscriptionOptions`),
    so a request has one answer, however it is batched. Calls are synchronous and may come from several threads.
    """

    def __init__(self, model_path: str | Path, device: str, compute_type: str, cpu_threads: int, identity: ModelIdentity) -> None:
        """Load the CTranslate2 weights in the folder `model_path`; `device` is `cpu` or `cuda`."""
        from faster_whisper.transcribe import WhisperModel

        path = str(model_path)
        self._identity = identity
        self._model = WhisperModel(path, device=device, compute_type=compute_type, cpu_threads=cpu_threads, local_files_only=True)
        self._decoder = Decoder(self._model, ModelFiles(path, device, compute_type, cpu_threads))

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    def warm_up(self) -> None:
        """Recognise one second of a tone through every stage, so that the first request finds all memory allocated."""
        tone = np.sin(2 * pi * 220 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
        pcm = (tone * 8000).astype("<i2").tobytes()
        self.recognise([TranscribeRequest(pcm, TranscriptionOptions(fallback_temperature=0.0).parameters())])

    def recognise(self, batch: Sequence[TranscribeRequest]) -> list[RawOutput]:
        """Return one raw output per request, in order; requests of different options and languages may be mixed.

        Raises ModelRejected when a window is empty, longer than 30 s, not s16le, or asks for an unknown language or task.
        """
        windows = [self._open(request) for request in batch]
        while pending := [window for window in windows if window.unfinished]:
            self._round(pending)
        return [self._close(window, request) for window, request in zip(windows, batch, strict=True)]

    def _open(self, request: TranscribeRequest) -> _Window:
        seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
        if not request.pcm or len(request.pcm) % BYTES_PER_SAMPLE or seconds > WINDOW_SECONDS + 0.01:
            raise ModelRejected(f"a window holds s16le sound of at most {WINDOW_SECONDS:.0f} s, not {len(request.pcm)} bytes")
        parameters = _checked(request.parameters, self._model.supported_languages)
        sound = np.frombuffer(request.pcm, "<i2").astype(np.float32) / 32768.0
        features = self._model.feature_extractor(sound)
        return _Window(
            features=features,
            frames=features.shape[-1] - 1,
            options=DecodingOptions(
                task=parameters["task"],
                beam_size=parameters["beam_size"],
                temperature=parameters["temperature"],
                fallback_temperature=parameters["fallback_temperature"],
                seed=parameters["seed"],
                prompt=parameters["prompt"],
            ),
            word_timestamps=parameters["word_timestamps"],
            language=parameters["language"],
        )

    def _round(self, windows: Sequence[_Window]) -> None:
        """Encode what is left of every window at once, then decode those that share language and options together."""
        from faster_whisper.audio import pad_or_trim

        encoded = np.asarray(self._encode([pad_or_trim(w.features[:, w.seek : w.frames]) for w in windows]))
        self._detect_languages(windows, encoded)
        order = sorted(range(len(windows)), key=lambda i: repr(_group(windows[i])))
        for _, rows in groupby(order, key=lambda i: _group(windows[i])):
            chosen = list(rows)
            self._decode_group([windows[i] for i in chosen], encoded[chosen])

    def _encode(self, features: Sequence[Array]) -> Any:
        return self._model.model.encode(storage(np.stack(features)), to_cpu=True)

    def _detect_languages(self, windows: Sequence[_Window], encoded: Array) -> None:
        unknown = [i for i, window in enumerate(windows) if window.language is None]
        if not unknown:
            return
        if not self._model.model.is_multilingual:
            for i in unknown:
                windows[i].language = "en"
            return
        for i, ranked in zip(unknown, self._model.model.detect_language(storage(encoded[unknown])), strict=True):
            token, probability = ranked[0]
            windows[i].language = token[2:-2]
            windows[i].language_probability = float(probability)

    def _decode_group(self, windows: Sequence[_Window], encoded: Array) -> None:
        from faster_whisper.tokenizer import Tokenizer

        first = windows[0]
        tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task=first.options.task,
            language=first.language,
        )
        frames = [window.rest for window in windows]
        seconds = [count / self._model.frames_per_second for count in frames]
        decodes = self._decoder.decode(encoded, tokenizer, seconds, first.options)
        pieces: list[list[dict[str, Any]]] = []
        for window, decode in zip(windows, decodes, strict=True):
            pieces.append(self._advance(window, tokenizer, decode))
        if first.word_timestamps:
            add_word_times(self._model, tokenizer, encoded, pieces, frames, [window.last_end for window in windows])
        for window, said, decode in zip(windows, pieces, decodes, strict=True):
            window.segments.extend(_segments(said, tokenizer, decode))
            window.last_end = window.segments[-1]["end"] if window.segments else 0.0

    def _advance(self, window: _Window, tokenizer: Any, decode: Decode) -> list[dict[str, Any]]:
        """Move the window on by one decode and return its segments; nothing when nothing was said.

        A text that loops even after the second try is given up: that speech counts as not transcribed.
        """
        window.rounds += 1
        so_far = " ".join([*(segment["text"] for segment in window.segments), decode.text])
        if decode.is_silence or decode.is_too_fast or is_hopeless(so_far):
            window.seek = window.frames
            return []
        said, next_seek = split_at_timestamps(self._model, tokenizer, decode, window.seek, window.rest)
        stands_still = next_seek - window.seek < SHORTEST_STEP_FRAMES
        window.seek = window.frames if stands_still else next_seek
        return said

    @staticmethod
    def _close(window: _Window, request: TranscribeRequest) -> RawOutput:
        seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
        return RawOutput(
            payload={
                "language": window.language,
                "language_probability": window.language_probability,
                "segments": list(_in_order(window.segments, seconds)),
            },
            usage=Usage(audio_seconds=seconds),
        )


def _group(window: _Window) -> tuple[str | None, DecodingOptions, bool]:
    return window.language, window.options, window.word_timestamps


def _checked(parameters: Mapping[str, Json], languages: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a request; a missing one is refused, for no default of a library may stand in for it."""
    expected = TranscriptionOptions().parameters()
    if missing := sorted(expected.keys() - parameters.keys()):
        raise ModelRejected(f"the request does not say {', '.join(missing)}")
    if parameters["language"] is not None and parameters["language"] not in languages:
        raise ModelRejected(f"the model knows no language {str(parameters['language'])[:20]!r}")
    if parameters["task"] not in ("transcribe", "translate"):
        raise ModelRejected(f"the model knows no task {str(parameters['task'])[:20]!r}")
    return {name: parameters[name] for name in expected}


def _segments(pieces: Sequence[dict[str, Any]], tokenizer: Any, decode: Decode) -> Iterator[dict[str, Any]]:
    for piece in pieces:
        yield {
            "start": float(piece["start"]),
            "end": float(piece["end"]),
            "text": tokenizer.decode(piece["tokens"]).strip(),
            "avg_logprob": decode.avg_logprob,
            "no_speech_prob": decode.no_speech_prob,
            "compression_ratio": decode.compression_ratio,
            "temperature": decode.temperature,
            "words": [
                {
                    "start": float(word["start"]),
                    "end": float(word["end"]),
                    "word": word["word"],
                    "probability": float(word["probability"]),
                }
                for word in piece.get("words", ())
            ],
        }


def _in_order(segments: Sequence[dict[str, Any]], seconds: float) -> Iterator[dict[str, Any]]:
    """Yield the segments inside the window, none before the end of the one before it, nor its words."""
    end = 0.0
    for segment in segments:
        for timed in (*segment["words"], segment):
            timed["start"] = min(max(timed["start"], end), seconds)
            timed["end"] = min(max(timed["end"], timed["start"]), seconds)
        if segment["words"]:
            segment["start"] = min(segment["start"], segment["words"][0]["start"])
            segment["end"] = max(segment["end"], segment["words"][-1]["end"])
        end = segment["end"]
        yield segment
