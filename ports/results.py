"""Finished transcripts and recaps, and the index that finds them again."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.call import ModelIdentity
from domain.embedding import Embedding
from domain.recap import Recap
from domain.search import Passage, SearchHit, SearchMode
from domain.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a result is and which conversation it belongs to (for deletion)."""

    tenant: str
    conversation_id: str


class TranscriptStore(Protocol):
    """Keeps transcripts. Writing an id again replaces it."""

    @abstractmethod
    async def put_transcript(self, owner: Ownership, transcript: Transcript) -> None: ...

    @abstractmethod
    async def get_transcript(self, tenant: str, transcript_id: str) -> Transcript:
        """Raises NotFound."""


class RecapStore(Protocol):
    """Keeps recaps. Writing an id again replaces it."""

    @abstractmethod
    async def put_recap(self, owner: Ownership, recap: Recap) -> None: ...

    @abstractmethod
    async def get_recap(self, tenant: str, recap_id: str) -> Recap:
        """Raises NotFound."""


class EmbeddingStore(Protocol):
    """Keeps the vectors of embedding jobs. Writing an id again replaces it."""

    @abstractmethod
    async def put_embedding(self, owner: Ownership, embedding_id: str, embedding: Embedding) -> None:
        """Raises InvalidRequest for vectors of unlike length."""

    @abstractmethod
    async def get_embedding(self, tenant: str, embedding_id: str) -> Embedding:
        """Return it with its vectors as 32-bit floats. Raises NotFound."""


class SearchIndex(Protocol):
    """Finds passages by words and by meaning, one tenant at a time.

    Vectors of different models (or revisions) live in different spaces and are never compared: a query vector only meets
    passages of its own model.
    """

    @abstractmethod
    async def index(self, owner: Ownership, transcript_id: str, passages: Sequence[Passage]) -> None:
        """Replace what is indexed of a transcript, in one step."""

    @abstractmethod
    async def search(
        self,
        tenant: str,
        query: str,
        vector: Sequence[float] | None,
        model: ModelIdentity | None,
        mode: SearchMode,
        limit: int,
    ) -> Sequence[SearchHit]:
        """Return at most `limit` hits, best first. Hybrid fuses both rankings by reciprocal rank."""


class ConversationDeleter(Protocol):
    """Removes everything that belongs to one conversation."""

    @abstractmethod
    async def delete_conversation(self, tenant: str, conversation_id: str) -> Sequence[str]:
        """Remove transcripts, recaps, vectors and index rows; return the blob ids that nothing uses any more.

        Raises NotFound when nothing of it is there.
        """

    @abstractmethod
    async def forget_deletions(self, before: float) -> int:
        """Drop the notes of conversations deleted before that time (Unix seconds), which keep late writers out."""
