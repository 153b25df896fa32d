"""Finished transcripts and recaps, and the index that finds them again."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from domain.call import ModelIdentity
from domain.conversation import Held
from domain.embedding import Embedding
from domain.recap import Recap
from domain.search import (
    EVERYTHING,
    UNMEASURED,
    CosineScale,
    Passage,
    QueryVector,
    SearchFilters,
    SearchHit,
    SearchMode,
    SpacesOfTenant,
    Told,
)
from domain.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose a result is and which conversation it belongs to (for deletion)."""

    tenant: str
    conversation_id: str


class ConversationStore(Protocol):
    """Knows which results belong together."""

    @abstractmethod
    async def held(self, tenant: str, conversation_id: str) -> Held:
        """Return what is kept of a conversation; nothing where there is no such conversation."""


class TranscriptStore(Protocol):
    """Keeps transcripts. Writing an id again replaces it."""

    @abstractmethod
    async def put_transcript(self, owner: Ownership, transcript: Transcript) -> None: ...

    @abstractmethod
    async def get_transcript(self, tenant: str, transcript_id: str) -> Transcript:
        """Raises NotFound."""

    @abstractmethod
    async def change_transcript(self, tenant: str, transcript_id: str, change: Callable[[Transcript], Transcript]) -> Transcript:
        """Put what `change` makes of the stored transcript in its place, and return it.

        Changes of one transcript come one after another; `change` may run more than once, and what it raises leaves all as it
        was. Raises NotFound.
        """


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
    passages of its own model. A passage may have a vector in several spaces while a tenant moves from one model to another.
    """

    @abstractmethod
    async def index(self, owner: Ownership, source_id: str, passages: Sequence[Passage]) -> None:
        """Replace what is indexed of a transcript, or of the segments behind a recap, in one step."""

    @abstractmethod
    async def retell(self, tenant: str, source_id: str, change: Callable[[Told], Told]) -> None:
        """Give each passage of a source the speaker, text and title that `change` makes of it, in one step; vectors stay.

        `change` may run more than once. A source of which nothing is indexed is left at that.
        """

    @abstractmethod
    async def search(
        self,
        tenant: str,
        query: str,
        vector: Sequence[float] | None,
        model: ModelIdentity | None,
        mode: SearchMode,
        limit: int,
        filters: SearchFilters = EVERYTHING,
        scale: CosineScale = UNMEASURED,
        others: Sequence[QueryVector] = (),
    ) -> Sequence[SearchHit]:
        """Return at most `limit` hits among the passages that the filters leave, best first, none with a score of 0.

        A semantic score is the closeness of the cosine on `scale`. A lexical one says how many of the query's words the passage
        has, each weighed by how rare it is with the tenant (`coverage`). Hybrid puts the two together (`relevance`).

        `others` are the same query in the spaces of other models: a passage is compared in the first space in which it has a
        vector. Nearest passages are looked for by codes of their vectors, then compared exactly, so one in many may be missed.
        """

    @abstractmethod
    async def spaces(self, tenant: str, models: Sequence[ModelIdentity]) -> SpacesOfTenant:
        """Return in which spaces of `models` passages of the tenant have vectors: first the one that its searches are answered
        from, which is that of the first model it had passages of until a move to another is complete.
        """


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
