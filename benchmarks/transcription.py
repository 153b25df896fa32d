"""Transcription side by side: this service in one process, its engine alone, and faster-whisper's two ways, on the same files.

`wordloop bench transcription` runs all of it. On a busy machine, in pieces:

    python -m benchmarks.transcription "this service, 1 clients" "its engine alone"
    python -m benchmarks.transcription "a short recording beside a long one"
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.in_process import Engine
from domain.call import ModelIdentity
from evals.hearing import Listener
from evals.speech import WITHOUT_SPACES, Clip, ErrorCounter, Errors
from evals.transcription import bundled
from ports.model_backend import TranscribeRequest
from ports.transcriber import TranscriptionOptions
from serve_app.engines.replicas import WhisperBatches, build_transcriber, wait_without_spinning
from serve_app.engines.served_models import model_store
from serve_app.settings.models import TranscriberSettings

CLIENTS: Final = (1, 8)
BEAM: Final = 5
BATCH: Final = 8
SAMPLE_RATE: Final = 16_000
WINDOW_S: Final = 30.0
STEPS: Final = ("encode", "detect_language", "generate", "align")
"""What CTranslate2 is asked for; the rest of a run is decoding the file, voice activity detection, features and the service."""

Side = Callable[[Sequence[Clip]], list[str]]


@dataclass(slots=True)
class Watched:
    """A CTranslate2 model that notes how often and for how long each of `STEPS` was asked for."""

    model: Any
    calls: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self.model, name)
        return self._noting(name, asked) if name in STEPS else asked

    def _noting(self, name: str, asked: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            answer = asked(*arguments, **named)
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
            self.calls[name] = self.calls.get(name, 0) + 1
            return answer

        return noted

    def told(self) -> dict[str, float]:
        """Return the seconds of each step since the last time, and how many passes the encoder made."""
        found = {f"{name}, s": round(self.seconds.get(name, 0.0), 2) for name in STEPS}
        found["encoder passes"] = self.calls.get("encode", 0)
        self.calls.clear()
        self.seconds.clear()
        return found


SHORT_BESIDE_LONG: Final = "a short recording beside a long one"


def transcription(only: Sequence[str] = ()) -> dict[str, Any]:
    """Seconds, real-time factor, word error rate and where the time goes, on the bundled meeting and sentences."""
    wait_without_spinning()
    clips = bundled().clips
    meeting = max(clips, key=lambda clip: clip.seconds)
    settings = TranscriberSettings(max_batch_size=BATCH)
    engine = build_transcriber(settings, ModelIdentity(settings.model, "", "", ""))
    watched = Watched(engine._engine._model.model)
    engine._engine._model.model = watched
    engine.warm_up()
    watched.told()
    sides: dict[str, Side] = {
        **{f"this service, {clients} clients": _service(settings, engine, clients) for clients in CLIENTS},
        "its engine alone": _engine_alone(engine),
        **_faster_whisper(settings, watched),
    }
    figures: dict[str, Any] = {"settings": f"{settings.model} {settings.compute_type}, beam {BEAM}, {settings.threads} threads"}
    unknown = set(only) - {*sides, SHORT_BESIDE_LONG}
    if unknown:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}; there are {', '.join([*sides, SHORT_BESIDE_LONG])}")
    for name, side in sides.items():
        if not only or name in only:
            figures |= {f"meeting, {name}": _measured(side, [meeting], watched), f"all, {name}": _measured(side, clips, watched)}
    if not only or SHORT_BESIDE_LONG in only:
        figures[SHORT_BESIDE_LONG] = _short_beside_long(settings, engine, clips)
    return figures


def _measured(side: Side, clips: Sequence[Clip], watched: Watched) -> dict[str, Any]:
    begun, used = time.perf_counter(), time.process_time()
    texts = side(clips)
    took, processor = time.perf_counter() - begun, time.process_time() - used
    seconds = sum(clip.seconds for clip in clips)
    return {
        "seconds": round(took, 2),
        "processor seconds": round(processor, 2),
        "times real time": round(seconds / took, 1),
        "word error rate": round(_word_error_rate(clips, texts), 4),
        **watched.told(),
    }


def _word_error_rate(clips: Sequence[Clip], texts: Sequence[str]) -> float:
    count = ErrorCounter()
    worded = [(clip, text) for clip, text in zip(clips, texts, strict=True) if clip.language not in WITHOUT_SPACES]
    return sum((count(clip, text) for clip, text in worded), Errors(0, 0)).rate


def _service(settings: TranscriberSettings, engine: WhisperBatches, clients: int) -> Side:
    """Decoder, detector, windows, guard, batches and merge, `clients` recordings at a time."""

    def loaded(_settings: TranscriberSettings, _identity: ModelIdentity) -> Engine:
        return engine

    listener = Listener(settings, TranscriptionOptions(beam_size=BEAM), build=loaded, files_at_once=clients)

    def side(clips: Sequence[Clip]) -> list[str]:
        heard = listener([(clip.path, clip.language) for clip in clips], lambda *_told: None)
        return [transcript.text for transcript in heard]

    return side


def _engine_alone(engine: WhisperBatches) -> Side:
    """The engine on windows of 30 s as they come, one by one, words not timed: no detector, no gates, no service."""

    def side(clips: Sequence[Clip]) -> list[str]:
        return [_in_blocks(engine, clip) for clip in clips]

    return side


def _in_blocks(engine: WhisperBatches, clip: Clip) -> str:
    from faster_whisper.audio import decode_audio

    sound = (decode_audio(str(clip.path)) * 32767).astype("<i2").tobytes()
    size = int(WINDOW_S * SAMPLE_RATE) * 2
    options = TranscriptionOptions(clip.language, beam_size=BEAM, word_timestamps=False).parameters()
    heard = [engine.run([TranscribeRequest(sound[at : at + size], options)])[0] for at in range(0, len(sound), size)]
    return " ".join(segment["text"] for output in heard for segment in getattr(output, "payload", {"segments": []})["segments"])


def _faster_whisper(settings: TranscriberSettings, watched: Watched) -> Mapping[str, Side]:
    """faster-whisper's `transcribe` and its batched pipeline, beam and weights alike, all else as it comes."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    path: Path = model_store().ensure(settings.model).path
    model = WhisperModel(str(path), device="cpu", compute_type=settings.compute_type, cpu_threads=settings.threads)
    model.model = watched
    batched = BatchedInferencePipeline(model)

    def one(clip: Clip, recognise: Callable[..., Any], **options: Any) -> str:
        segments, _ = recognise(str(clip.path), language=clip.language, beam_size=BEAM, **options)
        return " ".join(segment.text.strip() for segment in segments)

    return {
        "faster-whisper": lambda clips: [one(clip, model.transcribe) for clip in clips],
        "faster-whisper, batched pipeline": lambda clips: [one(clip, batched.transcribe, batch_size=BATCH) for clip in clips],
    }


def _short_beside_long(settings: TranscriberSettings, engine: WhisperBatches, clips: Sequence[Clip]) -> dict[str, float]:
    """How long the shortest recording takes alone, and when it comes together with the longest."""
    short, long = clips[0], max(clips, key=lambda clip: clip.seconds)
    alone = _ends(settings, engine, [short])[short.path.name]
    beside = _ends(settings, engine, [long, short])[short.path.name]
    return {"alone, s": round(alone, 2), "beside a long one, s": round(beside, 2), "times as long": round(beside / alone, 2)}


def _ends(settings: TranscriberSettings, engine: WhisperBatches, clips: Sequence[Clip]) -> dict[str, float]:
    """Return the seconds after which each of the recordings, begun together, was done."""
    ends: dict[str, float] = {}
    begun = time.perf_counter()

    def note(name: str, _done: int, _total: int) -> None:
        ends[name] = time.perf_counter() - begun

    Listener(settings, build=lambda *_named: engine)([(clip.path, clip.language) for clip in clips], note)
    return ends


if __name__ == "__main__":
    for side in sys.argv[1:]:
        print(json.dumps(transcription([side]), indent=1), flush=True)
