"""Find what was said, by words and by meaning."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.call import CallContext, ModelIdentity, Provenance
from domain.errors import BudgetExceeded, DeadlineExceeded, ModelError, ModelRejected, RateLimited, WordloopError
from domain.search import EVERYTHING, UNMEASURED, QueryVector, SearchFilters, SearchHit, SearchMode
from ports.clock import Clock
from ports.embedder import Embedder, InputType
from ports.results import SearchIndex

_MODEL_AWAY: tuple[type[WordloopError], ...] = (ModelError, RateLimited, BudgetExceeded, DeadlineExceeded)


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Hits, best first, and the mode that was really used; `degraded` says why it is not the one asked for, or what it can not
    reach.

    `provenance`: the call that embedded the query, if one did; of two, that in the space which searches are answered from.
    """

    hits: Sequence[SearchHit]
    mode: SearchMode
    degraded: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class SearchTranscripts:
    """Search what one tenant's conversations hold. The query is embedded within `embed_s` seconds or, in hybrid mode, not at all.

    `previous` placed what is not embedded anew yet: until a tenant's passages all are, its searches are answered from the space
    of that model.
    """

    index: SearchIndex
    embedder: Embedder
    clock: Clock
    embed_s: float
    previous: Embedder | None = None

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

        When the embedder does not answer, hybrid falls back to words and says so; semantic raises the error. Passages in the
        space of a model that is served no more are found by their words, and the answer says how many.
        """
        placed: Sequence[tuple[QueryVector, Provenance]] = ()
        degraded: str | None = None
        if mode is not SearchMode.LEXICAL:
            try:
                placed, degraded = await self._placed(query, context)
            except _MODEL_AWAY as error:
                if mode is SearchMode.SEMANTIC or isinstance(error, ModelRejected):
                    raise
                mode, degraded = SearchMode.LEXICAL, f"Searched by words only: {error.detail}"
        first, call = placed[0] if placed else (None, None)
        vector, model, scale = (first.vector, first.model, first.scale) if first else (None, None, UNMEASURED)
        others = [other for other, _ in placed[1:]]
        found = await self.index.search(context.tenant, query, vector, model, mode, limit, filters, scale, others)
        return SearchAnswer([hit for hit in found if hit.score >= min_score], mode, degraded, call)

    async def _placed(self, query: str, context: CallContext) -> tuple[Sequence[tuple[QueryVector, Provenance]], str | None]:
        """Return the query in the spaces of the tenant's passages, and what to say of those in none of them."""
        known = self._known()
        spaces = await self.index.spaces(context.tenant, list(known))
        models = spaces.models or (self.embedder.identity,)
        first, *others = await asyncio.gather(
            *(self._embed(query, known[model], context) for model in models), return_exceptions=True
        )
        if isinstance(first, BaseException):
            raise first
        placed, told = [first], list[str]()
        for other in others:
            if isinstance(other, _MODEL_AWAY):
                told.append(f"Passages of the other embedding model were found by words only: {other.detail}")
            elif isinstance(other, BaseException):
                raise other
            else:
                placed.append(other)
        if spaces.beyond:
            told.append(f"{spaces.beyond} passages wait to be embedded by {self.embedder.identity.id}: found by words only.")
        return placed, " ".join(told) or None

    def _known(self) -> dict[ModelIdentity, Embedder]:
        return {each.identity: each for each in (self.previous, self.embedder) if each is not None}

    async def _embed(self, query: str, by: Embedder, context: CallContext) -> tuple[QueryVector, Provenance]:
        bounded = replace(context, deadline=self.clock.now() + self.embed_s)
        answer = await by.embed([query], InputType.QUERY, bounded)
        return QueryVector(answer.provenance.model, tuple(answer.value[0]), by.cosines), answer.provenance
