"""Search by words, by meaning and by both, scored on one scale."""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from adapters.sql import search_rows
from adapters.sql.engine import Database
from adapters.sql.plain import floats_from_bytes
from adapters.sql.postgresql import POSTGRESQL
from adapters.sql.results import refuse_deleted
from adapters.sql.search_blocks import Ids
from adapters.sql.search_held import Held, HeldTenants
from adapters.sql.search_ranking import CANDIDATES, Aim, Ranking, rarity
from adapters.sql.search_tables import passages, tenant_spaces
from adapters.sql.search_words import words_of
from domain.call import ModelIdentity
from domain.errors import InvalidRequest
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
from ports.results import Ownership, SearchIndex

_VECTORS = {
    "sqlite": """SELECT passage_id, vector FROM passage_vectors
        WHERE space = :space AND passage_id IN (SELECT value FROM json_each(:ids))""",
    POSTGRESQL: """SELECT passage_id, vector FROM passage_vectors
        WHERE space = :space AND passage_id IN (SELECT value::bigint FROM json_array_elements_text(CAST(:ids AS json)))""",
}
"""The ids travel as one JSON text, so that one statement stands for any number of them."""


class SqlSearchIndex(SearchIndex):
    """Passages and their vectors in tables, and one block per source that a process holds in memory while it searches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held = HeldTenants()

    async def index(self, owner: Ownership, source_id: str, passages: Sequence[Passage]) -> None:
        def work(connection: Connection) -> None:
            refuse_deleted(connection, owner)
            search_rows.replace_passages(connection, owner, source_id, passages)

        await self._database.write(work)

    async def retell(self, tenant: str, source_id: str, change: Callable[[Told], Told]) -> None:
        await self._database.write(lambda connection: search_rows.retell(connection, tenant, source_id, change))

    async def spaces(self, tenant: str, models: Sequence[ModelIdentity]) -> SpacesOfTenant:
        return await self._database.read(lambda c: _spaces(c, self._held.of(c, tenant), tenant, models))

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
        if limit < 1:
            return []
        if mode is SearchMode.SEMANTIC and (vector is None or model is None):
            raise InvalidRequest("A search by meaning needs the query's vector and its model.")
        asked = [QueryVector(model, tuple(vector), scale)] if vector is not None and model is not None else []
        asked = [] if mode is SearchMode.LEXICAL else [*asked, *others]
        words = [] if mode is SearchMode.SEMANTIC else words_of(query)

        def work(connection: Connection) -> Sequence[SearchHit]:
            held = self._held.of(connection, tenant)
            aims = [aim for each in asked if (aim := _aim(connection, each)) is not None]
            depth = max(limit, CANDIDATES)
            ranking = Ranking(held, [part.left_by(filters) for part in held.parts], rarity(held, words))
            ranking.by_words(depth)
            ranking.by_meaning(aims, depth, lambda *sought: _cosines(connection, *sought))
            return _hits(connection, tenant, ranking.best(limit))

        return await self._database.read(work)


def _aim(connection: Connection, asked: QueryVector) -> Aim | None:
    """Return the query in its model's space; None where no passage is there."""
    vector = search_rows.checked_vector(asked.vector)
    space = search_rows.space_of(connection, asked.model)
    if space is None:
        return None
    if space[1] != vector.size:
        raise InvalidRequest(f"The query has {vector.size} dimensions, the passages have {space[1]}.")
    return Aim(space[0], (vector / np.linalg.norm(vector)).astype(np.float32), asked.scale)


def _cosines(connection: Connection, space: int, vector: NDArray[np.float32], ids: Ids) -> Mapping[int, float]:
    """Return the cosines of passages with a unit-length query in a space, by id; those without a vector there are left out."""
    asked = {"space": space, "ids": json.dumps(ids.tolist())}
    found = connection.execute(text(_VECTORS[connection.dialect.name]), asked).all()
    found = [row for row in found if row.vector]
    if not found:
        return {}
    rows = floats_from_bytes(b"".join(row.vector for row in found), vector.size)
    cosines = (rows @ vector) / np.linalg.norm(rows, axis=1)
    return {row.passage_id: float(cosine) for row, cosine in zip(found, cosines, strict=True)}


def _hits(connection: Connection, tenant: str, best: Sequence[tuple[int, float]]) -> Sequence[SearchHit]:
    wanted = [passage_id for passage_id, _ in best]
    chosen = select(passages).where(passages.c.id.in_(wanted))
    # Not in SQL: SQLite would go through all passages of the tenant by the index of tenants.
    rows = {row["id"]: row for row in connection.execute(chosen).mappings() if row["tenant"] == tenant}
    return [search_rows.hit_of(rows[passage_id], score) for passage_id, score in best if passage_id in rows]


def _spaces(connection: Connection, held: Held, tenant: str, models: Sequence[ModelIdentity]) -> SpacesOfTenant:
    known = {model: space[0] for model in models if (space := search_rows.space_of(connection, model)) is not None}
    answering = connection.execute(select(tenant_spaces.c.space).where(tenant_spaces.c.tenant == tenant)).scalar_one_or_none()
    there = {space for part in held.parts for space in part.codes}
    reached = [model for model, space in known.items() if space in there]
    reached.sort(key=lambda model: known[model] != answering)
    beyond = sum(part.beyond({known[model] for model in reached}) for part in held.parts)
    return SpacesOfTenant(tuple(reached), beyond)
