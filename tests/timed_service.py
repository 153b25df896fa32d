"""A whole service on a clock that only moves when told: the real worker, stages, guard, store and estimate over models that take
as long as their rates say."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import prompts
from adapters.dateparser_dates import DateparserDates
from adapters.guard import (
    DEFAULT_PRICES,
    GuardedEmbedder,
    GuardedEntailmentJudge,
    GuardedItemFinder,
    GuardedLanguageModel,
    GuardedPreview,
    GuardedTranscriber,
)
from adapters.memory import MemoryCallCache
from adapters.scripted import MovableClock, ScriptedRates, judged_by
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.estimate_inputs import Asked
from application.estimate_request import EstimateRequest
from application.expected_time import ExpectedTime
from application.known_transcripts import KnownTranscripts
from application.maintenance import Maintenance
from application.payloads import AudioPayload
from application.pricing import Pricing
from application.recap.make_recap import MakeRecap
from application.run_stages import ProcessConversation, RecapTranscript
from application.transcribe_audio import TranscribeAudio, TranscriptionSettings
from application.transcribe_upload import TranscribeUpload
from application.work_on_jobs import WorkOnJobs
from domain.audio import BYTES_PER_SAMPLE, SAMPLE_RATE, DecodedAudio
from domain.call import CallContext, CallKind, ModelIdentity
from domain.estimate import Estimate, Stage
from domain.job import Job, JobKind, JobRequest, JobStatus, Progress
from domain.rate import EngineRate
from ports.model_backend import (
    CallMeta,
    EmbedRequest,
    EntailRequest,
    FindRequest,
    GenerateRequest,
    ModelBackend,
    ModelRequest,
    RawOutput,
    TranscribeRequest,
)
from ports.transcriber import TranscriptionOptions
from tests.estimating import (
    DIMENSIONS,
    EMBEDDER,
    READER,
    WHISPER,
    WRITER,
    PlainDecoder,
    ScriptedDetector,
    heard,
    placed,
    read,
    sound,
    written,
)
from tests.guarded import Bench

RATES = {
    CallKind.TRANSCRIBE: EngineRate(8.5, speedup=1.3),
    CallKind.GENERATE: EngineRate(45.0, 15.0, 1.2),
    CallKind.EMBED: EngineRate(7_000.0),
    CallKind.ENTAIL: EngineRate(600.0),
    CallKind.FIND: EngineRate(600.0),
}
"""The bundled models on two cores without AVX-512."""
AT_ONCE = {CallKind.TRANSCRIBE: 16, CallKind.GENERATE: 8, CallKind.EMBED: 8, CallKind.FIND: 8, CallKind.ENTAIL: 8}
CHARACTERS_PER_TOKEN = 4.1
"""Of Qwen2.5 on English."""
DECODED_PER_S, DETECTED_PER_S = 300.0, 400.0
TICK_S = 0.25
SETTLE_ROUNDS = 300
"""A window tells its segments one by one, each a transaction: the chain is longer than elsewhere."""


class AtOnce(ThreadPoolExecutor):
    """Runs everything on the calling thread, so that nothing real has to be waited for."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments, **named))
        except BaseException as error:
            done.set_exception(error)
        return done


class PatientClock(MovableClock):
    async def settle(self) -> None:
        for _ in range(SETTLE_ROUNDS):
            await asyncio.sleep(0)


@dataclass
class TimedModel(ModelBackend):
    """Answers by `reply`. `work` is how long a call takes alone; with others beside it, `rate.speedup` times as much is done.

    `batch` calls are taken together and end together, in order; None lets every call share the engine as it comes.
    """

    clock: MovableClock
    who: ModelIdentity
    reply: Callable[[object], RawOutput]
    work: Callable[[Any], float]
    speedup: float
    batch: int | None = None
    slower: float = 1.0
    _waiting: list[tuple[ModelRequest, "asyncio.Future[None]"]] = field(default_factory=list)
    _left: dict["asyncio.Future[None]", float] = field(default_factory=dict)
    _runner: "asyncio.Task[None] | None" = None

    @property
    def identity(self) -> ModelIdentity:
        return self.who

    @property
    def name(self) -> str:
        return "timed"

    async def call(self, request: ModelRequest, meta: CallMeta, timeout_s: float) -> RawOutput:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, done))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._in_batches() if self.batch else self._side_by_side())
        await done
        return self.reply(request)

    async def _in_batches(self) -> None:
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
            alone = sum(self.work(request) for request, _ in batch)
            await self.clock.sleep(self.slower * alone / min(self.speedup, len(batch)))
            for _, done in batch:
                done.set_result(None)
            await asyncio.sleep(0)

    async def _side_by_side(self) -> None:
        while self._waiting or self._left:
            self._left |= {done: self.slower * self.work(request) for request, done in self._waiting}
            self._waiting = []
            share = TICK_S * min(self.speedup, len(self._left)) / len(self._left)
            await self.clock.sleep(TICK_S)
            self._left = {done: left - share for done, left in self._left.items()}
            for done in [done for done, left in self._left.items() if left <= 0]:
                del self._left[done]
                done.set_result(None)


