"""What each kind of job does, top to bottom: the plan of a conversation and its single stages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from application.expected_time import ExpectedTime
from application.fetch_recording import FetchRecording
from application.follow_recording import FollowRecording, OnWords
from application.job_session import JobSession
from application.known_transcripts import KnownTranscripts
from application.payloads import AudioPayload, EmbeddingPayload, RecapPayload
from application.recap.chapters import chapter_count
from application.recap.embed import estimated_tokens
from application.recap.make_recap import EMBEDDED, PHRASED, RecapResult
from domain.audio import DecodedAudio
from domain.call import CallContext, CallKind, Provenance
from domain.embedding import Embedding
from domain.errors import InvalidRequest
from domain.job import Job, JobKind
from domain.transcript import Segment, Transcript
from ports.audio_decoder import AudioDecoder
from ports.blob_store import BlobStore
from ports.embedder import Embedder, InputType
from ports.results import EmbeddingStore, Ownership, RecapStore, SearchIndex, TranscriptStore
from ports.transcriber import TranscriptionOptions

ROUNDING = 1e-6
INDEXED_S = 0.1
"""Seconds until a recap and its passages are stored and can be found."""
TRANSCRIBING = ("fetching", "decoding", "transcribing")
RECAPPING = ("embedding", "recapping", "titling", "indexing")
TEXTS_PER_CALL = 64
"""Texts of one embedding call: one batch of the replica, small enough that no call is long."""


class Transcribe(Protocol):
    """`TranscribeAudio`, as the stages see it."""

    async def __call__(
        self,
        transcript_id: str,
        audio: DecodedAudio,
        options: TranscriptionOptions,
        context: CallContext,
        on_window: Callable[[int, int, Sequence[Segment]], Awaitable[None]],
    ) -> Transcript: ...


class Recapitulate(Protocol):
    """`MakeRecap`, as the stages see it."""

    async def __call__(
        self,
        recap_id: str,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: str,
        context: CallContext,
        progress: Callable[[float], Awaitable[None]],
    ) -> RecapResult: ...


def conversation_of(job: Job) -> str:
    """The conversation that a job's results belong to, and are deleted with.

    A recap of a stored transcript belongs to the transcript's conversation: whoever deletes that deletes its words everywhere.
    """
    transcript_id = job.request.payload.get("transcript_id") if job.request.kind is JobKind.RECAP else None
    if isinstance(transcript_id, str):
        return f"conversation_{transcript_id.rpartition('_')[2]}"
    return job.result_id("conversation")


def context_of(session: JobSession) -> CallContext:
    """On whose behalf the calls of a job are made, until when, and in which trace."""
    job = session.job
    request = job.request
    return CallContext(
        tenant=request.tenant,
        job_id=job.id,
        conversation_id=conversation_of(job),
        deadline=request.deadline,
        store=request.store,
        traceparent=session.traceparent,
    )


def owner_of(job: Job) -> Ownership:
    """Whose the results of a job are."""
    return Ownership(job.request.tenant, conversation_of(job))


async def _unheeded(_words: int) -> None:
    """A transcription alone does nothing with the words."""


@dataclass(frozen=True, slots=True)
class TranscribeUpload:
    """Upload -> decoded sound -> windows -> transcript, stored as soon as it exists.

    `work_dir` takes the decoded sound while it is needed; `max_audio_s` bounds a recording, in seconds.
    """

    blobs: BlobStore
    decoder: AudioDecoder
    transcribe: Transcribe
    transcripts: TranscriptStore
    known: KnownTranscripts
    work_dir: Path
    max_audio_s: float
    options: TranscriptionOptions
    fetch: FetchRecording
    expected: ExpectedTime

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a transcription job to its end."""
        session.plan(*TRANSCRIBING)
        transcript = await self.transcript(session, _unheeded)
        return {"transcript_id": transcript.id, "conversation_id": conversation_of(session.job)}

    async def transcript(self, session: JobSession, on_words: OnWords) -> Transcript:
        """Return the job's transcript, made now or by an earlier attempt."""
        job = session.job
        stored = job.result.get("transcript_id")
        if stored is not None:
            return await self.transcripts.get_transcript(job.request.tenant, stored)
        payload = AudioPayload.of(job.request.payload)
        options, context = self._options(payload), context_of(session)
        blob_id = payload.blob_id or await self._fetched(session, payload)
        known = await self.known.find(blob_id, options, context)
        made = known or await self._make(session, blob_id, options, context, on_words)
        transcript = replace(made, id=job.result_id("transcript"))
        await self.transcripts.put_transcript(owner_of(job), transcript)
        if known is None:
            await self.known.note(blob_id, options, context, transcript)
        result = {"transcript_id": transcript.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "transcript.completed", {"transcript_id": transcript.id})
        return transcript

    async def _fetched(self, session: JobSession, payload: AudioPayload) -> str:
        if payload.audio_url is None:
            raise InvalidRequest("The job names no recording.")
        session.remaining.price("fetching", None)
        await session.begin("fetching")
        job = session.job
        return await self.fetch(job.request.tenant, conversation_of(job), payload.audio_url, payload.max_bytes)

    async def _make(
        self, session: JobSession, blob_id: str, options: TranscriptionOptions, context: CallContext, on_words: OnWords
    ) -> Transcript:
        job = session.job
        pcm = self.work_dir / f"{job.id}-{session.lease.fence}.pcm"
        await session.begin("decoding")
        try:
            async with self.blobs.local_path(job.request.tenant, blob_id) as source:
                audio = await self.decoder.decode(source, pcm, self.max_audio_s)
            following = FollowRecording(session, audio.seconds, on_words, self.expected)
            await following.begin()
            return await self.transcribe(job.result_id("transcript"), audio, options, context, following.on_window)
        finally:
            pcm.unlink(missing_ok=True)

    def _options(self, payload: AudioPayload) -> TranscriptionOptions:
        base = self.options.parameters() | {"language": payload.language, "prompt": payload.vocabulary}
        return TranscriptionOptions(**base)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class RecapTranscript:
    """Segments -> recap, stored; its sentences and chapters become searchable."""

    make_recap: Recapitulate
    recaps: RecapStore
    transcripts: TranscriptStore
    index: SearchIndex
    expected: ExpectedTime

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a recap job to its end: over a stored transcript, or over segments of the caller's own."""
        session.plan(*RECAPPING)
        job = session.job
        payload = RecapPayload.of(job.request.payload)
        if payload.transcript_id is not None:
            transcript = await self.transcripts.get_transcript(job.request.tenant, payload.transcript_id)
            segments, language = transcript.segments, transcript.language
        else:
            segments = tuple(
                Segment(place, s.start, s.end, s.text, speaker=s.speaker) for place, s in enumerate(payload.segments)
            )
            language = "en"
        return await self.recap(session, payload.transcript_id, segments, payload.language or language, payload.template)

    async def recap(
        self,
        session: JobSession,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: str,
    ) -> Mapping[str, str]:
        """Make, store and index the recap of `segments`."""
        job = session.job
        words = sum(len(segment.text.split()) for segment in segments)
        await self.expect(session, words)
        await session.begin("embedding", "recapping")
        in_flight = self.expected.at_once[CallKind.GENERATE] / chapter_count(words, self.expected.settings)

        async def progress(fraction: float) -> None:
            if fraction <= EMBEDDED:
                await session.begin("recapping", in_flight=in_flight, in_order=False)
            elif fraction < PHRASED - ROUNDING:
                await session.advance(fraction - EMBEDDED, PHRASED - EMBEDDED)
            elif fraction < 1:
                await session.begin("titling", like="recapping")

        made = await self.make_recap(
            job.result_id("recap"), transcript_id, segments, language, template, context_of(session), progress
        )
        await self.recaps.put_recap(owner_of(job), made.recap)
        result = {"recap_id": made.recap.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "recap.completed", {"recap_id": made.recap.id})
        if transcript_id is not None and made.passages:
            await session.begin("indexing")
            await self.index.index(owner_of(job), transcript_id, made.passages)
        return result

    async def expect(self, session: JobSession, words: int) -> None:
        """Price the recap of so many words; each guess replaces the one before."""
        time = await self.expected.recap(words)
        session.remaining.price("embedding", time.embedding)
        session.remaining.price("recapping", time.chapters)
        session.remaining.price("titling", time.title)
        session.remaining.price("indexing", INDEXED_S)


