"""The transcript of a recording that was transcribed before: found by its content, without decoding it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from application.speakers.asked import UP_TO_THE_SERVICE, SpeakersAsked
from domain.call import CallContext
from domain.canonical import Json, sha256_of
from domain.errors import NotFound, StorageFailed
from domain.named_speakers import SpeakerStatus
from domain.transcript import Transcript
from ports.call_cache import CallCache, Claimed, Hit
from ports.results import TranscriptStore
from ports.transcriber import TranscriptionOptions

CLAIM_S = 10.0
"""Seconds that a note may take to be written; nobody waits for it."""


@dataclass(frozen=True, slots=True)
class KnownTranscripts:
    """Remembers which transcript a recording's bytes led to, under everything that decides the text.

    `recipe` is that part of it which is the same for every recording: model, detector, rules; `speaker_recipe` the same for who
    speaks. The windows' calls are cached one by one all the same; this saves the decoding and the search for speech that come
    before them. Transcripts in which kept voices have a say are not remembered: who is known changes.
    """

    calls: CallCache
    transcripts: TranscriptStore
    recipe: Mapping[str, Json]
    owner: str
    speaker_recipe: Mapping[str, Json] = field(default_factory=dict)

    async def find(
        self,
        blob_id: str,
        options: TranscriptionOptions,
        context: CallContext,
        asked: SpeakersAsked = UP_TO_THE_SERVICE,
    ) -> Transcript | None:
        """Return the known transcript, its calls told as served from the cache; None when there is none, or it was deleted."""
        if not context.store or asked.of_kept_voices:
            return None
        scope, key = context.cache_scope, self._key(blob_id, options, asked)
        if await self.calls.read(scope, key) is None:
            return None
        found = await self.calls.begin(scope, key, self.owner, CLAIM_S, context.conversation_id)
        if isinstance(found, Claimed):
            await self.calls.release(scope, key, self.owner, found.fence)
        if not isinstance(found, Hit):
            return None
        try:
            return await self._transcript(found.answer, context)
        except NotFound:
            await self.calls.discard(scope, key)
            return None

    async def look(
        self,
        blob_id: str,
        options: TranscriptionOptions,
        context: CallContext,
        asked: SpeakersAsked = UP_TO_THE_SERVICE,
    ) -> Transcript | None:
        """Return what `find` would, and leave no trace of having looked."""
        if not context.store or asked.of_kept_voices:
            return None
        noted = await self.calls.read(context.cache_scope, self._key(blob_id, options, asked))
        try:
            return await self._transcript(noted, context)
        except NotFound:
            return None

    async def _transcript(self, noted: Json, context: CallContext) -> Transcript | None:
        """Return the transcript that a note names, its speakers as they were found. Raises NotFound when it was deleted."""
        if not isinstance(noted, dict):
            return None
        known = await self.transcripts.get_transcript(context.tenant, str(noted["transcript_id"]))
        found = known.naming(known.speakers.as_found())
        return replace(found, provenance=tuple(call.served_from_cache(0.0) for call in known.provenance))

    async def note(
        self,
        blob_id: str,
        options: TranscriptionOptions,
        context: CallContext,
        transcript: Transcript,
        asked: SpeakersAsked = UP_TO_THE_SERVICE,
    ) -> None:
        """Remember a stored transcript. One with windows that were refused, or whose speakers could not be found, is not: they
        deserve another try.
        """
        if not context.store or asked.of_kept_voices or transcript.refused or transcript.speakers.status is SpeakerStatus.FAILED:
            return
        scope, key = context.cache_scope, self._key(blob_id, options, asked)
        try:
            claim = await self.calls.begin(scope, key, self.owner, CLAIM_S, context.conversation_id)
            if isinstance(claim, Claimed):
                answer: Json = {"transcript_id": transcript.id}
                await self.calls.put(scope, key, self.owner, claim.fence, answer, context.conversation_id)
        except StorageFailed:
            return  # It costs the next one a decoding, and no job its result.

    def _key(self, blob_id: str, options: TranscriptionOptions, asked: SpeakersAsked) -> str:
        """What decides the transcript. Without speakers it is what it always was."""
        named: dict[str, Json] = {"transcript of": blob_id, "options": options.parameters(), "recipe": dict(self.recipe)}
        if asked.wanted is not False:
            named["speakers"] = {"asked": asked.plain(), "recipe": dict(self.speaker_recipe)}
        return sha256_of(named)
