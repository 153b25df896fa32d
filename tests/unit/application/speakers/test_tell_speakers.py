"""Speakers are found beside the transcription, by the real worker and stages; when that fails, everything else is there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import prompts
from adapters.dateparser_dates import DateparserDates
from adapters.scripted import ScriptedItemFinder, ScriptedRates, by_words
from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.telemetry import build_telemetry
from application.expected_time import ExpectedTime
from application.index_transcript import IndexTranscript
from application.known_transcripts import KnownTranscripts
from application.maintenance import Maintenance
from application.payloads import AudioPayload
from application.recap.make_recap import MakeRecap
from application.recap.settings import RecapSettings
from application.rename_speakers import IndexUnderNames, RenameSpeakers
from application.run_stages import ProcessConversation, RecapTranscript, TranscribeAlone
from application.speakers.asked import UP_TO_THE_SERVICE, SpeakersAsked
from application.speakers.tell_speakers import TellSpeakers
from application.transcribe_upload import TranscribeUpload
from application.work_on_jobs import WorkOnJobs
from domain.audio import DecodedAudio
from domain.call import CallContext, CallKind, CallSpec, ModelIdentity, Provenance
from domain.errors import BudgetExceeded, LeaseLost, ModelUnavailable, StorageFailed
from domain.job import Job, JobKind, JobRequest, JobStatus
from domain.named_speakers import SpeakerStatus, ToldBy
from domain.search import PassageKind, SearchFilters, SearchMode
from domain.speakers import SpeakerCount, SpeakerTurn, SpokenTurns
from domain.transcript import Coverage, Segment, Transcript, Word
from ports.audio_decoder import AudioDecoder
from ports.results import Ownership
from ports.transcriber import TranscriptionOptions
from tests.doubles_recap import TASK, HashingEmbedder, RuledLanguageModel
from tests.estimating import PlainDecoder
from tests.timed_service import OneRecording

BLOB = "b" * 64
VOICES = replace(
    Provenance.of(CallSpec(CallKind.TRANSCRIBE, "1" * 64, ModelIdentity("voices", "r1", "scripted", "none"), {})), attempts=1
)
TURNS = SpokenTurns((SpeakerTurn(0.0, 2.0, 0), SpeakerTurn(2.0, 4.0, 1)), (VOICES,))
TEXT = "Did the importer crash again? I will mend the importer."


def said() -> tuple[Segment, ...]:
    spoken = TEXT.split()
    return (Segment(0, 0.0, 4.0, TEXT, words=tuple(Word(n * 0.4, n * 0.4 + 0.4, word, 0.9) for n, word in enumerate(spoken))),)


class Transcribes:
    """Recognises `said()` at once, or as soon as it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.calls = 0
        self.expected: list[str | None] = []

    async def __call__(
        self,
        transcript_id: str,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: Callable[[int, int, Sequence[Segment]], Awaitable[None]],
    ) -> Transcript:
        self.calls += 1
        self.expected.append(options.prompt)
        await self.may.wait()
        heard = said() if audio.channels == 1 else heard_in(Path(audio.pcm_path).read_bytes())
        await on_window(1, 1, heard)
        return Transcript(transcript_id, "en", audio.seconds, heard, Coverage(4.0, 4.0))


def heard_in(pcm: bytes) -> tuple[Segment, ...]:
    """The words that sound from their first moment to their last."""

    def sounds(time: float) -> bool:
        at = round(time * 16_000) * 2
        return any(pcm[at : at + 2])

    words = tuple(word for word in said()[0].words if sounds(word.start + 0.01) and sounds(word.end - 0.01))
    text = " ".join(word.text for word in words)
    return (Segment(0, words[0].start, words[-1].end, text, words=words),) if words else ()


