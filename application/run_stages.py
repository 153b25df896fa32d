"""What each kind of job does, top to bottom: the plan of a conversation and its single stages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from application.fetch_recording import FetchRecording
from application.known_transcripts import KnownTranscripts
from application.payloads import AudioPayload, EmbeddingPayload, RecapPayload
from application.recap.make_recap import RecapResult
from application.work_on_jobs import JobSession
from domain.audio import DecodedAudio
from domain.call import CallContext, Provenance
from domain.canonical import Json
from domain.embedding import Embedding
from domain.errors import InvalidRequest
from domain.job import Job, JobKind
from domain.transcript import Segment, Transcript
from ports.audio_decoder import AudioDecoder
from ports.blob_store import BlobStore
from ports.embedder import Embedder, InputType
from ports.results import EmbeddingStore, Ownership, RecapStore, SearchIndex, TranscriptStore
from ports.transcriber import TranscriptionOptions

DECODED, TRANSCRIBED, RECAPPED = 0.03, 0.65, 0.98
"""Shares of a conversation's work that lie behind each stage, from the times of the demo on two cores."""
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


def _told(segment: Segment) -> dict[str, Json]:
    """A segment as an event. One per event, so that an attempt that is made again tells the very same and is not heard twice."""
    return {"id": segment.id, "start": segment.start, "end": segment.end, "text": segment.text, "speaker": segment.speaker}


def owner_of(job: Job) -> Ownership:
    """Whose the results of a job are."""
    return Ownership(job.request.tenant, conversation_of(job))


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

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a transcription job to its end."""
        transcript = await self.transcript(session, 0.0, 1.0)
        return {"transcript_id": transcript.id, "conversation_id": conversation_of(session.job)}

    async def transcript(self, session: JobSession, start: float, end: float) -> Transcript:
        """Return the job's transcript, made now or by an earlier attempt; progress moves from `start` to `end`."""
        job = session.job
        stored = job.result.get("transcript_id")
        if stored is not None:
            return await self.transcripts.get_transcript(job.request.tenant, stored)
        payload = AudioPayload.of(job.request.payload)
        options, context = self._options(payload), context_of(session)
        blob_id = payload.blob_id or await self._fetched(session, payload, start)
        known = await self.known.find(blob_id, options, context)
        made = known or await self._make(session, blob_id, options, context, start, end)
        transcript = replace(made, id=job.result_id("transcript"))
        await self.transcripts.put_transcript(owner_of(job), transcript)
        if known is None:
            await self.known.note(blob_id, options, context, transcript)
        result = {"transcript_id": transcript.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "transcript.completed", {"transcript_id": transcript.id})
        return transcript

    async def _fetched(self, session: JobSession, payload: AudioPayload, start: float) -> str:
        if payload.audio_url is None:
            raise InvalidRequest("The job names no recording.")
        await session.progress(start, "fetching")
        job = session.job
        return await self.fetch(job.request.tenant, conversation_of(job), payload.audio_url, payload.max_bytes)

    async def _make(
        self, session: JobSession, blob_id: str, options: TranscriptionOptions, context: CallContext, start: float, end: float
    ) -> Transcript:
        job = session.job
        pcm = self.work_dir / f"{job.id}-{session.lease.fence}.pcm"
        await session.progress(start, "decoding")
        try:
            async with self.blobs.local_path(job.request.tenant, blob_id) as source:
                audio = await self.decoder.decode(source, pcm, self.max_audio_s)
            first = start + (end - start) * DECODED
            await session.progress(first, "transcribing")

            async def on_window(done: int, total: int, new: Sequence[Segment]) -> None:
                for segment in new:
                    await session.emit("transcript.segment", _told(segment))
                await session.progress(first + (end - first) * done / max(1, total), "transcribing")

            return await self.transcribe(job.result_id("transcript"), audio, options, context, on_window)
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

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a recap job to its end: over a stored transcript, or over segments of the caller's own."""
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
        return await self.recap(session, payload.transcript_id, segments, payload.language or language, payload.template, 0.0)

    async def recap(
        self,
        session: JobSession,
        transcript_id: str | None,
        segments: Sequence[Segment],
        language: str,
        template: str,
        start: float,
    ) -> Mapping[str, str]:
        """Make, store and index the recap of `segments`; progress moves from `start` to the end."""
        job = session.job
        await session.progress(start, "recapping")

        async def progress(fraction: float) -> None:
            await session.progress(start + (RECAPPED - start) * fraction, "recapping")

        made = await self.make_recap(
            job.result_id("recap"), transcript_id, segments, language, template, context_of(session), progress
        )
        await self.recaps.put_recap(owner_of(job), made.recap)
        result = {"recap_id": made.recap.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "recap.completed", {"recap_id": made.recap.id})
        if transcript_id is not None and made.passages:
            await session.progress(RECAPPED, "indexing")
            await self.index.index(owner_of(job), transcript_id, made.passages)
        return result


@dataclass(frozen=True, slots=True)
class ProcessConversation:
    """Audio -> transcript -> recap -> searchable vectors: the main job."""

    upload: TranscribeUpload
    recap: RecapTranscript

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a conversation job to its end. Whatever an earlier attempt stored or paid for is read, not made."""
        payload = AudioPayload.of(session.job.request.payload)
        transcript = await self.upload.transcript(session, 0.0, TRANSCRIBED)
        recap = await self.recap.recap(
            session, transcript.id, transcript.segments, transcript.language, payload.template, TRANSCRIBED
        )
        return {"transcript_id": transcript.id, **recap}


@dataclass(frozen=True, slots=True)
class EmbedTexts:
    """Many texts -> vectors, group by group."""

    embedder: Embedder
    embeddings: EmbeddingStore

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work an embedding job to its end."""
        job = session.job
        payload = EmbeddingPayload.of(job.request.payload)
        vectors: list[Sequence[float]] = []
        calls: list[Provenance] = []
        for start in range(0, len(payload.texts), TEXTS_PER_CALL):
            group = payload.texts[start : start + TEXTS_PER_CALL]
            answer = await self.embedder.embed(group, InputType(payload.input_type), context_of(session))
            vectors.extend(cut(vector, payload.dimensions) for vector in answer.value)
            calls.append(answer.provenance)
            await session.progress(len(vectors) / len(payload.texts), "embedding")
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
