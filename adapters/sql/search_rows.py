"""Index rows: written with their transcript, counted so that readers know when to look again."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select

from adapters.sql import words_postgresql, words_sqlite
from adapters.sql.plain import floats_to_bytes, upsert
from adapters.sql.postgresql import POSTGRESQL
from adapters.sql.tables import index_versions, passages
from domain.call import ModelIdentity
from domain.canonical import sha256_of
from domain.errors import InvalidRequest
from domain.search import Passage, SearchHit
from ports.results import Ownership

MOST_QUERY_WORDS = 64
"""Words of a query that are looked up; more cost time and tell no more."""
NO_MODEL = ""
"""What stands for the model of a passage that has no vector: it is found by its words only."""


def model_key(model: ModelIdentity) -> str:
    """Return a digest of everything that makes a vector space."""
    return sha256_of(asdict(model))


def count_up(connection: Connection, tenant: str) -> None:
    """Tell every process that the tenant's index has changed."""
    statement = upsert(connection.dialect.name, index_versions).values(tenant=tenant, version=1)
    again = {"version": index_versions.c.version + 1}
    connection.execute(statement.on_conflict_do_update(index_elements=["tenant"], set_=again))


def version(connection: Connection, tenant: str) -> int:
    """Return the number of changes to the tenant's index so far."""
    chosen = select(index_versions.c.version).where(index_versions.c.tenant == tenant)
    return connection.execute(chosen).scalar_one_or_none() or 0


def replace_passages(connection: Connection, owner: Ownership, transcript_id: str, new: Sequence[Passage]) -> None:
    """Put `new` in the place of what is indexed of the transcript. Raises InvalidRequest for vectors that can not be compared."""
    # First of all: who else indexes for the tenant waits here, so that ids are given in the order in which they become visible.
    count_up(connection, owner.tenant)
    of_transcript = (passages.c.tenant == owner.tenant, passages.c.transcript_id == transcript_id)
    connection.execute(delete(passages).where(*of_transcript))
    rows = [_row(owner, transcript_id, passage) for passage in new]
    for key, dimensions in {(row["model"], row["dimensions"]) for row in rows if row["model"] != NO_MODEL}:
        of_model = (passages.c.tenant == owner.tenant, passages.c.model == key, passages.c.dimensions != dimensions)
        lengths = {row["dimensions"] for row in rows if row["model"] == key}
        if len(lengths) > 1 or connection.execute(select(passages.c.id).where(*of_model).limit(1)).first():
            raise InvalidRequest("Vectors of one model have one length.")
    if rows:
        connection.execute(insert(passages), rows)
    if connection.dialect.name == POSTGRESQL:
        words_postgresql.add(connection, owner.tenant, transcript_id)


def _row(owner: Ownership, transcript_id: str, passage: Passage) -> dict[str, Any]:
    vector = np.asarray(passage.vector, dtype=np.float32)
    if vector.size and not (np.isfinite(vector).all() and vector.any()):
        raise InvalidRequest("A vector has finite components, not all zero.")
    return {
        "tenant": owner.tenant,
        "conversation_id": owner.conversation_id,
        "transcript_id": transcript_id,
        "segment_ids": json.dumps(passage.segment_ids),
        "start": passage.start,
        "end": passage.end,
        "speaker": _storable(passage.speaker) if passage.speaker is not None else None,
        "text": _storable(passage.text),
        "model": model_key(passage.model) if vector.size else NO_MODEL,
        "dimensions": int(vector.size),
        "vector": floats_to_bytes(passage.vector),
    }


def _storable(words: str) -> str:
    return words.replace("\0", "\ufffd")  # PostgreSQL keeps no NUL in text


def words_of(query: str) -> list[str]:
    """Return the words of a query, each once, as they stand."""
    return list(dict.fromkeys(re.findall(r"\w+", query)))[:MOST_QUERY_WORDS]


def lexical(connection: Connection, tenant: str, query: str, limit: int) -> list[tuple[int, float]]:
    """Return (passage id, score), best first, by BM25 over the words of the query; any one word is enough for a hit."""
    words = words_of(query)
    if not words:
        return []
    if connection.dialect.name == POSTGRESQL:
        return words_postgresql.lexical(connection, tenant, words, limit)
    return words_sqlite.lexical(connection, tenant, words, limit)


def hits(connection: Connection, tenant: str, ranked: Sequence[tuple[int, float]]) -> Sequence[SearchHit]:
    """Return the passages of (id, score) pairs, in their order; what was deleted meanwhile is left out."""
    chosen = select(passages).where(passages.c.tenant == tenant, passages.c.id.in_([place for place, _ in ranked]))
    rows = {row["id"]: row for row in connection.execute(chosen).mappings()}
    return [
        SearchHit(
            transcript_id=row["transcript_id"],
            segment_ids=tuple(json.loads(row["segment_ids"])),
            start=row["start"],
            end=row["end"],
            text=row["text"],
            score=score,
            speaker=row["speaker"],
        )
        for row, score in ((rows[place], score) for place, score in ranked if place in rows)
    ]


def count(connection: Connection, tenant: str) -> int:
    """Return how many passages of the tenant are indexed."""
    return int(connection.execute(select(func.count()).where(passages.c.tenant == tenant)).scalar_one())