@dataclass(frozen=True, slots=True)
class ProcessConversation:
    """Audio -> transcript -> recap -> searchable vectors: the main job."""

    upload: TranscribeUpload
    recap: RecapTranscript

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a conversation job to its end. Whatever an earlier attempt stored or paid for is read, not made."""
        session.plan(*TRANSCRIBING, *RECAPPING)
        payload = AudioPayload.of(session.job.request.payload)
        transcript = await self.upload.transcript(session, partial(self.recap.expect, session))
        recap = await self.recap.recap(session, transcript.id, transcript.segments, transcript.language, payload.template)
        return {"transcript_id": transcript.id, **recap}


@dataclass(frozen=True, slots=True)
class EmbedTexts:
    """Many texts -> vectors, group by group."""

    embedder: Embedder
    embeddings: EmbeddingStore
    expected: ExpectedTime

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work an embedding job to its end."""
        job = session.job
        payload = EmbeddingPayload.of(job.request.payload)
        groups, tokens = -(-len(payload.texts) // TEXTS_PER_CALL), sum(map(estimated_tokens, payload.texts))
        session.plan("embedding")
        session.remaining.price("embedding", await self.expected.embedding(groups, tokens))
        await session.begin("embedding", in_flight=1 / groups)
        vectors: list[Sequence[float]] = []
        calls: list[Provenance] = []
        for start in range(0, len(payload.texts), TEXTS_PER_CALL):
            group = payload.texts[start : start + TEXTS_PER_CALL]
            answer = await self.embedder.embed(group, InputType(payload.input_type), context_of(session))
            vectors.extend(cut(vector, payload.dimensions) for vector in answer.value)
            calls.append(answer.provenance)
            await session.advance(len(vectors), len(payload.texts))
        embedding_id = job.result_id("embedding")
        embedding = Embedding(self.embedder.identity, vectors, tuple(calls))
        await self.embeddings.put_embedding(owner_of(job), embedding_id, embedding)
        return {"embedding_id": embedding_id}


def cut(vector: Sequence[float], dimensions: int | None) -> Sequence[float]:
    """Keep the first `dimensions` components and make the vector unit length again (Matryoshka use)."""
    if dimensions is None or dimensions >= len(vector):
        return vector
    kept = vector[:dimensions]
    length = sum(component * component for component in kept) ** 0.5
    return kept if length == 0 else [component / length for component in kept]
