"""The promises of the result stores and of deletion, one per test."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from domain.call import CallKind, CallSpec, ModelIdentity, PromptReference, Provenance, Usage
from domain.embedding import Embedding
from domain.errors import Gone, InvalidRequest, NotFound
from domain.job import Job, JobKind, JobRequest
from domain.named_speakers import KnownVoices, NotRemembered, Recognised, Speakers, SpeakerStatus, ToldBy
from domain.recap import ActionItem, Chapter, Recap, Statement
from domain.search import Passage, SearchMode
from domain.transcript import Coverage, Segment, SegmentScores, SuspectSpan, Transcript, Word
from ports.blob_store import Blob, BlobReferences
from ports.jobs import JobQueue, JobStore
from ports.results import (
    ConversationDeleter,
    ConversationStore,
    EmbeddingStore,
    Ownership,
    RecapStore,
    SearchIndex,
    TranscriptStore,
)

MODEL = ModelIdentity("whisper-base", "abc123", "faster-whisper", "int8")
PARAMETERS = {"beam_size": 5, "temperature": 0.0, "prompt": None, "word_timestamps": True, "nested": {"a": [1, 2.5, "x"]}}
SPEC = CallSpec(CallKind.TRANSCRIBE, "0" * 64, MODEL, PARAMETERS, PromptReference("recap", "3", "d" * 64))
PROVENANCE = Provenance(
    SPEC.key, SPEC.kind, SPEC.input_sha256, MODEL, PARAMETERS, SPEC.prompt, True, 2, 0.25, Usage(1.5, 10, 20, 5), 1e-7
)
BLOB = "b" * 64


class Store(Protocol):
    """One store for everything that belongs to a conversation."""

    jobs: "Jobs"
    results: "Results"
    search: SearchIndex


class Jobs(JobStore, JobQueue, Protocol): ...


class Results(TranscriptStore, RecapStore, EmbeddingStore, ConversationStore, ConversationDeleter, BlobReferences, Protocol): ...


def a_transcript(transcript_id: str = "transcript_1") -> Transcript:
    words = (Word(0.0, 0.4, "Grüße", 0.91), Word(0.4, 1.0, "aus 東京 \U0001f399", 0.5))
    segments = (
        Segment(0, 0.0, 1.0, "Grüße aus 東京 \U0001f399", SegmentScores(-0.31, 0.02, 1.1, 0.4), words, "Ada", "de", 0.98),
        Segment(1, 1.0, 2.0, 'quotes " and \\ and \u2028', None, (), None),
    )
    coverage = Coverage(3.0, 2.0, (SuspectSpan(2.0, 3.0, "low_logprob"),))
    voices = KnownVoices(2, 1, (Recognised(0, "Ada", "voice_1", 0.93),), ("Ada",), (NotRemembered("Bo", "not_heard"),), None)
    speakers = Speakers(SpeakerStatus.FOUND, None, ToldBy.VOICE, ("Speaker 1",), ("Ada",), (0, None), voices)
    calls = (PROVENANCE, Provenance.of(SPEC))
    return Transcript(transcript_id, "de", 3.2, segments, coverage, calls, damaged=True, speakers=speakers)


def a_recap(recap_id: str = "recap_1") -> Recap:
    said = Statement("We ship on Friday.", (0, 1), 0.75)
    item = ActionItem("Tell the customer", (1,), 1.0, "Ada", "Friday")
    chapter = Chapter("Shipping", 0.0, 2.0, (0, 1), (said,))
    return Recap(
        recap_id, None, "en", "Ship", (said,), (said,), (), (item,), (), (chapter,), 0.875, ("model_unavailable",), (PROVENANCE,)
    )


def owner(conversation: str = "conversation_1", tenant: str = "default") -> Ownership:
    return Ownership(tenant, conversation)


async def uploaded(store: Store, tenant: str = "default", blob_id: str = BLOB) -> Job:
    request = JobRequest(JobKind.CONVERSATION, {"blob_id": blob_id, "size": 1}, tenant=tenant)
    return (await store.jobs.submit(request))[0]


class ResultsContract:
    """Override `store`."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        raise NotImplementedError

    @pytest.fixture
    def results(self, store: Store) -> Results:
        return store.results

    async def test_a_transcript_is_read_as_it_was_written(self, results: Results) -> None:
        await results.put_transcript(owner(), a_transcript())
        assert await results.get_transcript("default", "transcript_1") == a_transcript()

    async def test_a_transcript_is_changed_for_its_owner_and_stays_in_its_conversation(self, results: Results) -> None:
        await results.put_transcript(owner(), a_transcript())
        named = a_transcript().naming(a_transcript().speakers.renamed({"Ada": "Eva"}))
        assert await results.change_transcript("default", "transcript_1", lambda found: named) == named
        assert await results.get_transcript("default", "transcript_1") == named
        assert (await results.held("default", "conversation_1")).transcript_ids == ["transcript_1"]

    async def test_changes_of_one_transcript_come_one_after_another(self, results: Results) -> None:
        await results.put_transcript(owner(), replace(a_transcript(), duration=0.0))
        longer = [
            results.change_transcript("default", "transcript_1", lambda found: replace(found, duration=found.duration + 1.0))
            for _ in range(8)
        ]
        await asyncio.gather(*longer)
        assert (await results.get_transcript("default", "transcript_1")).duration == 8.0

    async def test_a_change_that_is_refused_or_not_ones_own_changes_nothing(self, results: Results) -> None:
        await results.put_transcript(owner(), a_transcript())

        def refused(_found: Transcript) -> Transcript:
            raise InvalidRequest("no")

        with pytest.raises(InvalidRequest):
            await results.change_transcript("default", "transcript_1", refused)
        with pytest.raises(NotFound):
            await results.change_transcript("other", "transcript_1", refused)
        assert await results.get_transcript("default", "transcript_1") == a_transcript()

    async def test_a_recap_is_read_as_it_was_written(self, results: Results) -> None:
        await results.put_recap(owner(), a_recap())
        assert await results.get_recap("default", "recap_1") == a_recap()

    async def test_vectors_are_kept_as_32_bit_floats(self, results: Results) -> None:
        await results.put_embedding(owner(), "embedding_1", Embedding(MODEL, [[0.1, -0.5], [1e-8, 1.0]], (PROVENANCE,)))
        embedding = await results.get_embedding("default", "embedding_1")
        assert (embedding.model, embedding.provenance, embedding.tokens) == (MODEL, (PROVENANCE,), 10)
        assert embedding.vectors == [pytest.approx([0.1, -0.5], rel=1e-7), pytest.approx([1e-8, 1.0], rel=1e-7)]

    async def test_an_embedding_of_nothing_is_nothing(self, results: Results) -> None:
        await results.put_embedding(owner(), "embedding_1", Embedding(MODEL, []))
        assert await results.get_embedding("default", "embedding_1") == Embedding(MODEL, [])

    async def test_vectors_of_unlike_length_are_refused(self, results: Results) -> None:
        with pytest.raises(InvalidRequest):
            await results.put_embedding(owner(), "embedding_1", Embedding(MODEL, [[0.1], [0.1, 0.2]]))

    async def test_writing_an_id_again_replaces_it(self, results: Results) -> None:
        await results.put_recap(owner(), a_recap())
        empty = Recap("recap_1", "transcript_1", "en", "", (), (), (), (), (), (), 1.0)
        await results.put_recap(owner(), empty)
        assert await results.get_recap("default", "recap_1") == empty

    async def test_another_tenants_results_are_not_there(self, results: Results) -> None:
        await results.put_transcript(owner(), a_transcript())
        await results.put_recap(owner(), a_recap())
        await results.put_embedding(owner(), "embedding_1", Embedding(MODEL, [[1.0]]))
        for look in (
            results.get_transcript("other", "transcript_1"),
            results.get_recap("other", "recap_1"),
            results.get_embedding("other", "embedding_1"),
            results.delete_conversation("other", "conversation_1"),
        ):
            with pytest.raises(NotFound):
                await look
        assert (await results.get_recap("default", "recap_1")).id == "recap_1"

    async def test_two_tenants_may_use_one_id(self, results: Results) -> None:
        await results.put_transcript(owner(tenant="a"), a_transcript())
        await results.put_transcript(owner(tenant="b"), Transcript("transcript_1", "en", 0.0, (), Coverage(0, 0)))
        assert await results.get_transcript("a", "transcript_1") == a_transcript()

    async def test_deleting_a_conversation_removes_all_of_it_and_nothing_else(self, store: Store) -> None:
        results = store.results
        for conversation, number in (("conversation_1", 1), ("conversation_2", 2)):
            await results.put_transcript(owner(conversation), a_transcript(f"transcript_{number}"))
            await results.put_recap(owner(conversation), a_recap(f"recap_{number}"))
            await results.put_embedding(owner(conversation), f"embedding_{number}", Embedding(MODEL, [[1.0]]))
            passage = Passage(f"transcript_{number}", (0,), 0, 1, "words", (1.0, 0.0), MODEL)
            await store.search.index(owner(conversation), f"transcript_{number}", [passage])
        await results.delete_conversation("default", "conversation_1")
        for look in (
            results.get_transcript("default", "transcript_1"),
            results.get_recap("default", "recap_1"),
            results.get_embedding("default", "embedding_1"),
        ):
            with pytest.raises(NotFound):
                await look
        for mode in SearchMode:
            hits = await store.search.search("default", "words", (1.0, 0.0), MODEL, mode, 10)
            assert [hit.transcript_id for hit in hits] == ["transcript_2"]
        assert await results.get_transcript("default", "transcript_2") == a_transcript("transcript_2")

    async def test_a_conversation_holds_its_own_results_and_no_others(self, results: Results) -> None:
        await results.put_transcript(owner(), a_transcript())
        await results.put_recap(owner(), a_recap("recap_2"))
        await results.put_recap(owner(), a_recap("recap_1"))
        await results.put_recap(owner("conversation_2"), a_recap("recap_3"))
        await results.put_recap(owner(tenant="b"), a_recap("recap_4"))
        held = await results.held("default", "conversation_1")
        assert (list(held.transcript_ids), list(held.recap_ids), list(held.embedding_ids)) == (
            ["transcript_1"],
            ["recap_1", "recap_2"],
            [],
        )
        assert not (await results.held("default", "conversation_3")).anything

    async def test_deleting_what_is_not_there_says_so(self, results: Results) -> None:
        with pytest.raises(NotFound):
            await results.delete_conversation("default", "conversation_1")

    async def test_a_late_writer_does_not_bring_a_deleted_conversation_back(self, store: Store) -> None:
        await store.results.put_transcript(owner(), a_transcript())
        await store.results.delete_conversation("default", "conversation_1")
        for write in (
            store.results.put_transcript(owner(), a_transcript()),
            store.results.put_recap(owner(), a_recap()),
            store.results.put_embedding(owner(), "embedding_1", Embedding(MODEL, [[1.0]])),
            store.search.index(owner(), "transcript_1", []),
        ):
            with pytest.raises(Gone):
                await write
        with pytest.raises(NotFound):
            await store.results.get_recap("default", "recap_1")

    async def test_a_submitted_upload_is_in_use_until_its_conversation_is_deleted(self, store: Store) -> None:
        assert not await store.results.blob_in_use("default", BLOB)
        job = await uploaded(store)
        assert await store.results.blob_in_use("default", BLOB)
        assert not await store.results.blob_in_use("other", BLOB)
        assert await store.results.delete_conversation("default", job.result_id("conversation")) == [BLOB]
        assert not await store.results.blob_in_use("default", BLOB)

    async def test_a_blob_that_another_conversation_uses_stays(self, store: Store) -> None:
        first, second = await uploaded(store), await uploaded(store)
        assert await store.results.delete_conversation("default", first.result_id("conversation")) == []
        assert await store.results.delete_conversation("default", second.result_id("conversation")) == [BLOB]

    async def test_tenants_count_their_blobs_apart(self, store: Store) -> None:
        mine = await uploaded(store, "a")
        await uploaded(store, "b")
        assert await store.results.delete_conversation("a", mine.result_id("conversation")) == [BLOB]

    async def test_a_deletion_that_was_cut_short_names_the_blobs_again(self, store: Store) -> None:
        job = await uploaded(store)
        conversation = job.result_id("conversation")
        await store.results.delete_conversation("default", conversation)
        assert await store.results.delete_conversation("default", conversation) == [BLOB]
        await store.jobs.cancel("default", job.id)
        await store.jobs.delete("default", job.id)
        with pytest.raises(NotFound):
            await store.results.delete_conversation("default", conversation)

    async def test_a_conversation_names_the_first_blob_it_was_given_and_keeps_to_it(self, results: Results) -> None:
        assert await results.blob_of_conversation("t", "conversation_x") is None
        assert await results.name_blob("t", "conversation_x", Blob("b" * 64, 1)) == "b" * 64
        assert await results.name_blob("t", "conversation_x", Blob("c" * 64, 1)) == "b" * 64
        assert await results.blob_of_conversation("t", "conversation_x") == "b" * 64
        assert await results.blob_of_conversation("other", "conversation_x") is None
        assert (await results.blob_in_use("t", "b" * 64), await results.blob_in_use("t", "c" * 64)) == (True, False)

    async def test_a_deleted_conversation_names_no_blob_any_more(self, results: Results) -> None:
        await results.name_blob("t", "conversation_x", Blob("b" * 64, 1))
        assert await results.delete_conversation("t", "conversation_x") == ["b" * 64]
        with pytest.raises(Gone):
            await results.name_blob("t", "conversation_x", Blob("b" * 64, 1))


class TestSqlResults(ResultsContract):
    @pytest.fixture
    def store(self, database_url: str) -> Iterator[SqlStore]:
        store = SqlStore.open(database_url, MovableClock())
        yield store
        store.close()


async def test_no_byte_of_a_deleted_conversation_is_left_in_the_files(sqlite_url: str, tmp_path: Path) -> None:
    store = SqlStore.open(sqlite_url, MovableClock())
    canary = "zugvogelklappe"
    segment = Segment(0, 0.0, 1.0, f"the {canary} opened", None, (), None)
    transcript = Transcript("transcript_1", "en", 1.0, (segment,), Coverage(1, 1))
    await store.results.put_transcript(owner(), transcript)
    passage = Passage("transcript_1", (0,), 0, 1, segment.text, (1.0, 0.0), MODEL)
    await store.search.index(owner(), "transcript_1", [passage])
    assert canary.encode() in bytes_of(tmp_path)
    await store.results.delete_conversation("default", "conversation_1")
    assert canary.encode() not in bytes_of(tmp_path)
    store.close()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
