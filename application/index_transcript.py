"""Make what was said searchable without a recap: every line with its vector, or by its words where no embedder answers."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from application.expected_time import ExpectedTime
from application.job_session import JobSession
from application.recap.embed import SentenceVectors
from application.recap.lines import SpokenLine, lines_of
from application.recap.settings import RecapSettings
from application.rename_speakers import IndexUnderNames
from domain.call import CallContext
from domain.search import Passage
from domain.transcript import Transcript
from ports.embedder import Embedder
from ports.results import Ownership

INDEXED_S = 0.1
"""Seconds until passages are stored and can be found."""


@dataclass(frozen=True, slots=True)
class IndexTranscript:
    """Embeds the lines of a transcript and puts them into the index, in the place of what was there of it.

    Model failures cost the vectors only. Nothing is indexed for a caller who keeps nothing (`context.store` false).
    """

    embedder: Embedder
    index: IndexUnderNames
    expected: ExpectedTime
    settings: RecapSettings

    async def __call__(
        self, session: JobSession, owner: Ownership, transcript: Transcript, context: CallContext, recorded_at: float
    ) -> None:
        """Index the transcript; `recorded_at`, in Unix seconds, says when it was said."""
        if not context.store:
            return
        lines = await asyncio.to_thread(lines_of, transcript.segments)
        await self.expect(session, sum(line.words for line in lines))
        await session.begin("embedding")
        vectors = await SentenceVectors(self.embedder, self.settings, context).of([line.text for line in lines])
        placed = vectors if vectors is not None else [()] * len(lines)
        passages = [self._passage(transcript.id, line, vector, recorded_at) for line, vector in zip(lines, placed, strict=True)]
        await session.begin("indexing")
        await self.index(owner, transcript.id, passages, transcript.speakers.names)

    async def expect(self, session: JobSession, words: int) -> None:
        """Price the indexing of so many words; each guess replaces the one before."""
        session.remaining.price("embedding", await self.expected.placing(words))
        session.remaining.price("indexing", INDEXED_S)

    def _passage(self, transcript_id: str, line: SpokenLine, vector: Sequence[float], recorded_at: float) -> Passage:
        return Passage(
            transcript_id,
            (line.segment_id,),
            line.start,
            line.end,
            line.text,
            tuple(vector),
            self.embedder.identity,
            line.speaker,
            recorded_at=recorded_at,
        )
