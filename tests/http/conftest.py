"""The HTTP surface over the real stores in a temporary folder, with a scripted embedder and a clock that waits in no time."""

import asyncio
import functools
import hashlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from adapters.guard import DEFAULT_PRICES, CallGuard, GuardSettings, build_guard
from adapters.http.app import build_app
from adapters.http.common.services import Estimating, HttpLimits, HttpServices, ModelCard, ModelReadiness, Readiness
from adapters.icalendar_tasks import IcalendarTasks
from adapters.local_blobs import LocalBlobStore
from adapters.local_uploads import LocalUploads
from adapters.openai_vocabulary import OpenAiVocabulary
from adapters.outbound import AddressPolicy, GuardedClient
from adapters.pages import JinjaPages
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.silero_vad import SileroVad
from adapters.sql import SqlStore, migrate
from adapters.telemetry import RecordingTelemetry
from application.delete_conversation import DeleteConversation
from application.estimate_request import Slots
from application.known_transcripts import KnownTranscripts
from application.remove_blobs import RemoveBlobs
from application.rename_speakers import RenameSpeakers
from application.search_transcripts import SearchTranscripts
from application.spool import Spool
from application.wait_for_job import WaitForJob
from domain.call import Answer, CallContext, CallKind, CallSpec, ModelIdentity, Provenance, Usage
from domain.canonical import sha256_of
from domain.embedding import Embedding
from domain.errors import WordloopError
from domain.job import Job, Lease
from domain.named_speakers import Speakers, SpeakerStatus, ToldBy
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.search import UNMEASURED, CosineScale, Passage
from domain.transcript import Coverage, Segment, SegmentScores, SuspectSpan, Transcript, Word
from domain.voice_profiles import VoiceModel
from ports.call_metering import Amounts
from ports.clock import Clock
from ports.embedder import Embedder, InputType, LongTexts, Vectors
from ports.language_model import LanguageModel, RenderedPrompt
from ports.results import Ownership
from tests.estimating import ScriptedModels
from tests.http.documented import held_to_the_document

EMBEDDER = ModelIdentity("all-MiniLM-L6-v2", "r1", "scripted", "float32")
WHISPER = ModelIdentity("whisper-base", "r1", "scripted", "int8")
WRITER = ModelIdentity("writer-1b", "r1", "scripted", "bf16")
VOICE_MODEL = VoiceModel("speaker-networks", "r1")
DIMENSIONS = 8


class WaitingClock(Clock):
    """Time moves only by sleeping, and sleeping takes none. `during_sleep` runs at the next sleep, once."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.during_sleep: list[Callable[[], Awaitable[None]]] = []
        self.slept: list[float] = []

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if self.during_sleep:
            await self.during_sleep.pop(0)()
        await asyncio.sleep(0)


class RealClock(WaitingClock):
    """Sleeps for real, at most 10 ms at a time: for tests over a socket."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.01))