@dataclass
class FindsTurns:
    """Finds `turns`, or fails; `during` runs in the middle."""

    turns: SpokenTurns = TURNS
    failure: Exception | None = None
    during: Callable[[], Awaitable[None]] | None = None
    asked: list[SpeakerCount] = field(default_factory=list)

    async def __call__(
        self, audio: DecodedAudio, count: SpeakerCount, context: CallContext, on_progress: Callable[[int, int], Awaitable[None]]
    ) -> SpokenTurns:
        self.asked.append(count)
        await on_progress(1, 2)
        if self.during is not None:
            await self.during()
        if self.failure is not None:
            raise self.failure
        await on_progress(2, 2)
        return self.turns


@dataclass
class Desk:
    store: SqlStore
    clock: MovableClock
    source: Path
    transcribe: Transcribes = field(default_factory=Transcribes)
    find: FindsTurns | None = field(default_factory=FindsTurns)
    by_default: bool = True
    vocabulary: dict[str, str] = field(default_factory=dict)
    decoder: AudioDecoder = field(default_factory=PlainDecoder)
    embedder: HashingEmbedder = field(default_factory=HashingEmbedder)
    writer: RuledLanguageModel = field(default_factory=RuledLanguageModel)

    def worker(self) -> WorkOnJobs:
        store, expected = self.store, ExpectedTime(ScriptedRates(), prompts, dict.fromkeys(CallKind, 1))
        upload = TranscribeUpload(
            blobs=OneRecording(self.source),  # type: ignore[arg-type]
            decoder=self.decoder,
            transcribe=self.transcribe,
            transcripts=store.results,
            known=KnownTranscripts(store.calls, store.results, {}, "w"),
            work_dir=self.source.parent,
            max_audio_s=60.0,
            options=TranscriptionOptions(),
            fetch=None,  # type: ignore[arg-type]
            expected=expected,
            speakers=TellSpeakers(self.find, self.by_default),
            vocabulary=self.vocabulary,
        )
        index = IndexTranscript(self.embedder, IndexUnderNames(store.search, store.results), expected, RecapSettings())
        finder = ScriptedItemFinder(by_words({"I will mend": TASK}))
        make = MakeRecap(self.writer, self.embedder, finder, prompts)
        recap = RecapTranscript(make, store.results, store.results, store.search, expected, prompts, DateparserDates())
        handlers = {
            JobKind.TRANSCRIPTION: TranscribeAlone(upload, index),
            JobKind.CONVERSATION: ProcessConversation(upload, recap),
        }
        tracer, maintenance = build_telemetry().tracer, Maintenance({}, self.clock)
        return WorkOnJobs(store.jobs, store.calls, handlers, self.clock, tracer, "w", maintenance, lease_s=600.0)

    async def work(self, asked: SpeakersAsked = UP_TO_THE_SERVICE, kind: JobKind = JobKind.TRANSCRIPTION) -> Job:
        payload = AudioPayload(blob_id=BLOB, size=1, speakers=asked.plain())
        job, _ = await self.store.jobs.submit(JobRequest(kind, payload.plain()))
        lease = await self.store.jobs.claim("w", 600.0)
        assert lease is not None
        await self.worker().work(lease)
        return await self.store.jobs.get("default", job.id)

    async def made(self, asked: SpeakersAsked = UP_TO_THE_SERVICE) -> Transcript:
        job = await self.work(asked)
        assert (job.status, job.error) == (JobStatus.COMPLETED, None)
        return await self.store.results.get_transcript("default", job.result["transcript_id"])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = MovableClock()
    source = tmp_path / "recording.raw"
    source.write_bytes(bytes(4 * 32_000))
    store = SqlStore.open("sqlite://", clock)
    yield Desk(store, clock, source)
    store.close()


async def test_words_are_given_to_who_was_heard_and_the_calls_that_heard_them_are_told(desk: Desk) -> None:
    made = await desk.made()

    assert [(s.id, s.speaker, s.text) for s in made.segments] == [
        (0, "Speaker 1", "Did the importer crash again?"),
        (1, "Speaker 2", "I will mend the importer."),
    ]
    assert (made.speakers.status, made.speakers.told_by) == (SpeakerStatus.FOUND, ToldBy.VOICE)
    assert made.provenance[-1] == VOICES


