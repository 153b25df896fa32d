"""Transcription: the words of a known recording, and none for sounds that hold no speech.

Runs the production path (decoder, voice activity detection, windows, guard, gates, merge) over the engine in this process.
"""

import asyncio
import json
import math
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.silero_vad import SileroVad
from application.transcribe_audio import TranscribeAudio
from domain.call import CallContext
from domain.transcript import Transcript
from ports.transcriber import TranscriptionOptions
from serve_app.demo_command import RECORDING
from serve_app.engines import build_transcriber, local_identity, model_store
from serve_app.in_process import in_process_transcriber
from serve_app.settings import TranscriberSettings

THRESHOLDS = Path(__file__).with_name("thresholds.toml")
NO_SPEECH = Path(__file__).with_name("data") / "no_speech"
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Scores:
    """NaN stands for a score that could not be computed, which fails like a bad one."""

    word_error_rate: float
    coverage: float
    invented_words: float


def run(settings: TranscriberSettings | None = None) -> dict[str, Any]:
    """Score transcription on the bundled recordings (about one minute on two cores)."""
    scores = asyncio.run(_scores(settings or TranscriberSettings()))
    limits = tomllib.loads(THRESHOLDS.read_text())["transcription"]
    return {
        "scores": {name: getattr(scores, name) for name in scores.__slots__},
        "findings": [
            *_beyond("word_error_rate", scores.word_error_rate, limits["max_word_error_rate"], below=True),
            *_beyond("coverage", scores.coverage, limits["min_coverage"], below=False),
            *_beyond("invented_words", scores.invented_words, limits["max_invented_words"], below=True),
        ],
    }


async def _scores(settings: TranscriberSettings) -> Scores:
    transcribe = _transcriber(settings)
    spoken = await _transcript(transcribe, RECORDING)
    turns = json.loads(RECORDING.with_suffix(".json").read_text())["turns"]
    normalise = EnglishTextNormalizer()
    said = normalise(" ".join(turn["text"] for turn in turns))
    invented = 0
    for sound in sorted(path for path in NO_SPEECH.iterdir() if path.suffix != ".md"):
        invented += len((await _transcript(transcribe, sound)).text.split())
    return Scores(jiwer.wer(said, normalise(spoken.text)), spoken.coverage.ratio, float(invented))


def _transcriber(settings: TranscriberSettings) -> TranscribeAudio:
    identity = local_identity(model_store().ensure(settings.model), "faster-whisper", settings.compute_type)
    engine = build_transcriber(settings, identity)
    return TranscribeAudio(in_process_transcriber(engine, identity, settings.max_batch_size), SileroVad())


async def _transcript(transcribe: TranscribeAudio, recording: Path) -> Transcript:
    with tempfile.TemporaryDirectory() as folder:
        audio = await PyAvDecoder(DecodeLimits()).decode(recording, Path(folder) / "sound.pcm", LONGEST_S)

        async def ignore(*_progress: Any) -> None:
            """Nobody watches."""

        return await transcribe("eval", audio, TranscriptionOptions(), CallContext(), ignore)


def _beyond(name: str, score: float, limit: float, *, below: bool) -> list[str]:
    if math.isnan(score):
        return [f"{name} is missing"]
    if (score > limit) if below else (score < limit):
        return [f"{name} is {score:.4f}, {'at most' if below else 'at least'} {limit} is asked for"]
    return []
