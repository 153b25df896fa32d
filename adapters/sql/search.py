"""Search by words (BM25 finds them), by meaning (exact cosine) and by both, scored on one scale."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from adapters.sql import search_rows
from adapters.sql.engine import Database
from adapters.sql.plain import floats_from_bytes
from adapters.sql.results import refuse_deleted
from adapters.sql.search_rows import Found
from adapters.sql.tables import passages
from domain.call import ModelIdentity
from domain.errors import InvalidRequest
from domain.search import EVERYTHING, UNMEASURED, CosineScale, Passage, SearchFilters, SearchHit, SearchMode, Told
from ports.results import Ownership, SearchIndex

CANDIDATES = 100
"""Passages of each ranking that are scored at least; what both leave out answers worse than a hundred others, twice."""
MATRIX_BYTES = 512 * 1024**2
"""Vectors kept in memory per process: 349,000 passages of 384 dimensions. The least recently searched tenant goes first."""


class SqlSearchIndex(SearchIndex):
    """Passages in a table; their vectors in memory per tenant and model, brought up to date when the table changed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._vectors = VectorCache(MATRIX_BYTES)

    async def index(self, owner: Ownership, source_id: str, passages: Sequence[Passage]) -> None:
        def work(connection: Connection) -> None:
            refuse_deleted(connection, owner)
            search_rows.replace_passages(connection, owner, source_id, passages)

        await self._database.write(work)

    async def retell(self, tenant: str, source_id: str, change: Callable[[Told], Told]) -> None:
        await self._database.write(lambda connection: search_rows.retell(connection, tenant, source_id, change))

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
    ) -> Sequence[SearchHit]:
        if limit < 1:
            return []
        if mode is SearchMode.SEMANTIC and (vector is None or model is None):
            raise InvalidRequest("A search by meaning needs the query's vector and its model.")

        def work(connection: Connection) -> Sequence[SearchHit]:
            depth = max(limit, CANDIDATES)
            found: dict[int, Found] = {}
            if mode is not SearchMode.SEMANTIC:
                found |= search_rows.lexical(connection, tenant, query, filters, depth)
            if mode is not SearchMode.LEXICAL and vector is not None and model is not None:
                allowed = search_rows.allowed(connection, tenant, filters)
                cosines = self._vectors.cosines(connection, tenant, model, vector, depth, allowed, list(found))
                for place, cosine in cosines.items():
                    known = found.get(place, Found())
                    found[place] = Found(known.words, cosine)
            asked = query if mode is not SearchMode.SEMANTIC else ""
            return search_rows.hits(connection, tenant, found, asked, scale)[:limit]

        return await self._database.read(work)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit-length rows of one tenant and model at one version of the index. `ids` are ascending, one per row."""

    version: int
    ids: NDArray[np.int64]
    rows: NDArray[np.float32]


class VectorCache:
    """Matrices of vectors, at most `max_bytes` in all, shared by the reading threads of a process."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Vectors] = OrderedDict()

    def cosines(
        self,
        connection: Connection,
        tenant: str,
        model: ModelIdentity,
        vector: Sequence[float],
        limit: int,
        allowed: NDArray[np.int64] | None,
        wanted: Sequence[int],
    ) -> dict[int, float]:
        """Return the cosines of the `limit` nearest passages among the `allowed` (None: all), and of those `wanted`, by id.

        Raises InvalidRequest for a query of another length than the passages.
        """
        query = np.asarray(vector, dtype=np.float32)
        length = float(np.linalg.norm(query))
        if not np.isfinite(length) or length == 0.0:
            raise InvalidRequest("A query vector has finite components, not all zero.")
        vectors = self._current(connection, tenant, search_rows.model_key(model))
        if len(vectors.ids) == 0:
            return {}
        if vectors.rows.shape[1] != query.size:
            raise InvalidRequest(f"The query has {query.size} dimensions, the passages have {vectors.rows.shape[1]}.")
        cosines = vectors.rows @ (query / length)
        there = np.arange(len(vectors.ids)) if allowed is None else np.flatnonzero(np.isin(vectors.ids, allowed))
        best = there[np.argsort(-cosines[there], kind="stable")[:limit]]
        places = np.union1d(best, np.flatnonzero(np.isin(vectors.ids, np.asarray(wanted, dtype=np.int64))))
        return {int(vectors.ids[place]): float(cosines[place]) for place in places}

    def _current(self, connection: Connection, tenant: str, model: str) -> Vectors:
        with self._lock:
            version = search_rows.version(connection, tenant)
            known = self._kept.get((tenant, model))
            if known is None or known.version < version:
                known = _updated(connection, tenant, model, version, known)
                self._kept[tenant, model] = known
            self._kept.move_to_end((tenant, model))
            while len(self._kept) > 1 and sum(kept.rows.nbytes for kept in self._kept.values()) > self._max_bytes:
                self._kept.popitem(last=False)
            return known


def _updated(connection: Connection, tenant: str, model: str, version: int, known: Vectors | None) -> Vectors:
    """Return the vectors as they are now; rows are never changed and ids never used again, so only new ones are read."""
    mine = (passages.c.tenant == tenant, passages.c.model == model)
    there = connection.execute(select(passages.c.id).where(*mine).order_by(passages.c.id)).scalars()
    ids = np.fromiter(there, dtype=np.int64)
    newest = int(known.ids[-1]) if known is not None and len(known.ids) else 0
    added = connection.execute(
        select(passages.c.vector, passages.c.dimensions).where(*mine, passages.c.id > newest).order_by(passages.c.id)
    ).all()
    parts: list[NDArray[np.float32]] = []
    if known is not None and len(known.ids):
        parts.append(known.rows[np.isin(known.ids, ids)])
    if added:
        fresh = floats_from_bytes(b"".join(row.vector for row in added), added[0].dimensions)
        parts.append(fresh / np.linalg.norm(fresh, axis=1, keepdims=True))
    rows = np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)
    return Vectors(version, ids, rows)
