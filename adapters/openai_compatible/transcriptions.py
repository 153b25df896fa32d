"""Speech recognition over `POST /audio/transcriptions`, and its translation into English over `POST /audio/translations`."""

import io
import math
import wave
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.openai_compatible.connection import Connection
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE
from domain.call import ModelIdentity, Usage
from domain.canonical import Json
from domain.errors import InvalidModelOutput, ModelRejected
from domain.spoken_languages import code_of
from ports.model_backend import CallMeta, ModelBackend, ModelRequest, RawOutput, TranscribeRequest

ROUTES = {"transcribe": "audio/transcriptions", "translate": "audio/translations"}
UNREPORTED_LANGUAGE_PROBABILITY = 1.0
"""verbose_json names the language without a probability; the server's choice is taken as made."""
UNREPORTED_NO_SPEECH = 0.0
"""Servers that do not report it (vLLM) ran no such test."""


class TranscriptionsBackend(ModelBackend):
    """One speech model. `identity.id` is the model's name at the server.

    Language, prompt and temperature are passed on. The format has no field for beam size, seed and fallback temperature: the
    server's own settings hold, and belong into the revision of the identity.
    """

    def __init__(self, connection: Connection, identity: ModelIdentity, *, name: str = "openai_compatible") -> None:
        self._connection = connection
        self._identity = identity
        self._name = name

    @property
    def identity(self) -> ModelIdentity:
        return self._identity

    @property
    def name(self) -> str:
        return self._name

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        route = ROUTES.get(str(request.parameters.get("task", "transcribe")))
        if not isinstance(request, TranscribeRequest) or route is None:
            raise ModelRejected("this backend only transcribes and translates")
        files = {"file": ("window.wav", wav_of(request.pcm), "audio/wav")}
        form = _form(self._identity.id, request.parameters)
        answer = await self._connection.post(route, meta, timeout_s, files=files, data=form)
        seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
        return RawOutput(payload_of(answer, request.parameters), Usage(audio_seconds=seconds))


def wav_of(pcm: bytes) -> bytes:
    """Return s16le mono 16 kHz sound as a WAV file."""
    with io.BytesIO() as file:
        with wave.open(file, "wb") as writer:
            writer.setnchannels(1)
            writer.setsampwidth(BYTES_PER_SAMPLE)
            writer.setframerate(SAMPLE_RATE)
            writer.writeframes(pcm)
        return file.getvalue()


def _form(model: str, parameters: Mapping[str, Json]) -> dict[str, Any]:
    """The format of translations has neither granularities nor the language that is spoken."""
    translates = parameters.get("task") == "translate"
    form: dict[str, Any] = {
        "model": model,
        "response_format": "verbose_json",
        "temperature": str(parameters.get("temperature", 0.0)),
    }
    if not translates:
        form["timestamp_granularities[]"] = ["segment", "word"] if parameters.get("word_timestamps", True) else ["segment"]
    named = ("prompt",) if translates else ("language", "prompt")
    return form | {name: parameters[name] for name in named if parameters.get(name)}


def payload_of(answer: Mapping[str, Any], parameters: Mapping[str, Json]) -> dict[str, Any]:
    """Return verbose_json in the raw shape of `RawOutput`, its words placed into their segments."""
    segments = answer.get("segments")
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise InvalidModelOutput("segments is not a list of objects")
    words = answer.get("words") or []
    if not isinstance(words, list) or not all(isinstance(word, dict) for word in words):
        raise InvalidModelOutput("words is not a list of objects")
    placed = _placed(segments, words)
    rows = [_segment(segment, own, parameters) for segment, own in zip(segments, placed, strict=True)]
    language = code_of(answer.get("language")) or parameters.get("language")
    return {"language": language, "language_probability": UNREPORTED_LANGUAGE_PROBABILITY, "segments": rows}


def _segment(segment: Mapping[str, Any], words: list[dict[str, Any]], parameters: Mapping[str, Json]) -> dict[str, Any]:
    text, logprob = segment.get("text"), segment.get("avg_logprob")
    # The format gives words no probability of their own; the segment's mean token probability stands in.
    probability = None if logprob is None else math.exp(min(_number(logprob), 0.0))
    ratio, no_speech, temperature = (segment.get(name) for name in ("compression_ratio", "no_speech_prob", "temperature"))
    return {
        "start": segment.get("start"),
        "end": segment.get("end"),
        "text": text,
        "avg_logprob": logprob,
        "no_speech_prob": UNREPORTED_NO_SPEECH if no_speech is None else no_speech,
        "compression_ratio": _compression_ratio(text) if ratio is None else ratio,
        "temperature": parameters.get("temperature", 0.0) if temperature is None else temperature,
        "words": [{**word, "probability": probability} for word in words],
    }


def _placed(segments: Sequence[Mapping[str, Any]], words: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Give each word to the segment in which its middle lies, else to the nearest one. Raises InvalidModelOutput."""
    placed: list[list[dict[str, Any]]] = [[] for _ in segments]
    for word in words if segments else ():
        middle = (_number(word.get("start")) + _number(word.get("end"))) / 2
        distances = [max(_number(s.get("start")) - middle, middle - _number(s.get("end")), 0.0) for s in segments]
        placed[distances.index(min(distances))].append(word)
    return placed


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise InvalidModelOutput("a time or a log-probability is not a number")
    return float(value)


def _compression_ratio(text: object) -> float:
    encoded = text.encode(errors="replace") if isinstance(text, str) else b""
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