class Reading:
    """How long a language model takes, which keeps the first messages of every prompt it has read.

    It writes about half of what it may; the scripted answers themselves are shorter than those of a model.
    """

    def __init__(self, rate: EngineRate) -> None:
        self._rate = rate
        self._kept: set[str] = set()

    def __call__(self, request: GenerateRequest) -> float:
        *fixed, last = request.messages
        shared = str(fixed)
        read = len(last[1]) + (0 if shared in self._kept else sum(len(words) for _, words in fixed))
        self._kept.add(shared)
        spread = hashlib.sha256(last[1].encode()).digest()[0] / 255
        tokens = int(str(request.parameters["max_tokens"])) * (0.4 + 0.2 * spread)
        return self._rate.seconds(read / CHARACTERS_PER_TOKEN, tokens)


@dataclass
class TimedDecoder(PlainDecoder):
    clock: MovableClock

    async def decode(self, source: Path, target: Path, max_seconds: float) -> DecodedAudio:
        audio = await super().decode(source, target, max_seconds)
        await self.clock.sleep(audio.seconds / DECODED_PER_S)
        return audio


@dataclass(frozen=True)
class TimedDetector(ScriptedDetector):
    clock: MovableClock = field(default_factory=MovableClock)

    async def probabilities(self, pcm: Path) -> Sequence[float]:
        await self.clock.sleep(pcm.stat().st_size / (SAMPLE_RATE * BYTES_PER_SAMPLE) / DETECTED_PER_S)
        return self.speech


@dataclass(frozen=True)
class OneRecording:
    """A blob store with one recording in it."""

    source: Path

    @asynccontextmanager
    async def local_path(self, _tenant: str, _blob_id: str) -> AsyncIterator[Path]:
        yield self.source


@dataclass(frozen=True)
class Seen:
    """What a caller is told at one second of a job; `at` in seconds from the claim."""

    at: float
    progress: Progress


@dataclass
class Run:
    """A job that was followed second by second to its end, after `took` seconds."""

    job: Job
    took: float
    seen: list[Seen]
    progress_events: int


