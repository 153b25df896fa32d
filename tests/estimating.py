"""Estimates over guarded ports with scripted backends: the models answer by rule, so that a real job can fill the cache first."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import prompts
from adapters.guard import (
    DEFAULT_PRICES,
    CallGuard,
    GuardedDiarizer,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedPreview,
    GuardedTranscriber,
)
from adapters.scripted import SCRIPTED_VOICES, ScriptedBackend, ScriptedRates, by_words, found_by, judged_by, listened
from adapters.silero_vad import SILERO_SCALE
from application.diarise.find_speakers import DiarizationSettings
from application.estimate_request import EstimateRequest
from application.known_transcripts import KnownTranscripts
from application.pricing import Pricing
from application.recap.make_recap import MakeRecap
from application.transcribe_audio import TranscriptionSettings
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio
from domain.call import CallKind, ModelIdentity, Usage
from domain.finding import LineReading
from domain.rate import EngineRate
from domain.speech import DetectorScale
from ports.audio_decoder import AudioDecoder
from ports.clock import Clock
from ports.model_backend import EmbedRequest, GenerateRequest, RawOutput, TranscribeRequest
from ports.speech_detector import SpeechDetector
from ports.transcriber import TranscriptionOptions

WHISPER = ModelIdentity("whisper-base", "r1", "scripted", "int8")
WRITER = ModelIdentity("writer", "r1", "scripted", "bf16")
EMBEDDER = ModelIdentity("all-MiniLM-L6-v2", "r1", "scripted", "float32")
READER = ModelIdentity("item-reader", "r1", "scripted", "int8")
LISTENER = ModelIdentity("speaker-networks", "r1", "scripted", "float32")
DIMENSIONS = 64
FRAME = 0.032
DOUBTFUL = b"\x07\x00"
RATES = {
    CallKind.TRANSCRIBE: EngineRate(10.0),
    CallKind.GENERATE: EngineRate(1e9, 4.0),
    CallKind.EMBED: EngineRate(1_000.0),
    CallKind.ENTAIL: EngineRate(600.0),
    CallKind.DIARIZE: EngineRate(20.0),
    CallKind.FIND: EngineRate(500.0),
}
TOPICS = (
    "invoice export",
    "login page",
    "release notes",
    "hiring plan",
    "office move",
    "press kit",
    "map of sensors",
    "backup job",
)

read = found_by(by_words({f"will repair the {topic}": LineReading(0.1, 0.9, 0.1, 0.1) for topic in TOPICS[:2]}))
"""A task in a quarter of the windows of what `heard` says: one in some 200 words."""


def heard(request: object) -> RawOutput:
    """Six sentences about a topic that the sound decides; a sample value of its own makes the language doubtful."""
    assert isinstance(request, TranscribeRequest)
    digest = hashlib.sha256(request.pcm).digest()
    topic, other = TOPICS[digest[0] % 8], TOPICS[digest[1] % 8]
    text = f"The {topic} fails for large customers {digest.hex()[:6]}. We compared the {topic} with the {other} yesterday. "
    text += f"Ann will repair the {topic} before Friday. Who tests the {other} with the new build?"
    text += (
        f" Nobody has looked at the {other} since the old build, and it was slow on Monday. We hear that the {topic} is liked."
    )
    seconds = len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)
    scores = {"avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.1, "temperature": 0.0}
    segment = {"start": 0.0, "end": seconds, "text": text, "words": [], **scores}
    doubtful = DOUBTFUL * 1000 in request.pcm and request.parameters["language"] is None
    language = request.parameters["language"] or ("cy" if doubtful else "en")
    payload = {"language": language, "language_probability": 0.55 if doubtful else 0.95, "segments": [segment]}
    return RawOutput(payload, Usage(audio_seconds=seconds))


def written(request: object) -> RawOutput:
    """The first lines again, in the shape of the schema."""
    assert isinstance(request, GenerateRequest)
    assert request.schema is not None
    asked, answer = request.messages[-1][1], dict[str, object]()
    if "items" in request.schema["properties"]:
        numbers = re.findall(r"^(\d) \(", asked, re.MULTILINE)
        answer["items"] = [{"number": int(number), "text": "Ann will repair it before Friday."} for number in numbers]
    else:
        lines = re.findall(r"^\*?(\d+) (?:[^:\n]+: )?(.+)$", asked, re.MULTILINE)[:2]
        named = "notes" if "<notes>" in asked else "lines"
        answer["sentences"] = [{"text": text[:190], named: [int(number)]} for number, text in lines]
        answer["title"] = " ".join(lines[0][1].split()[:4])
    return RawOutput({"text": json.dumps(answer), "finish_reason": "stop"}, Usage(input_tokens=400, output_tokens=60))


def placed(request: object) -> RawOutput:
    """A bag of words in `DIMENSIONS` buckets."""
    assert isinstance(request, EmbedRequest)
    return RawOutput({"vectors": [_bag(text) for text in request.texts]}, Usage(input_tokens=10 * len(request.texts)))


def _bag(text: str) -> list[float]:
    values = [0.01] * DIMENSIONS
    for word in text.lower().split():
        values[hashlib.blake2s(word.strip(".,?!").encode()).digest()[0] % DIMENSIONS] += 1.0
    length = sum(value * value for value in values) ** 0.5
    return [value / length for value in values]


@dataclass
class ScriptedModels:
    """Guarded ports over scripted backends."""

    guard: CallGuard
    clock: Clock
    known: KnownTranscripts
    rates: ScriptedRates = field(default_factory=lambda: ScriptedRates(RATES))

    def __post_init__(self) -> None:
        self.whisper = ScriptedBackend(clock=self.clock, otherwise=heard, identity=WHISPER)
        self.writer = ScriptedBackend(clock=self.clock, otherwise=written, identity=WRITER)
        self.placer = ScriptedBackend(clock=self.clock, otherwise=placed, identity=EMBEDDER)
        self.reader = ScriptedBackend(clock=self.clock, otherwise=read, identity=READER)
        self.judge = ScriptedBackend(clock=self.clock, otherwise=judged_by(), identity=READER)
        self.transcriber = GuardedTranscriber(self.whisper, self.guard)
        self.language_model = GuardedLanguageModel(self.writer, self.guard, 4096)
        self.embedder = GuardedEmbedder(self.placer, self.guard, DIMENSIONS)
        self.item_finder = GuardedItemFinder(self.reader, self.guard, 1536)
        self.entailment = GuardedEntailmentJudge(self.judge, self.guard)
        self.listener = ScriptedBackend(clock=self.clock, otherwise=listened(), identity=LISTENER)
        self.diarizer = GuardedDiarizer(self.listener, self.guard, SCRIPTED_VOICES)

    @property
    def asked(self) -> dict[CallKind, int]:
        """How many calls reached each backend."""
        backends = {
            CallKind.TRANSCRIBE: self.whisper,
            CallKind.GENERATE: self.writer,
            CallKind.EMBED: self.placer,
            CallKind.FIND: self.reader,
            CallKind.ENTAIL: self.judge,
        }
        return {kind: len(backend.asked) for kind, backend in backends.items()}

    def make_recap(self) -> MakeRecap:
        return MakeRecap(self.language_model, self.embedder, self.item_finder, prompts, entailment=self.entailment)

    def estimate(
        self, decoder: AudioDecoder, detector: SpeechDetector, work_dir: Path, speakers: DiarizationSettings | None = None
    ) -> EstimateRequest:
        return EstimateRequest(
            preview=GuardedPreview(
                self.guard, self.transcriber, self.language_model, self.embedder, self.item_finder, self.entailment, self.diarizer
            ),
            decoder=decoder,
            detector=detector,
            rates=self.rates,
            known=self.known,
            clock=self.clock,
            transcription=TranscriptionSettings(),
            options=TranscriptionOptions(),
            prompts=prompts,
            templates=prompts,
            pricing=Pricing(DEFAULT_PRICES),
            work_dir=work_dir,
            max_audio_s=3600.0,
            speakers=speakers,
        )


class PlainDecoder(AudioDecoder):
    """Takes a file of s16le mono 16 kHz for what it is."""

    async def decode(self, source: Path, target: Path, max_seconds: float, channel: int | None = None) -> DecodedAudio:
        data = source.read_bytes()
        target.write_bytes(data)
        return DecodedAudio(str(target), len(data) / (SAMPLE_RATE * BYTES_PER_SAMPLE), "raw", "pcm_s16le", 1, SAMPLE_RATE)


@dataclass(frozen=True)
class ScriptedDetector(SpeechDetector):
    """Speech as listed, one probability a frame."""

    speech: Sequence[float] = field(default_factory=tuple)

    @property
    def frame_seconds(self) -> float:
        return FRAME

    @property
    def scale(self) -> DetectorScale:
        return SILERO_SCALE

    async def probabilities(self, pcm: Path) -> Sequence[float]:
        return self.speech


def sound(path: Path, *parts: tuple[float, float], doubtful: Sequence[int] = ()) -> ScriptedDetector:
    """Write sound of (probability of speech, seconds) parts and return a detector that hears them so.

    Every part sounds different; those in `doubtful` make `heard` doubt the language.
    """
    speech: list[float] = []
    with path.open("wb") as file:
        for place, (probability, seconds) in enumerate(parts):
            frames = round(seconds / FRAME)
            speech += [probability] * frames
            sample = DOUBTFUL if place in doubtful else bytes([place + 16, 0])
            file.write(sample * round(frames * FRAME * SAMPLE_RATE))
    return ScriptedDetector(speech)
