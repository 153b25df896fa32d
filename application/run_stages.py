"""What each kind of job does, top to bottom: the plan of a conversation and its single stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from application.bounded_calls import estimated_tokens
from application.due_dates import with_due_dates
from application.expected_time import ExpectedTime
from application.index_transcript import INDEXED_S, IndexTranscript
from application.job_context import context_of, conversation_of, held_at, owner_of
from application.job_session import JobSession
from application.payloads import AudioPayload, EmbeddingPayload, RecapPayload, TemplateChoice
from application.recap.chapters import chapter_count
from application.recap.make_recap import EMBEDDED, PHRASED
from application.rename_speakers import IndexUnderNames
from application.stage_steps import Recapitulate, Said
from application.templates import Templates, chosen, shaped
from application.text_groups import text_groups
from application.transcribe_upload import TranscribeUpload
from domain.call import CallKind, Provenance
from domain.embedding import Embedding
from domain.job import JobKind
from domain.recap import Recap
from domain.search import Passage
from domain.transcript import Segment
from ports.date_resolver import DateResolver
from ports.embedder import Embedder, InputType, LongTexts
from ports.results import EmbeddingStore, RecapStore, SearchIndex, TranscriptStore

ROUNDING = 1e-6
TRANSCRIBING = ("fetching", "decoding", "transcribing", "speakers")
SEARCHABLE = ("embedding", "indexing")
RECAPPING = ("embedding", "recapping", "titling", "indexing")


@dataclass(frozen=True, slots=True)
class TranscribeAlone:
    """Audio -> transcript, which can be searched."""

    upload: TranscribeUpload
    index: IndexTranscript

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a transcription job to its end."""
        session.plan(*TRANSCRIBING, *SEARCHABLE)
        job = session.job
        transcript = await self.upload.transcript(session, partial(self.index.expect, session))
        recorded_at = held_at(job, AudioPayload.of(job.request.payload).recorded_at)
        await self.index(session, owner_of(job), transcript, context_of(session), recorded_at)
        return {"transcript_id": transcript.id, "conversation_id": conversation_of(job)}


@dataclass(frozen=True, slots=True)
class RecapTranscript:
    """Segments -> recap, stored; its sentences and chapters become searchable."""

    make_recap: Recapitulate
    recaps: RecapStore
    transcripts: TranscriptStore
    index: SearchIndex
    expected: ExpectedTime
    templates: Templates
    dates: DateResolver

    async def __call__(self, session: JobSession) -> Mapping[str, str]:
        """Work a recap job to its end: over a stored transcript, or over segments of the caller's own."""
        session.plan(*RECAPPING)
        job = session.job
        payload = RecapPayload.of(job.request.payload)
        if payload.transcript_id is not None:
            transcript = await self.transcripts.get_transcript(job.request.tenant, payload.transcript_id)
            segments, language, names = transcript.segments, transcript.language, transcript.speakers.names
        else:
            segments = tuple(
                Segment(index, s.start, s.end, s.text, speaker=s.speaker) for index, s in enumerate(payload.segments)
            )
            language, names = payload.language or "en", ()
        said = Said(payload.transcript_id, segments, language, payload.recorded_at, names)
        return await self.recap(session, said, payload.language or language, payload.template)

    async def recap(self, session: JobSession, said: Said, language: str, template: TemplateChoice) -> Mapping[str, str]:
        """Make, store and index the recap of what was said, in `language` where its template names none."""
        job = session.job
        asked = chosen(self.templates, template)
        transcript_id, segments = said.transcript_id, said.segments
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
            job.result_id("recap"),
            transcript_id,
            segments,
            asked.language or language,
            asked.template,
            context_of(session),
            progress,
        )
        recap = with_due_dates(shaped(made.recap, asked.template), self.dates, said.recorded_at, said.language)
        recap = replace(recap, speakers=said.speakers)
        await self.recaps.put_recap(owner_of(job), recap)
        result = {"recap_id": recap.id, "conversation_id": conversation_of(job)}
        await session.stage_done(result, "recap.completed", {"recap_id": recap.id})
        await self._index(session, said, recap, made.passages)
        return result

    async def _index(self, session: JobSession, said: Said, recap: Recap, passages: Sequence[Passage]) -> None:
        """Make the lines and chapters searchable: those of a transcript, or those of the caller's own unless it keeps nothing."""
        job = session.job
        brought = said.transcript_id is None
        if not passages or (brought and not job.request.store):
            return
        again = job.request.kind is JobKind.RECAP and not brought
        if again and not any(each.vector for each in passages):
            return  # what is there was embedded, and stays
        recorded_at = None if again and said.recorded_at is None else held_at(job, said.recorded_at)
        told = [replace(each, recap_id=recap.id, title=recap.title or None, recorded_at=recorded_at) for each in passages]
        await session.begin("indexing")
        if said.transcript_id is None:
            await self.index.index(owner_of(job), recap.id, told)
        else:
            await IndexUnderNames(self.index, self.transcripts)(owner_of(job), said.transcript_id, told, said.speakers, recap)

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
        names = transcript.speakers.names
        said = Said(transcript.id, transcript.segments, transcript.language, payload.recorded_at, names)
        recap = await self.recap.recap(session, said, transcript.language, payload.template)
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
        groups, tokens = list(text_groups(payload.texts)), sum(map(estimated_tokens, payload.texts))
        long_texts = LongTexts(payload.long_texts or LongTexts.REFUSE)
        session.plan("embedding")
        session.remaining.price("embedding", await self.expected.embedding(len(groups), tokens))
        await session.begin("embedding", in_flight=1 / len(groups))
        vectors: list[Sequence[float]] = []
        calls: list[Provenance] = []
        for group in groups:
            answer = await self.embedder.embed(group, InputType(payload.input_type), context_of(session), long_texts)
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
