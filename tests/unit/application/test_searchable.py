"""What jobs make searchable: transcriptions without a recap, segments that callers bring; it goes with its conversation."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import prompts
from adapters.dateparser_dates import DateparserDates
from adapters.local_blobs import LocalBlobStore
from adapters.scripted import ScriptedRates
from adapters.scripted.clock import MovableClock
from adapters.scripted.item_finder import ScriptedItemFinder
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.delete_conversation import DeleteConversation
from application.expected_time import ExpectedTime
from application.index_transcript import IndexTranscript
from application.job_context import conversation_of, owner_of
from application.job_session import JobSession
from application.keep_retention import KeepRetention, Retention
from application.maintenance import Maintenance
from application.payloads import AudioPayload, RecapPayload, SpokenSegment
from application.recap.make_recap import MakeRecap
from application.recap.settings import RecapSettings
from application.remove_blobs import RemoveBlobs
from application.rename_speakers import IndexUnderNames
from application.run_stages import RecapTranscript, TranscribeAlone
from application.wait_for_job import WaitForJob
from application.work_on_jobs import WorkOnJobs
from domain.call import CallKind
from domain.errors import ModelUnavailable
from domain.job import Job, JobKind, JobRequest, JobStatus
from domain.search import PassageKind, SearchHit, SearchMode
from domain.transcript import Coverage, Segment, Transcript
from ports.embedder import InputType
from tests.doubles_recap import HashingEmbedder, RuledLanguageModel

SPOKEN = (
    Segment(0, 0.0, 2.0, "The importer crashed at night.", speaker="Ann"),
    Segment(1, 2.0, 4.0, "Ben mends the importer until Friday.", speaker="Ben"),
)
DAY_S = 86_400.0


@dataclass
class HeardBefore:
    """Stands for the transcription: the transcript is there at once."""

    store: SqlStore

    async def transcript(self, session: JobSession, on_words: Any) -> Transcript:
        job = session.job
        await on_words(10)
        made = Transcript(job.result_id("transcript"), "en", 4.0, SPOKEN, Coverage(4.0, 4.0))
        await self.store.results.put_transcript(owner_of(job), made)
        result = {"transcript_id": made.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "transcript.completed", {"transcript_id": made.id})
        return made


@dataclass
class Desk:
    store: SqlStore
    clock: MovableClock
    blobs: LocalBlobStore
    embedder: HashingEmbedder = field(default_factory=HashingEmbedder)

    async def work(self, kind: JobKind, payload: Any, **terms: Any) -> Job:
        job, _ = await self.store.jobs.submit(JobRequest(kind, payload.plain(), **terms))
        lease = await self.store.jobs.claim("w", 600.0)
        assert lease is not None
        await self._worker().work(lease)
        ended = await self.store.jobs.get("default", job.id)
        assert ended.status is JobStatus.COMPLETED, ended.error
        return ended

    async def transcribed(self, **terms: Any) -> Job:
        recorded_at = terms.pop("recorded_at", None)
        return await self.work(JobKind.TRANSCRIPTION, AudioPayload("blob", 1, recorded_at=recorded_at), **terms)

    async def recapped(self, transcript_id: str | None, **terms: Any) -> Job:
        brought = () if transcript_id else tuple(SpokenSegment(s.start, s.end, s.text, s.speaker) for s in SPOKEN)
        return await self.work(JobKind.RECAP, RecapPayload(transcript_id, brought), **terms)

    async def found(self, query: str = "importer", mode: SearchMode = SearchMode.LEXICAL) -> list[SearchHit]:
        vector = (await HashingEmbedder().embed([query], InputType.QUERY, None)).value[0]  # type: ignore[arg-type]
        return list(await self.store.search.search("default", query, vector, self.embedder.identity, mode, 10))

    def delete(self) -> DeleteConversation:
        removal = RemoveBlobs(self.blobs, self.store.results, self.clock)
        wait = WaitForJob(self.store.jobs, self.clock)
        return DeleteConversation(self.store.jobs, self.store.results, removal, self.store.calls, wait)

    def _worker(self) -> WorkOnJobs:
        store, expected = self.store, ExpectedTime(ScriptedRates(), prompts, {CallKind.EMBED: 1, CallKind.GENERATE: 1})
        index = IndexTranscript(self.embedder, IndexUnderNames(store.search, store.results), expected, RecapSettings())
        make = MakeRecap(RuledLanguageModel(), self.embedder, ScriptedItemFinder(), prompts)
        recap = RecapTranscript(make, store.results, store.results, store.search, expected, prompts, DateparserDates())
        handlers = {JobKind.TRANSCRIPTION: TranscribeAlone(HeardBefore(store), index), JobKind.RECAP: recap}  # type: ignore[arg-type]
        tracer, maintenance = build_telemetry().tracer, Maintenance({}, self.clock)
        return WorkOnJobs(store.jobs, store.calls, handlers, self.clock, tracer, "w", maintenance, lease_s=600.0)  # type: ignore[arg-type]


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    clock = MovableClock()
    store = SqlStore.open(database_url, clock)
    yield Desk(store, clock, LocalBlobStore(tmp_path / "blobs"))
    store.close()


async def test_a_transcription_is_found_by_words_and_meaning_without_a_recap(desk: Desk) -> None:
    job = await desk.transcribed()
    for mode in SearchMode:
        hit, *_ = await desk.found("Ben mends the importer until Friday.", mode)
        assert (hit.transcript_id, hit.conversation_id) == (job.result["transcript_id"], job.result["conversation_id"])
        assert (hit.segment_ids, hit.start, hit.end, hit.speaker) == ((1,), 2.0, 4.0, "Ben")
        assert (hit.kind, hit.title, hit.recap_id, hit.recorded_at) == (PassageKind.LINE, None, None, job.created_at)


async def test_a_date_that_was_given_is_the_conversations(desk: Desk) -> None:
    await desk.transcribed(recorded_at="2026-11-01")
    assert {hit.recorded_at for hit in await desk.found()} == {1793491200.0}


async def test_without_an_embedder_a_transcription_is_found_by_its_words(desk: Desk) -> None:
    desk.embedder = HashingEmbedder(ModelUnavailable("away", 1.0))
    await desk.transcribed()
    assert len(await desk.found()) == 2
    assert await desk.found(mode=SearchMode.SEMANTIC) == []


async def test_segments_that_a_caller_brings_are_found_and_lead_to_their_recap(desk: Desk) -> None:
    job = await desk.recapped(None)
    hits = await desk.found("Ben mends the importer until Friday.", SearchMode.HYBRID)
    line = next(hit for hit in hits if hit.kind is PassageKind.LINE)
    assert (line.transcript_id, line.recap_id, line.segment_ids) == (None, job.result["recap_id"], (1,))
    assert line.conversation_id == job.result["conversation_id"]
    recap = await desk.store.results.get_recap("default", job.result["recap_id"])
    assert {hit.title for hit in hits} == {recap.title}
    assert PassageKind.CHAPTER in {hit.kind for hit in hits}


async def test_a_recap_of_a_transcript_takes_its_place_in_the_index_and_keeps_its_date(desk: Desk) -> None:
    job = await desk.transcribed(recorded_at="2026-11-01")
    await desk.clock.advance(10 * DAY_S)
    recap = await desk.recapped(job.result["transcript_id"])
    hits = await desk.found()
    assert {(hit.transcript_id, hit.recap_id) for hit in hits} == {(job.result["transcript_id"], recap.result["recap_id"])}
    assert {hit.recorded_at for hit in hits} == {1793491200.0}
    assert [hit.kind for hit in hits].count(PassageKind.LINE) == 2


async def test_a_recap_made_without_the_embedder_leaves_the_vectors_that_are_there(desk: Desk) -> None:
    job = await desk.transcribed()
    desk.embedder = HashingEmbedder(ModelUnavailable("away", 1.0))
    await desk.recapped(job.result["transcript_id"])
    assert await desk.found(mode=SearchMode.SEMANTIC)


@pytest.mark.parametrize("kind", [JobKind.TRANSCRIPTION, JobKind.RECAP])
async def test_a_caller_who_keeps_nothing_is_not_searched(desk: Desk, kind: JobKind) -> None:
    await (desk.transcribed(store=False) if kind is JobKind.TRANSCRIPTION else desk.recapped(None, store=False))
    for mode in SearchMode:
        assert await desk.found(mode=mode) == []


@pytest.mark.parametrize("kind", [JobKind.TRANSCRIPTION, JobKind.RECAP])
async def test_a_deleted_conversation_is_not_found_again(desk: Desk, kind: JobKind) -> None:
    job = await (desk.transcribed() if kind is JobKind.TRANSCRIPTION else desk.recapped(None))
    assert await desk.found()
    await desk.delete()("default", job.result["conversation_id"])
    for mode in SearchMode:
        assert await desk.found(mode=mode) == []


@pytest.mark.parametrize("kind", [JobKind.TRANSCRIPTION, JobKind.RECAP])
async def test_retention_takes_what_was_indexed(desk: Desk, kind: JobKind) -> None:
    await (desk.transcribed() if kind is JobKind.TRANSCRIPTION else desk.recapped(None))
    keep = KeepRetention(desk.store.jobs, desk.store.results, desk.delete(), Retention(days=1.0), desk.clock)
    assert await keep() == 0
    assert await desk.found()
    await desk.clock.advance(2 * DAY_S)
    assert await keep() == 1
    for mode in SearchMode:
        assert await desk.found(mode=mode) == []
