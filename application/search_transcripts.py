"""Find what was said, by words and by meaning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.call import CallContext, Provenance
from domain.errors import BudgetExceeded, DeadlineExceeded, ModelError, ModelRejected, RateLimited, WordloopError
from domain.search import EVERYTHING, SearchFilters, SearchHit, SearchMode
from ports.clock import Clock
from ports.embedder import Embedder, InputType
from ports.results import SearchIndex

_MODEL_AWAY: tuple[type[WordloopError], ...] = (ModelError, RateLimited, BudgetExceeded, DeadlineExceeded)


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first, and the mode that was really used; `degraded` says why it is not the one asked for.

    `provenance`: the call that embedded the query, if one did.
    """

    hits: Sequence[SearchHit]
    mode: SearchMode
    degraded: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class SearchTranscripts:
    """Search what one tenant's conversations hold. In hybrid mode the query is embedded in `embed_s` seconds or not at all."""

    index: SearchIndex
    embedder: Embedder
    clock: Clock
    embed_s: float

    async def __call__(
        self,
        context: CallContext,
        query: str,
        mode: SearchMode,
        limit: int,
        filters: SearchFilters = EVERYTHING,
        min_score: float = 0.0,
    ) -> SearchAnswer:
        """Return at most `limit` hits that score `min_score` or more.

        When the embedder does not answer, hybrid falls back to words and says so; semantic raises the error.
        """
        vector: Sequence[float] | None = None
        call: Provenance | None = None
        degraded: str | None = None
        if mode is not SearchMode.LEXICAL:
            try:
                vector, call = await self._embed(query, context)
            except _MODEL_AWAY as error:
                if mode is SearchMode.SEMANTIC or isinstance(error, ModelRejected):
                    raise
                mode, degraded = SearchMode.LEXICAL, f"Searched by words only: {error.detail}"
        model = call.model if call else None
        found = await self.index.search(context.tenant, query, vector, model, mode, limit, filters, self.embedder.cosines)
        return SearchAnswer([hit for hit in found if hit.score >= min_score], mode, degraded, call)

    async def _embed(self, query: str, context: CallContext) -> tuple[Sequence[float], Provenance]:
        bounded = replace(context, deadline=self.clock.now() + self.embed_s)
        answer = await self.embedder.embed([query], InputType.QUERY, bounded)
        return answer.value[0], answer.provenance
