"""Call the speakers of a transcript by their names: in it, in its recaps and in what is found of it, without a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from application.job_context import conversation_of_transcript
from application.recap_names import ToldAsNow, named_as_now
from domain.errors import NotFound
from domain.recap import Recap
from domain.search import Passage
from domain.transcript import Transcript
from ports.results import ConversationStore, Ownership, RecapStore, SearchIndex, TranscriptStore


@dataclass(frozen=True, slots=True)
class RenameSpeakers:
    """Renames speakers. What a crash in the middle leaves undone, the same request does."""

    transcripts: TranscriptStore
    recaps: RecapStore
    conversations: ConversationStore
    index: SearchIndex

    async def __call__(self, tenant: str, transcript_id: str, names: Mapping[str, str]) -> Transcript:
        """Return the transcript with its speakers called by `names`, which maps their labels, or the names they have now.

        A name that another speaker has makes one of the two. Raises NotFound, and InvalidRequest as `Speakers.renamed` does.
        """
        transcript = await self.transcripts.change_transcript(
            tenant, transcript_id, lambda found: found.naming(found.speakers.renamed(names))
        )
        await self.index.retell(tenant, transcript_id, ToldAsNow(transcript, await self._recaps(tenant, transcript)))
        return transcript

    async def _recaps(self, tenant: str, transcript: Transcript) -> Sequence[Recap]:
        held = await self.conversations.held(tenant, conversation_of_transcript(transcript.id))
        recaps: list[Recap] = []
        for recap_id in held.recap_ids:
            try:
                recap = await self.recaps.get_recap(tenant, recap_id)
            except NotFound:
                continue  # it was deleted meanwhile
            if recap.transcript_id == transcript.id:
                recaps.append(named_as_now(recap, transcript))
        return recaps


@dataclass(frozen=True, slots=True)
class IndexUnderNames:
    """Puts passages of a transcript into the index under the names of its speakers, also where these change meanwhile."""

    index: SearchIndex
    transcripts: TranscriptStore

    async def __call__(
        self,
        owner: Ownership,
        transcript_id: str,
        passages: Sequence[Passage],
        names: tuple[str, ...],
        recap: Recap | None = None,
    ) -> None:
        """Index the passages, made under `names`, then look whether somebody has renamed their speakers since.

        A renaming after that look tells them anew itself.
        """
        await self.index.index(owner, transcript_id, passages)
        now = await self.transcripts.get_transcript(owner.tenant, transcript_id)
        if now.speakers.names != names:
            recaps = () if recap is None else (named_as_now(recap, now),)
            await self.index.retell(owner.tenant, transcript_id, ToldAsNow(now, recaps))