async def test_a_speaker_is_found_by_search_and_search_is_filtered_by_speakers(desk: Desk) -> None:
    await desk.made()
    search = desk.store.search.search

    everywhere = await search("default", "importer", None, None, SearchMode.LEXICAL, 10)
    only = await search("default", "importer", None, None, SearchMode.LEXICAL, 10, SearchFilters(speakers=("Speaker 2",)))
    assert {hit.speaker for hit in everywhere} == {"Speaker 1", "Speaker 2"}
    assert [(hit.speaker, hit.text) for hit in only] == [("Speaker 2", "I will mend the importer.")]


async def test_a_recap_reads_who_speaks_and_whoever_says_that_he_will_owns_the_task(desk: Desk) -> None:
    job = await desk.work(kind=JobKind.CONVERSATION)
    recap = await desk.store.results.get_recap("default", job.result["recap_id"])

    assert [(item.owner, item.speaker) for item in recap.action_items] == [("Speaker 2", "Speaker 2")]
    assert recap.speakers == ("Speaker 1", "Speaker 2")
    asked = str([prompt.messages for prompt in desk.writer.asked])
    assert "Speaker 1: Did the importer crash again?" in asked
    assert "Speaker 2: I will mend the importer." in asked


@pytest.mark.parametrize("kind", [JobKind.TRANSCRIPTION, JobKind.CONVERSATION])
async def test_who_is_renamed_while_a_job_still_works_is_found_under_the_new_name(desk: Desk, kind: JobKind) -> None:
    results = desk.store.results
    rename = RenameSpeakers(results, results, results, desk.store.search)
    desk.embedder = Interrupted(lambda transcript_id: rename("default", transcript_id, {"Speaker 2": "Ana"}), desk.store)
    job = await desk.work(kind=kind)

    assert job.status is JobStatus.COMPLETED
    hits = await desk.store.search.search("default", "importer", None, None, SearchMode.LEXICAL, 10)
    assert {hit.speaker for hit in hits if hit.kind is PassageKind.LINE} == {"Speaker 1", "Ana"}


class Interrupted(HashingEmbedder):
    """Does something about the one transcript before it embeds for the first time."""

    def __init__(self, interruption: Callable[[str], Awaitable[Any]], store: SqlStore) -> None:
        super().__init__()
        self._interruption, self._store = interruption, store

    async def embed(self, texts: Sequence[str], *about: Any, **more: Any) -> Any:
        if not self.asked:
            (job,) = await self._store.jobs.list("default", 1)
            await self._interruption(job.result["transcript_id"])
        return await super().embed(texts, *about, **more)


async def test_the_callers_count_and_names_are_used(desk: Desk) -> None:
    made = await desk.made(SpeakersAsked(True, SpeakerCount(2, 3), ("Ana",)))

    assert desk.find is not None
    assert desk.find.asked == [SpeakerCount(2, 3)]
    assert [s.speaker for s in made.segments] == ["Ana", "Speaker 2"]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ModelUnavailable("away", None), "speaker_model_unavailable"),
        (BudgetExceeded("no more", "audio_seconds", 0.0), "budget_exceeded"),
        (StorageFailed("away"), "storage_failed"),
        (RuntimeError("a mistake"), "internal_error"),
    ],
)
async def test_whatever_goes_wrong_with_speakers_costs_nothing_else_and_is_named(
    desk: Desk, failure: Exception, reason: str
) -> None:
    desk.find = FindsTurns(failure=failure)
    made = await desk.made()

    assert (made.text, made.speakers.status, made.speakers.reason) == (TEXT, SpeakerStatus.FAILED, reason)
    assert [s.speaker for s in made.segments] == [None]
    assert await desk.store.search.search("default", "importer", None, None, SearchMode.LEXICAL, 10)