class TimedService:
    """Talk of so many seconds, with a short pause after every 25, and everything that works on it."""

    def __init__(self, folder: Path, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(AtOnce())
        self.clock = PatientClock()
        self.store = SqlStore.open("sqlite://", self.clock)
        self.store.jobs._database._writer = self.store.jobs._database._readers = AtOnce()
        self.bench = Bench(clock=self.clock, cache=MemoryCallCache(self.clock))
        self.source = folder / "recording.raw"
        talk = [(0.9, min(25.0, seconds - at)) for at in range(0, int(seconds), 30)]
        heard_so = sound(self.source, *(part for spoken in talk for part in (spoken, (0.0, 5.0))))
        self.detector = TimedDetector(heard_so.speech, self.clock)
        self.decoder = TimedDecoder(self.clock)
        self.rates = ScriptedRates(RATES)
        self._models()
        self._use_cases(folder)

    def _models(self) -> None:
        rate, clock = RATES, self.clock
        self.whisper = TimedModel(
            clock, WHISPER, heard, lambda asked: _seconds(asked) / rate[CallKind.TRANSCRIBE].input_per_s, 1.3, batch=8
        )
        self.writer = TimedModel(clock, WRITER, written, Reading(rate[CallKind.GENERATE]), 1.2)
        self.placer = TimedModel(clock, EMBEDDER, placed, lambda asked: _tokens(asked) / rate[CallKind.EMBED].input_per_s, 1.0, 8)
        self.reader = TimedModel(
            clock, READER, read_or_judged, lambda asked: _read(asked) / rate[CallKind.FIND].input_per_s, 1.0, 1
        )
        guard = self.bench.guard
        self.transcriber = GuardedTranscriber(self.whisper, guard)
        self.language_model = GuardedLanguageModel(self.writer, guard, 4096)
        self.embedder = GuardedEmbedder(self.placer, guard, DIMENSIONS)
        self.item_finder = GuardedItemFinder(self.reader, guard, 1536)
        self.entailment = GuardedEntailmentJudge(self.reader, guard)

    def _use_cases(self, folder: Path) -> None:
        store, expected = self.store, ExpectedTime(self.rates, prompts, AT_ONCE)
        transcription = TranscriptionSettings(concurrent_windows=AT_ONCE[CallKind.TRANSCRIBE])
        known = KnownTranscripts(self.bench.cache, store.results, {}, "w")  # type: ignore[arg-type]
        upload = TranscribeUpload(
            blobs=OneRecording(self.source),  # type: ignore[arg-type]
            decoder=self.decoder,
            transcribe=TranscribeAudio(self.transcriber, self.detector, transcription),
            transcripts=store.results,
            known=known,
            work_dir=folder,
            max_audio_s=7200.0,
            options=TranscriptionOptions(),
            fetch=None,  # type: ignore[arg-type]
            expected=expected,
        )
        make_recap = MakeRecap(self.language_model, self.embedder, self.item_finder, prompts, entailment=self.entailment)
        recap = RecapTranscript(make_recap, store.results, store.results, store.search, expected, prompts, DateparserDates())
        handlers = {JobKind.CONVERSATION: ProcessConversation(upload, recap)}
        maintenance, tracer = Maintenance({}, self.clock), build_telemetry().tracer
        self.worker = WorkOnJobs(store.jobs, self.bench.cache, handlers, self.clock, tracer, "w", maintenance)  # type: ignore[arg-type]
        guarded = (self.transcriber, self.language_model, self.embedder, self.item_finder, self.entailment)
        preview = GuardedPreview(self.bench.guard, *guarded)
        self._estimate = EstimateRequest(
            preview=preview,
            rates=self.rates,
            known=known,
            clock=self.clock,
            decoder=self.decoder,
            detector=self.detector,
            transcription=transcription,
            options=TranscriptionOptions(),
            prompts=prompts,
            templates=prompts,
            pricing=Pricing(DEFAULT_PRICES, AT_ONCE),
            work_dir=folder,
            max_audio_s=7200.0,
        )

    async def estimate(self, asked: Asked) -> Estimate:
        return await self.clock.run(self._estimate(asked, frozenset(Stage), CallContext()))

    async def run(self) -> Run:
        """Work on a conversation over the recording to its end and look every second."""
        blob_id = hashlib.sha256(self.source.read_bytes()).hexdigest()
        request = JobRequest(JobKind.CONVERSATION, AudioPayload(blob_id=blob_id, size=1).plain())
        await self.store.jobs.submit(request)
        lease = await self.store.jobs.claim("w", 30.0)
        assert lease is not None
        began, seen = self.clock.monotonic(), list[Seen]()
        work = asyncio.create_task(self.worker.work(lease))
        ended: list[float] = []
        work.add_done_callback(lambda _task: ended.append(self.clock.monotonic() - began))
        while not work.done():
            await self.clock.advance(1.0)
            job = await self.store.jobs.get("default", lease.job.id)
            seen.append(Seen(self.clock.monotonic() - began, job.progress))
        events = await self.store.jobs.events("default", lease.job.id, 0, 100_000)
        assert job.status is JobStatus.COMPLETED, job.error
        return Run(job, ended[0], seen[:-1], sum(event.type == "job.progress" for event in events))

    def close(self) -> None:
        self.store.close()


def _seconds(request: object) -> float:
    assert isinstance(request, TranscribeRequest)
    return len(request.pcm) / (SAMPLE_RATE * BYTES_PER_SAMPLE)


def _tokens(request: object) -> float:
    assert isinstance(request, EmbedRequest)
    return sum(map(len, request.texts)) / CHARACTERS_PER_TOKEN


def read_or_judged(request: ModelRequest) -> RawOutput:
    """What the reader's replica says, to either kind of call."""
    return judged_by()(request) if isinstance(request, EntailRequest) else read(request)


def _read(request: object) -> float:
    assert isinstance(request, FindRequest | EntailRequest)
    if isinstance(request, EntailRequest):
        lines = [line for premise, text in request.claims for line in (*premise, ("", text))]
    else:
        lines = list(request.lines)
    return sum(len(speaker) + len(text) + 3 for speaker, text in lines) / CHARACTERS_PER_TOKEN
