"""Upload -> transcript: the part that every job over a recording begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from application.expected_time import ExpectedTime
from application.fetch_recording import FetchRecording
from application.follow_recording import FollowRecording, OnWords
from application.job_context import context_of, conversation_of, owner_of
from application.job_session import JobSession
from application.known_transcripts import KnownTranscripts
from application.payloads import AudioPayload
from application.speakers.asked import SpeakersAsked
from application.speakers.give_words import labelled
from application.speakers.tell_speakers import TellSpeakers
from application.stage_steps import Transcribe
from application.transcribe_channels import TranscribeChannels
from domain.call import CallContext
from domain.errors import InvalidRequest
from domain.named_speakers import ToldBy
from domain.transcript import Transcript
from ports.audio_decoder import AudioDecoder
from ports.blob_store import BlobStore
from ports.results import TranscriptStore
from ports.transcriber import TranscriptionOptions


@dataclass(frozen=True, slots=True)
class TranscribeUpload:
    """Upload -> decoded sound -> windows -> transcript, stored as soon as it exists.

    `work_dir` takes the decoded sound while it is needed; `max_audio_s` bounds a recording, in seconds. `vocabulary`: words to
    expect in all recordings of a tenant.
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
    speakers: TellSpeakers = field(default_factory=TellSpeakers)
    vocabulary: Mapping[str, str] = field(default_factory=dict)

    async def transcript(self, session: JobSession, on_words: OnWords) -> Transcript:
        """Return the job's transcript, made now or by an earlier attempt."""
        job = session.job
        stored = job.result.get("transcript_id")
        if stored is not None:
            return await self.transcripts.get_transcript(job.request.tenant, stored)
        payload = AudioPayload.of(job.request.payload)
        expected = self.vocabulary.get(job.request.tenant)
        options, context = payload.options(self.options, expected), context_of(session)
        blob_id = payload.blob_id or await self._fetched(session, payload)
        known = await self.known.find(blob_id, options, context, payload.asked)
        made = known or await self._make(session, blob_id, options, context, payload.asked, on_words)
        transcript = replace(made, id=job.result_id("transcript"))
        await self.transcripts.put_transcript(owner_of(job), transcript)
        if known is None:
            await self.known.note(blob_id, options, context, transcript, payload.asked)
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
        self,
        session: JobSession,
        blob_id: str,
        options: TranscriptionOptions,
        context: CallContext,
        asked: SpeakersAsked,
        on_words: OnWords,
    ) -> Transcript:
        job = session.job
        pcm = self.work_dir / f"{job.id}-{session.lease.fence}.pcm"
        await session.begin("decoding")
        try:
            async with self.blobs.local_path(job.request.tenant, blob_id) as source:
                audio = await self.decoder.decode(source, pcm, self.max_audio_s)
            await session.measured(audio.seconds)
            following = FollowRecording(session, audio.seconds, on_words, self.expected)
            await following.begin()
            told = await self.speakers.by_channel(audio, asked)
            if told is not None:
                channels = TranscribeChannels(self.transcribe, self.decoder, self.work_dir, self.max_audio_s)
                transcript_id, hear = job.result_id("transcript"), following.on_window
                async with self.blobs.local_path(job.request.tenant, blob_id) as source:
                    heard, given = await channels(transcript_id, source, audio, told, options, context, hear)
                return labelled(heard, given, asked.names, ToldBy.CHANNEL)
            async with self.speakers.beside(session, audio, asked, context) as listening:
                heard = await self.transcribe(job.result_id("transcript"), audio, options, context, following.on_window)
                return await listening.named(heard)
        finally:
            pcm.unlink(missing_ok=True)
