"""A recording behind an address: fetched once, kept under its hash, by a worker over real stores from a server on loopback."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import prompts
from adapters.local_blobs import LocalBlobStore
from adapters.outbound import AddressPolicy, GuardedClient
from adapters.pyav_decoder.decoder import PyAvDecoder
from adapters.pyav_decoder.limits import DecodeLimits
from adapters.scripted import MovableClock, ScriptedRates
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.expected_time import ExpectedTime
from application.fetch_recording import FetchRecording
from application.index_transcript import IndexTranscript
from application.known_transcripts import KnownTranscripts
from application.maintenance import Maintenance
from application.payloads import AudioPayload
from application.recap.settings import RecapSettings
from application.remove_blobs import RemoveBlobs
from application.rename_speakers import IndexUnderNames
from application.run_stages import TranscribeAlone
from application.transcribe_upload import TranscribeUpload
from application.work_on_jobs import WorkOnJobs
from domain.audio import DecodedAudio
from domain.call import CallContext, CallKind
from domain.job import Job, JobKind, JobRequest, JobStatus
from domain.transcript import Coverage, Segment, Transcript
from ports.transcriber import TranscriptionOptions
from tests.doubles_recap import HashingEmbedder

SPEECH = (Path(__file__).parents[2] / "data/speech/jfk.ogg").read_bytes()
SEGMENTS = tuple(Segment(place, float(place), place + 1.0, f"said {place}", speaker="A") for place in range(5))
LONGEST = 300_000


@dataclass
class Server:
    """Answers every request with `answer`, on loopback."""

    port: int = 0
    answer: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await writer.drain()
        writer.close()

    def serve(self, body: bytes) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/speech.ogg?signature=canary"


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    async with await asyncio.start_server(made, "127.0.0.1", 0) as listening:
        made.port = listening.sockets[0].getsockname()[1]
        yield made


class ScriptedTranscribe:
    """Recognises `SEGMENTS` window by window, in groups that differ from one attempt to the next; fails as it is told."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []

    async def __call__(
        self,
        transcript_id: str,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: Callable[[int, int, Sequence[Segment]], Awaitable[None]],
    ) -> Transcript:
        if self.failures:
            await on_window(1, 3, SEGMENTS[:3])
            raise self.failures.pop(0)
        await on_window(1, 3, SEGMENTS[:2])
        await on_window(3, 3, SEGMENTS[2:])
        return Transcript(transcript_id, "en", audio.seconds, SEGMENTS, Coverage(5.0, 5.0, ()), ())


@dataclass
class Shop:
    store: SqlStore
    blobs: LocalBlobStore
    clock: MovableClock
    transcribe: ScriptedTranscribe
    worker: WorkOnJobs

    async def submit(self, url: str, max_bytes: int | None = None) -> Job:
        payload = AudioPayload(blob_id=None, size=0, audio_url=url, max_bytes=max_bytes)
        return (await self.store.jobs.submit(JobRequest(JobKind.TRANSCRIPTION, payload.plain())))[0]

    async def work(self, job: Job) -> Job:
        """Let the worker do one attempt of the job that is due."""
        lease = await self.store.jobs.claim(self.worker.owner, 30.0)
        assert lease is not None
        await self.worker.work(lease)
        return await self.store.jobs.get("default", job.id)


@pytest.fixture
async def shop(tmp_path: Path, server: Server, database_url: str) -> AsyncIterator[Shop]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock)
    blobs = LocalBlobStore(tmp_path / "blobs")
    client = GuardedClient(AddressPolicy(trusted=frozenset({f"127.0.0.1:{server.port}"})))
    transcribe = ScriptedTranscribe()
    (tmp_path / "work").mkdir()
    stage = TranscribeUpload(
        blobs=blobs,
        decoder=PyAvDecoder(DecodeLimits()),
        transcribe=transcribe,
        transcripts=store.results,
        known=KnownTranscripts(store.calls, store.results, {}, "test"),
        work_dir=tmp_path / "work",
        max_audio_s=60.0,
        options=TranscriptionOptions(),
        fetch=FetchRecording(client, blobs, store.results, LONGEST, RemoveBlobs(blobs, store.results, clock)),
        expected=ExpectedTime(ScriptedRates(), prompts, {CallKind.TRANSCRIBE: 16, CallKind.EMBED: 1}),
    )
    index = IndexTranscript(HashingEmbedder(), IndexUnderNames(store.search, store.results), stage.expected, RecapSettings())
    alone = TranscribeAlone(stage, index)
    worker = WorkOnJobs(
        store.jobs, store.calls, {JobKind.TRANSCRIPTION: alone}, clock, build_telemetry().tracer, "test", Maintenance({}, clock)
    )
    yield Shop(store, blobs, clock, transcribe, worker)
    store.close()


async def events(shop: Shop, job: Job, kind: str) -> list[Any]:
    return [event.data for event in await shop.store.jobs.events("default", job.id, 0) if event.type == kind]


async def test_the_bytes_end_under_their_hash_and_belong_to_the_conversation(shop: Shop, server: Server) -> None:
    server.serve(SPEECH)
    job = await shop.work(await shop.submit(server.url))

    assert (job.status, job.error) == (JobStatus.COMPLETED, None)
    blob_id = hashlib.sha256(SPEECH).hexdigest()
    assert b"".join([piece async for piece in shop.blobs.read("default", blob_id)]) == SPEECH
    assert await shop.store.results.blob_in_use("default", blob_id)
    assert await shop.store.results.delete_conversation("default", job.result["conversation_id"]) == [blob_id]


async def test_another_attempt_fetches_nothing_and_tells_no_segment_twice(shop: Shop, server: Server) -> None:
    server.serve(SPEECH)
    shop.transcribe.failures = [RuntimeError("the worker broke")]
    job = await shop.work(await shop.submit(server.url))
    assert job.status is JobStatus.QUEUED

    server.serve(b"other bytes by now")
    await shop.clock.advance(60.0)
    job = await shop.work(job)
    assert job.status is JobStatus.COMPLETED
    assert len(server.requests) == 1
    assert [told["text"] for told in await events(shop, job, "transcript.segment")] == [f"said {n}" for n in range(5)]


@pytest.mark.parametrize(("allowed", "status"), [(len(SPEECH) - 1, "failed"), (len(SPEECH), "completed"), (None, "completed")])
async def test_no_more_is_fetched_than_the_callers_key_allows(
    shop: Shop, server: Server, allowed: int | None, status: str
) -> None:
    server.serve(SPEECH)
    job = await shop.work(await shop.submit(server.url, allowed))
    assert (job.status.value, job.error.code if job.error else None) == (status, "too_large" if status == "failed" else None)


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "failed", "source_refused"),
        (b"HTTP/1.1 503 Busy\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n", "queued", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "failed", "too_large"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(LONGEST + 1), "failed", "too_large"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nhalf", "queued", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "failed", "invalid_audio"),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>please log in</html>" + b" " * 99, "failed", "unsupported_audio"),
        (b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "failed", "address_refused"),
    ],
)
async def test_what_went_wrong_is_told_and_the_address_is_not(
    shop: Shop, server: Server, caplog: pytest.LogCaptureFixture, answer: bytes, status: str, code: str | None
) -> None:
    caplog.set_level(logging.DEBUG, "wordloop")
    server.answer = answer
    job = await shop.work(await shop.submit(server.url))

    assert (job.status.value, job.error and job.error.code) == (status, code)
    told = [str(event) for event in await shop.store.jobs.events("default", job.id, 0)]
    assert "canary" not in "".join([str(job.error), *told, caplog.text])