async def test_speakers_that_were_not_found_are_looked_for_again_at_the_next_request(desk: Desk) -> None:
    desk.find = FindsTurns(failure=ModelUnavailable("away", None))
    await desk.made()
    desk.find = FindsTurns()
    made = await desk.made()

    assert made.speakers.status is SpeakerStatus.FOUND


async def test_a_lost_lease_is_no_failure_of_speakers(desk: Desk) -> None:
    desk.find = FindsTurns(failure=LeaseLost("another has it"))
    job = await desk.work()

    assert job.status is JobStatus.IN_PROGRESS
    assert "transcript_id" not in job.result


@pytest.mark.parametrize(
    ("asked", "by_default", "status"),
    [
        (SpeakersAsked(False), True, SpeakerStatus.OFF),
        (SpeakersAsked(None), False, SpeakerStatus.OFF),
        (SpeakersAsked(True), False, SpeakerStatus.FOUND),
    ],
)
async def test_whether_anybody_looks_is_the_requests_and_else_the_settings(
    desk: Desk, asked: SpeakersAsked, by_default: bool, status: SpeakerStatus
) -> None:
    desk.by_default = by_default
    made = await desk.made(asked)

    assert made.speakers.status is status
    assert desk.find is not None
    assert bool(desk.find.asked) == (status is SpeakerStatus.FOUND)


async def test_without_a_model_only_who_asks_hears_that_there_is_none(desk: Desk) -> None:
    desk.find = None

    assert (await desk.made()).speakers.status is SpeakerStatus.OFF
    asked = await desk.made(SpeakersAsked(True))
    assert (asked.speakers.status, asked.speakers.reason) == (SpeakerStatus.FAILED, "no_speaker_model")


@dataclass
class LevelledDecoder(PlainDecoder):
    """Tells of two channels that are as loud as they are told to be, a level for every 50 ms."""

    levels: tuple[bytes, ...] = ()

    async def decode(self, source: Path, target: Path, max_seconds: float, channel: int | None = None) -> DecodedAudio:
        audio = await super().decode(source, target, max_seconds)
        return replace(audio, channels=len(self.levels), levels=self.levels)


SPEAKS, QUIET = bytes([60, 70, 65, 45] * 10), bytes([20] * 40)
IN_TURNS = (SPEAKS + QUIET, QUIET + SPEAKS)
"""Two seconds of the one, then two of the other."""


async def test_channels_with_a_speaker_each_need_no_model(desk: Desk) -> None:
    desk.find, desk.decoder = None, LevelledDecoder(IN_TURNS)
    desk.source.write_bytes(b"\1" * 4 * 32_000)
    made = await desk.made()

    assert made.speakers.told_by is ToldBy.CHANNEL
    assert [(s.id, s.speaker, s.text) for s in made.segments] == [
        (0, "Speaker 1", "Did the importer crash again?"),
        (1, "Speaker 2", "I will mend the importer."),
    ]
    assert (desk.transcribe.calls, sorted(path.name for path in desk.source.parent.iterdir())) == (2, ["recording.raw"])


@pytest.mark.parametrize(
    ("levels", "asked"),
    [
        (2 * (SPEAKS + SPEAKS,), SpeakersAsked()),
        (IN_TURNS, SpeakersAsked(True, told_by=ToldBy.VOICE)),
        (IN_TURNS, SpeakersAsked(True, SpeakerCount(3, 4))),
        ((*IN_TURNS, QUIET + QUIET), SpeakersAsked()),
    ],
    ids=["a copy", "voices are asked for", "more people than channels", "three channels"],
)
async def test_voices_tell_what_channels_do_not(desk: Desk, levels: tuple[bytes, ...], asked: SpeakersAsked) -> None:
    desk.decoder = LevelledDecoder(levels)
    desk.source.write_bytes(b"\1" * 4 * 32_000)

    assert (await desk.made(asked)).speakers.told_by is ToldBy.VOICE