class ScriptedEmbedder(Embedder):
    """Answers every text with a unit vector made of its hash; raises `error` when one is set. Keeps what it was asked.

    `cached`: whether it has answered before.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[str, ...], InputType, CallContext]] = []
        self.long_texts: LongTexts | None = None
        self.cached = False
        self.error: WordloopError | None = None

    @property
    def identity(self) -> ModelIdentity:
        return EMBEDDER

    @property
    def dimensions(self) -> int:
        return DIMENSIONS

    @property
    def cosines(self) -> CosineScale:
        return UNMEASURED

    async def embed(
        self, texts: Sequence[str], input_type: InputType, context: CallContext, long_texts: LongTexts = LongTexts.REFUSE
    ) -> Answer[Vectors]:
        self.asked.append((tuple(texts), input_type, context))
        self.long_texts = long_texts
        if self.error is not None:
            raise self.error
        made = embedded(len(texts))
        return Answer(tuple(vector_of(text) for text in texts), made.served_from_cache(0.0) if self.cached else made)


class ScriptedLanguageModel(LanguageModel):
    """Answers every prompt with `answer`, in words where these are asked for; raises `error` when one is set.

    Keeps what it was asked. `ended` is why its words end, `cached` whether it has said them before.
    """

    context_tokens = 4096
    ended = "stop"
    cached = False

    def __init__(self) -> None:
        self.asked: list[tuple[RenderedPrompt, CallContext]] = []
        self.answer: Mapping[str, Any] = {"text": "Good morning."}
        self.error: WordloopError | None = None

    @property
    def identity(self) -> ModelIdentity:
        return WRITER

    async def generate(self, prompt: RenderedPrompt, context: CallContext) -> Answer[Mapping[str, Any]]:
        self.asked.append((prompt, context))
        if self.error is not None:
            raise self.error
        parameters = prompt.sampling.parameters()
        spec = CallSpec(CallKind.GENERATE, sha256_of(prompt.messages), WRITER, parameters, prompt.reference)
        text = self.answer["text"] if prompt.schema is None else json.dumps(self.answer, ensure_ascii=False)
        value = {"text": text, "finish_reason": self.ended} if prompt.verbatim else self.answer
        made = replace(Provenance.of(spec), attempts=1, usage=Usage(0.0, 20, 5, 16))
        return Answer(value, made.served_from_cache(0.0) if self.cached else made)


def embedded(texts: int) -> Provenance:
    """The call that embedded so many texts."""
    spec = CallSpec(CallKind.EMBED, "0" * 64, EMBEDDER, {})
    return replace(Provenance.of(spec), attempts=1, usage=Usage(input_tokens=3 * texts))


def vector_of(text: str) -> tuple[float, ...]:
    raw = [byte - 127.5 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSIONS]]
    length = sum(value * value for value in raw) ** 0.5
    return tuple(value / length for value in raw)


def a_transcript(transcript_id: str) -> Transcript:
    words = (Word(0.5, 0.9, "Good", 0.9), Word(0.9, 1.4, "morning", 0.9))
    segments = (
        Segment(0, 0.5, 1.4, "Good morning", SegmentScores(-0.2, 0.01, 1.1), words, "Ann"),
        Segment(1, 2.0, 65.25, "We ship A&B <now> --> on Friday", SegmentScores(-0.4, 0.02, 1.2), (), "Bob"),
    )
    coverage = Coverage(66.0, 64.15, (SuspectSpan(1.4, 2.0, "no_text"),))
    spec = CallSpec(CallKind.TRANSCRIBE, "a" * 64, WHISPER, {"beam_size": 5})
    speakers = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, ("Ann", "Bob"), ("Ann", "Bob"), (0, 1))
    return Transcript(transcript_id, "en", 66.0, segments, coverage, (Provenance.of(spec),), speakers=speakers)


def a_recap(recap_id: str, transcript_id: str | None) -> Recap:
    shipped = Statement("The team ships on Friday.", (1,), 0.9)
    return Recap(
        id=recap_id,
        transcript_id=transcript_id,
        language="en",
        title="Shipping *soon*",
        summary=(shipped,),
        key_points=(shipped,),
        decisions=(shipped,),
        action_items=(ActionItem("Prepare the release", (0, 1), 0.8, "Bob", "Friday"),),
        open_questions=(),
        chapters=(Chapter("Release", 0.5, 65.25, (0, 1), (shipped,)),),
        support=0.9,
        degraded=("the model was away",),
    )


class BudgetLeft:
    """What every tenant has left, without limits until a test says otherwise; raises `error` when one is set."""

    def __init__(self) -> None:
        self.amounts = Amounts(math.inf, math.inf, math.inf)
        self.error: WordloopError | None = None

    async def __call__(self, _tenant: str) -> Amounts:
        if self.error is not None:
            raise self.error
        return self.amounts


@dataclass
class World:
    """Everything a test may look at."""

    app: FastAPI
    client: httpx.AsyncClient
    store: SqlStore
    blobs: LocalBlobStore
    folder: Path
    clock: WaitingClock
    embedder: ScriptedEmbedder
    readiness: list[Readiness]
    writer: ScriptedLanguageModel
    models: ScriptedModels
    estimating: Estimating
    cards: list[ModelCard]
    budget_left: BudgetLeft
    uploads: LocalUploads

    async def upload(self, route: str = "/v1/conversations", sound: bytes = b"RIFF sound", **request: Any) -> httpx.Response:
        request.setdefault("files", {"file": ("call.wav", sound, "audio/wav")})
        return await self.client.post(route, **request)

    async def claim(self) -> Lease:
        lease = await self.store.jobs.claim("worker", 60.0)
        assert lease is not None
        return lease

    async def complete(self, lease: Lease | None = None) -> Job:
        """Do what the worker does for the next job, or for the one it holds, with scripted results."""
        lease = lease or await self.claim()
        job, owner = lease.job, Ownership(lease.job.request.tenant, lease.job.result_id("conversation"))
        result = {"conversation_id": owner.conversation_id}
        if job.request.kind in ("conversation", "transcription"):
            transcript = a_transcript(job.result_id("transcript"))
            await self.store.results.put_transcript(owner, transcript)
            result["transcript_id"] = transcript.id
            await self.store.jobs.stage_done(lease, result, "transcript.completed", {"transcript_id": transcript.id})
        if job.request.kind in ("conversation", "recap"):
            recap = a_recap(job.result_id("recap"), result.get("transcript_id"))
            await self.store.results.put_recap(owner, recap)
            result["recap_id"] = recap.id
        if job.request.kind == "conversation":
            passages = [
                Passage(result["transcript_id"], (s.id,), s.start, s.end, s.text, vector_of(s.text), EMBEDDER, s.speaker)
                for s in transcript.segments
            ]
            await self.store.search.index(owner, transcript.id, passages)
        if job.request.kind == "embedding":
            texts = job.request.payload["texts"]
            vectors = [vector_of(text) for text in texts]  # type: ignore[union-attr, arg-type]
            result["embedding_id"] = job.result_id("embedding")
            await self.store.results.put_embedding(
                owner, result["embedding_id"], Embedding(EMBEDDER, vectors, (embedded(len(vectors)),))
            )
        await self.store.jobs.complete(lease, result)
        return await self.store.jobs.get(job.request.tenant, job.id)

    async def nothing_is_stored(self) -> bool:
        """No job rows, and no file under the blob store: no blob, no half-written one."""
        jobs = await self.store.jobs.list("default", 10)
        return not jobs and not self.blob_files()

    def blob_files(self) -> list[Path]:
        return [path for path in (self.folder / "blobs").rglob("*") if path.is_file()]


@functools.cache
def speech_detector() -> SileroVad:
    """The real one; it holds no state between recordings."""
    return SileroVad()


@functools.cache
def vocabulary() -> OpenAiVocabulary:
    """The real one; it takes a moment to read."""
    found = OpenAiVocabulary.installed()
    assert found is not None
    return found


def guard_over(store: SqlStore, clock: Clock) -> CallGuard:
    return build_guard(
        GuardSettings(budget={"per_tenant": {"audio_seconds": 3600.0}}),
        cache=store.calls,
        ledger=store.ledger,
        prices=DEFAULT_PRICES,
        clock=clock,
        telemetry=RecordingTelemetry(),
        owner="test",
        random=Random(7),
    )


LIMITS = HttpLimits(upload_bytes=1_000_000, json_bytes=100_000, queued_jobs=3, heartbeat_s=1.0)


async def nobody_asks(_host: str, _port: int) -> Sequence[str]:
    """The gateway looks no name up."""
    raise AssertionError("a name was looked up at the gateway")


def make_world(
    folder: Path,
    limits: HttpLimits,
    clock: WaitingClock,
    *,
    ask_for_keys: bool = False,
    origins: frozenset[str] = frozenset(),
    share: Callable[[str], float] = lambda _thing: 1.0,
) -> World:
    url = f"sqlite:///{folder / 'wordloop.db'}"
    migrate(url)
    store = SqlStore.open(url, clock)
    blobs = LocalBlobStore(folder / "blobs")
    embedder = ScriptedEmbedder()
    writer = ScriptedLanguageModel()
    readiness = [Readiness([ModelReadiness(WHISPER.id, CallKind.TRANSCRIBE, True)])]
    cards = [
        ModelCard(WHISPER.id, CallKind.TRANSCRIBE, "openai", 1_700_000_000, "r1", "faster_whisper", "int8"),
        ModelCard(EMBEDDER.id, CallKind.EMBED, "sbert", 1_700_000_000, "r1", "sentence_transformers", "float32", "open"),
        ModelCard(WRITER.id, CallKind.GENERATE, "scripted", 1_700_000_000, "r1", "vllm", "bf16"),
    ]

    async def ready() -> Readiness:
        return readiness[-1]

    async def models() -> Sequence[ModelCard]:
        return cards

    models_behind = ScriptedModels(guard_over(store, clock), clock, KnownTranscripts(store.calls, store.results, {}, "test"))
    (folder / "work").mkdir(exist_ok=True)
    estimate = models_behind.estimate(PyAvDecoder(DecodeLimits()), speech_detector(), folder / "work")
    estimating = Estimating(estimate, Spool(folder / "work"), Slots(2, 5.0))
    wait = WaitForJob(store.jobs, clock)
    uploads = LocalUploads(folder / "uploads", clock, 3 * limits.upload_bytes)
    removal = RemoveBlobs(blobs, store.results, clock)
    services = HttpServices(
        jobs=store.jobs,
        transcripts=store.results,
        recaps=store.results,
        embeddings=store.results,
        conversations=store.results,
        blobs=blobs,
        references=store.results,
        search=SearchTranscripts(store.search, embedder, clock, 2.0),
        delete_conversation=DeleteConversation(store.jobs, store.results, removal, store.calls, wait),
        rename_speakers=RenameSpeakers(store.results, store.results, store.results, store.search),
        voices=store.voices,
        voice_model=VOICE_MODEL,
        embedder=embedder,
        language_model=writer,
        estimating=estimating,
        readiness=ready,
        models=models,
        clock=clock,
        share=share,
        pages=JinjaPages(),
        calendar=IcalendarTasks(),
        model_aliases={"whisper-1": WHISPER.id, "text-embedding-3-small": EMBEDDER.id, "text-embedding-ada-002": EMBEDDER.id},
        templates=frozenset({"general", "sales"}),
        remote=GuardedClient(AddressPolicy(), resolve=nobody_asks),
        webhooks=store.webhooks,
        uploads=uploads,
        hosts=frozenset({"service"}),
        origins=origins,
        text_of_ids=vocabulary().text,
    )
    left = BudgetLeft()
    keys = store.keys if ask_for_keys else None
    app = build_app(replace(services, budget_left=left, keys=keys), limits, lambda: "request-1")
    told = {"response": [held_to_the_document(app)]}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", event_hooks=told)
    return World(
        app, client, store, blobs, folder, clock, embedder, readiness, writer, models_behind, estimating, cards, left, uploads
    )


@pytest.fixture
def limits() -> HttpLimits:
    """Small bounds; a test module overrides what it needs."""
    return LIMITS


@pytest.fixture
async def world(tmp_path: Path, limits: HttpLimits) -> AsyncIterator[World]:
    made = make_world(tmp_path, limits, WaitingClock())
    async with made.client:
        yield made
    made.store.close()


@pytest.fixture
async def served(tmp_path: Path, limits: HttpLimits) -> AsyncIterator[World]:
    """The same over a real socket and in real time."""
    made = make_world(tmp_path, replace(limits, event_poll_s=0.01), RealClock())
    await made.client.aclose()
    server = uvicorn.Server(uvicorn.Config(made.app, "127.0.0.1", 0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    made.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    async with made.client:
        yield made
    server.should_exit = True
    await serving
    made.store.close()
