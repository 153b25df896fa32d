"""A loaded Whisper model that recognises the windows of many requests together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import pi
from pathlib import Path
from typing import Any

import numpy as np

from adapters.faster_whisper_engine.decoding import Array, Decoder, DecodingOptions, ModelFiles, rows_of, storage
from adapters.faster_whisper_engine.gates import Decode
from adapters.faster_whisper_engine.timing import add_word_times, split_at_timestamps
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, WINDOW_SECONDS
from domain.call import ModelIdentity, Usage
from domain.canonical import Json
from domain.errors import ModelRejected
from ports.model_backend import RawOutput, TranscribeRequest
from ports.transcriber import TranscriptionOptions

MAX_ROUNDS = 6
"""Decodes of one window at most. A window of speech needs one, or two when the model breaks off in a sentence."""
SHORTEST_REST_FRAMES = 60
"""Frames (10 ms) after the last timestamp that are worth another decode: two short words, or most of the silence that is kept
after the last word."""
FULL_FRAMES = 3000
"""What Whisper was trained on: 30 s, the end of them silence."""
SILENT_FRAMES = 400
"""Frames of silence at least that follow the sound in a shorter input: without them the model finds no end, and loops."""
SHORT_INPUT_LOGPROB = -0.7
"""Mean log-probability below which the text of a shorter input is worse than that of a full one: of nine recordings, four had
more wrong words and none had fewer (benchmarks/word_error_rate.py, half of the files)."""
RESTS_FOR_GOOD_FRAMES = 200
"""A rest below this is not heard again at full length: most of them are silence."""
FRAMES_STEP = 500
"""Shorter inputs come in lengths of 5 s, so that windows of about a length share a batch. The length is the window's own: its
text must not depend on its company."""
SHORTEST_STEP_FRAMES = 10
"""Frames by which a round must advance; less means that the model stands still."""


@dataclass(slots=True, eq=False)
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
    at_full_length: bool = False
    last_end: float = 0.0
    segments: list[dict[str, Any]] = field(default_factory=list)
    withheld: list[dict[str, Any]] = field(default_factory=list)

    @property
    def rest(self) -> int:
        return self.frames - self.seek

    @property
    def so_far(self) -> str:
        return " ".join(segment["text"] for segment in self.segments)

    @property
    def input_frames(self) -> int:
        """How long an input the encoder gets: a shorter one costs less than its share, for attention grows with the square."""
        if self.at_full_length:
            return FULL_FRAMES
        return min(FULL_FRAMES, -(-(self.rest + SILENT_FRAMES) // FRAMES_STEP) * FRAMES_STEP)

    @property
    def unfinished(self) -> bool:
        return self.rounds == 0 or (self.rest >= SHORTEST_REST_FRAMES and self.rounds < MAX_ROUNDS)


class FasterWhisperEngine:
    """Recognises windows of at most 30 s with one set of weights in memory.

    Decoding is a beam search with timestamps at the temperature asked for, without the text before as a condition; a text that
    loops or that the model itself does not believe gets one second try. Everything is explicit (`TranscriptionOptions`),
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
        self.recognise([TranscribeRequest(pcm, TranscriptionOptions(second_try=False).parameters())])

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
                second_try=parameters["second_try"],
                seed=parameters["seed"],
                prompt=parameters["prompt"],
                assume_speech=parameters["assume_speech"],
            ),
            word_timestamps=parameters["word_timestamps"],
            language=parameters["language"],
        )

    def _round(self, windows: Sequence[_Window]) -> None:
        """Encode what is left of every window, those of a length at once, and decode those of a language and options together."""
        from faster_whisper.audio import pad_or_trim

        for frames, alike in _in_groups(windows, lambda window: window.input_frames):
            encoded = self._encode([pad_or_trim(w.features[:, w.seek : w.frames], frames) for w in alike])
            self._detect_languages(alike, encoded)
            for _, group in _in_groups(alike, _group):
                rows = [alike.index(window) for window in group]
                self._decode_group(group, rows_of(encoded, rows), frames < FULL_FRAMES)

    def _encode(self, features: Sequence[Array]) -> Any:
        return self._model.model.encode(storage(np.stack(features)))

    def _detect_languages(self, windows: Sequence[_Window], encoded: Any) -> None:
        unknown = [i for i, window in enumerate(windows) if window.language is None]
        if not unknown:
            return
        if not self._model.model.is_multilingual:
            for i in unknown:
                windows[i].language = "en"
            return
        for i, ranked in zip(unknown, self._model.model.detect_language(rows_of(encoded, unknown)), strict=True):
            token, probability = ranked[0]
            windows[i].language = token[2:-2]
            windows[i].language_probability = float(probability)

    def _decode_group(self, windows: Sequence[_Window], encoded: Any, shortened: bool) -> None:
        from faster_whisper.tokenizer import Tokenizer

        first = windows[0]
        tokenizer = Tokenizer(
            self._model.hf_tokenizer,
            self._model.model.is_multilingual,
            task=first.options.task,
            language=first.language,
        )
        seconds = [window.rest / self._model.frames_per_second for window in windows]
        options = replace(first.options, second_try=first.options.second_try and not shortened)
        decodes = self._decoder.decode(encoded, tokenizer, seconds, options)
        if shortened:
            rows = _believed(windows, decodes)
            if not rows:
                return
            windows, decodes, encoded = [windows[i] for i in rows], [decodes[i] for i in rows], rows_of(encoded, rows)
        frames = [window.rest for window in windows]
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

        A text that can not have been said is given up, and what is left of the window is named with the reason.
        """
        window.rounds += 1
        window.at_full_length = False
        if reason := decode.reason_to_withhold(window.so_far, window.options.assume_speech):
            per_second = self._model.frames_per_second
            span = {"start": window.seek / per_second, "end": window.frames / per_second}
            window.withheld.append({**span, "reason": reason})
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
                "withheld": window.withheld,
            },
            usage=Usage(audio_seconds=seconds),
        )


def _in_groups(windows: Sequence[_Window], key: Callable[[_Window], Any]) -> Iterator[tuple[Any, list[_Window]]]:
    for shared, group in groupby(sorted(windows, key=lambda window: repr(key(window))), key=key):
        yield shared, list(group)


def _believed(windows: Sequence[_Window], decodes: Sequence[Decode]) -> list[int]:
    """Return which texts of a shortened input stand; the other windows are to be heard at full length."""
    rows = []
    for i, (window, decode) in enumerate(zip(windows, decodes, strict=True)):
        if window.rounds and window.rest < RESTS_FOR_GOOD_FRAMES:
            rows.append(i)
            continue
        doubtful = not decode.text or decode.avg_logprob < SHORT_INPUT_LOGPROB or decode.repeats_itself
        if doubtful or decode.reason_to_withhold(window.so_far, window.options.assume_speech):
            window.at_full_length = True
        else:
            rows.append(i)
    return rows


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