async def test_channels_that_are_asked_for_tell_whatever_there_is_in_them(desk: Desk) -> None:
    asked = SpeakersAsked(True, told_by=ToldBy.CHANNEL)
    desk.decoder = LevelledDecoder((*IN_TURNS, QUIET + QUIET))
    desk.source.write_bytes(b"\1" * 4 * 32_000)
    assert [s.speaker for s in (await desk.made(asked)).segments] == ["Speaker 1", "Speaker 2"]

    desk.decoder = PlainDecoder()
    again = await desk.made(replace(asked, names=("Ana",)))
    assert (again.speakers.status, again.speakers.reason, again.text) == (SpeakerStatus.FAILED, "one_channel", TEXT)


async def test_one_speaker_needs_no_model(desk: Desk) -> None:
    desk.find = None
    made = await desk.made(SpeakersAsked(True, SpeakerCount(1, 1), ("Ana",)))

    assert [(s.speaker, s.text) for s in made.segments] == [("Ana", TEXT)]
    assert made.speakers.told_by is ToldBy.COUNT


async def test_a_known_transcript_serves_only_who_asks_for_the_same_speakers_and_as_they_were_found(desk: Desk) -> None:
    first = await desk.made()
    owner = Ownership("default", f"conversation_{first.id.rpartition('_')[2]}")
    await desk.store.results.put_transcript(owner, first.naming(first.speakers.renamed({"Speaker 1": "Ana"})))
    again = await desk.made()
    others = [await desk.made(SpeakersAsked(False)), await desk.made(SpeakersAsked(True, SpeakerCount(2, 2)))]

    assert [s.speaker for s in again.segments] == ["Speaker 1", "Speaker 2"]
    assert [len(made.segments) for made in others] == [1, 2]
    assert desk.transcribe.calls == 3


async def test_speakers_are_found_while_words_are_and_what_is_left_is_a_stage_of_its_own(desk: Desk) -> None:
    heard = asyncio.Event()
    desk.transcribe.may.clear()

    async def during() -> None:
        desk.transcribe.may.set()
        heard.set()
        for _ in range(50):
            await asyncio.sleep(0.002)

    desk.find = FindsTurns(during=during)
    job = await desk.work()
    stages = [
        event.data["stage"] for event in await desk.store.jobs.events("default", job.id, 0, 100) if event.type == "job.progress"
    ]

    assert heard.is_set()
    assert (job.status, job.progress.fraction) == (JobStatus.COMPLETED, 1.0)
    assert stages.index("speakers") > stages.index("transcribing")


async def test_a_transcription_that_fails_gives_up_the_search_for_speakers(desk: Desk) -> None:
    given_up: list[bool] = []

    async def during() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(True)
            raise

    async def fails(*_: Any) -> Transcript:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise ModelUnavailable("away", None)

    desk.find, desk.transcribe = FindsTurns(during=during), fails  # type: ignore[assignment]
    job = await desk.work()

    assert given_up == [True]
    assert job.status is JobStatus.QUEUED


async def test_words_of_the_tenant_are_expected_in_every_recording_of_theirs(desk: Desk) -> None:
    await desk.made()
    desk.vocabulary = {"other": "Zeno"}
    await desk.made()
    assert (desk.transcribe.expected, desk.transcribe.calls) == ([None], 1), "those of another tenant change nothing"
    desk.vocabulary = {"default": " Priya, Ewan "}
    await desk.made()
    assert desk.transcribe.expected == [None, "Priya, Ewan"], "and are no part of what was transcribed before"


@pytest.mark.parametrize(
    ("of_tenant", "of_request", "expected"),
    [(None, None, None), ("A, B", None, "A, B"), (None, "C", "C"), ("A, B", " C ", "A, B, C"), (" ", "", None)],
)
def test_words_of_a_request_follow_those_of_the_tenant(
    of_tenant: str | None, of_request: str | None, expected: str | None
) -> None:
    assert AudioPayload("b", 1, vocabulary=of_request).options(TranscriptionOptions(), of_tenant).prompt == expected
