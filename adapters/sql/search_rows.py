"""Index rows: written with their transcript, counted so that readers know when to look again."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, select

from adapters.sql import words_postgresql, words_sqlite
from adapters.sql.plain import floats_to_bytes, upsert
from adapters.sql.postgresql import POSTGRESQL
from adapters.sql.search_words import folded
from adapters.sql.tables import index_versions, passages
from domain.call import ModelIdentity
from domain.canonical import sha256_of
from domain.errors import InvalidRequest
from domain.search import EVERYTHING, CosineScale, Passage, PassageKind, SearchFilters, SearchHit, Told, coverage, relevance
from ports.results import Ownership

MOST_QUERY_WORDS = 64
"""Words of a query that are looked up; more cost time and tell no more."""
SCORE_DIGITS = 4
"""Finer than any judgement of relevance; what rounds to nothing is no hit."""
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


@dataclass(frozen=True, slots=True)
class Found:
    """How a passage was found: its BM25 score by words and its cosine, None where it was not."""

    words: float | None = None
    cosine: float | None = None


def replace_passages(connection: Connection, owner: Ownership, source_id: str, new: Sequence[Passage]) -> None:
    """Put `new` in the place of what is indexed of the source. Raises InvalidRequest for vectors that can not be compared."""
    # First of all: who else indexes for the tenant waits here, so that ids are given in the order in which they become visible.
    count_up(connection, owner.tenant)
    of_source = (passages.c.tenant == owner.tenant, passages.c.transcript_id == source_id)
    known_date = connection.execute(select(func.max(passages.c.recorded_at)).where(*of_source)).scalar()
    connection.execute(delete(passages).where(*of_source))
    rows = [_row(owner, source_id, passage, known_date) for passage in new]
    for key, dimensions in {(row["model"], row["dimensions"]) for row in rows if row["model"] != NO_MODEL}:
        of_model = (passages.c.tenant == owner.tenant, passages.c.model == key, passages.c.dimensions != dimensions)
        lengths = {row["dimensions"] for row in rows if row["model"] == key}
        if len(lengths) > 1 or connection.execute(select(passages.c.id).where(*of_model).limit(1)).first():
            raise InvalidRequest("Vectors of one model have one length.")
    if rows:
        connection.execute(insert(passages), rows)
    if connection.dialect.name == POSTGRESQL:
        words_postgresql.add(connection, owner.tenant, source_id)


def _row(owner: Ownership, source_id: str, passage: Passage, known_date: float | None) -> dict[str, Any]:
    vector = np.asarray(passage.vector, dtype=np.float32)
    if vector.size and not (np.isfinite(vector).all() and vector.any()):
        raise InvalidRequest("A vector has finite components, not all zero.")
    return {
        "tenant": owner.tenant,
        "conversation_id": owner.conversation_id,
        "transcript_id": source_id,
        "segment_ids": json.dumps(passage.segment_ids),
        "start": passage.start,
        "end": passage.end,
        **_told(_of_passage(passage)),
        "model": model_key(passage.model) if vector.size else NO_MODEL,
        "dimensions": int(vector.size),
        "vector": floats_to_bytes(passage.vector),
        "kind": passage.kind.value,
        "recap_id": passage.recap_id,
        "recorded_at": known_date if passage.recorded_at is None else passage.recorded_at,
    }


def retell(connection: Connection, tenant: str, source_id: str, change: Callable[[Told], Told]) -> None:
    """Put passages that are told otherwise in the place of those of a source.

    They get ids of their own, since the index of words and the vectors in memory take rows for what never changes.
    """
    count_up(connection, tenant)
    of_source = (passages.c.tenant == tenant, passages.c.transcript_id == source_id)
    columns = [column for column in passages.c if column.name != "id"]
    there = connection.execute(select(*columns).where(*of_source).order_by(passages.c.id)).mappings().all()
    if not there:
        return
    connection.execute(delete(passages).where(*of_source))
    connection.execute(insert(passages), [dict(row) | _told(change(_as_told(row))) for row in there])
    if connection.dialect.name == POSTGRESQL:
        words_postgresql.add(connection, tenant, source_id)


def _as_told(row: RowMapping) -> Told:
    kind, segment_ids = PassageKind(row["kind"]), tuple(json.loads(row["segment_ids"]))
    return Told(kind, segment_ids, row["start"], row["recap_id"], row["speaker"], row["text"], row["title"])


def _of_passage(passage: Passage) -> Told:
    place = (passage.kind, passage.segment_ids, passage.start, passage.recap_id)
    return Told(*place, passage.speaker, passage.text, passage.title)


def _told(told: Told) -> dict[str, Any]:
    return {
        "speaker": _storable(told.speaker) if told.speaker is not None else None,
        "text": _storable(told.text),
        "title": _storable(told.title) if told.title is not None else None,
    }


def _storable(words: str) -> str:
    return words.replace("\0", "\ufffd")  # PostgreSQL keeps no NUL in text


def words_of(query: str) -> list[str]:
    """Return the words of a query, each once, as they stand."""
    return list(dict.fromkeys(re.findall(r"\w+", query)))[:MOST_QUERY_WORDS]


def conditions(filters: SearchFilters) -> list[ColumnElement[bool]]:
    """Return what a passage has to be so that the filters leave it."""
    column = passages.c
    lists: tuple[tuple[Any, Sequence[str]], ...] = (
        (column.conversation_id, filters.conversation_ids),
        (column.speaker, filters.speakers),
        (column.kind, [kind.value for kind in filters.kinds]),
    )
    wanted: list[ColumnElement[bool]] = [each.in_(values) for each, values in lists if values]
    if filters.recorded_from is not None:
        wanted.append(column.recorded_at >= filters.recorded_from)
    if filters.recorded_before is not None:
        wanted.append(column.recorded_at < filters.recorded_before)
    return wanted


def allowed(connection: Connection, tenant: str, filters: SearchFilters) -> NDArray[np.int64] | None:
    """Return the ids of the passages that the filters leave; None for all."""
    if filters == EVERYTHING:
        return None
    chosen = select(passages.c.id).where(passages.c.tenant == tenant, *conditions(filters))
    return np.fromiter(connection.execute(chosen).scalars(), dtype=np.int64)


def lexical(connection: Connection, tenant: str, query: str, filters: SearchFilters, limit: int) -> dict[int, Found]:
    """Return the best passages by BM25 over the words of the query; any one word is enough to be found."""
    words = words_of(query)
    if not words:
        return {}
    by = words_postgresql if connection.dialect.name == POSTGRESQL else words_sqlite
    return {place: Found(score) for place, score in by.lexical(connection, tenant, words, conditions(filters), limit)}


def weights(connection: Connection, tenant: str, query: str) -> dict[str, float]:
    """Return the weight of each folded word of a query: how rare it is among the tenant's passages (the idf of BM25)."""
    words = list(dict.fromkeys(word for each in words_of(query) for word in folded(each)))
    if not words:
        return {}
    by = words_postgresql if connection.dialect.name == POSTGRESQL else words_sqlite
    total, among = count(connection, tenant), by.spread(connection, tenant, words)
    return {word: math.log(1 + (total - among[word] + 0.5) / (among[word] + 0.5)) for word in words}


def hits(connection: Connection, tenant: str, found: Mapping[int, Found], query: str, scale: CosineScale) -> Sequence[SearchHit]:
    """Return the passages that were found, best first; what was deleted meanwhile, or scores nothing, is left out."""
    columns = [column for column in passages.c if column.name != "vector"]
    chosen = select(*columns).where(passages.c.tenant == tenant, passages.c.id.in_(list(found)))
    asked = weights(connection, tenant, query)
    ranked: list[tuple[tuple[float, ...], SearchHit]] = []
    for row in connection.execute(chosen).mappings():
        signs = found[row["id"]]
        closeness = 0.0 if signs.cosine is None else scale.closeness(signs.cosine)
        score = round(relevance(closeness, _covered(asked, row["text"])), SCORE_DIGITS)
        if score > 0:
            ranked.append(((-score, -(signs.cosine or 0.0), -(signs.words or 0.0), row["id"]), _hit(row, score)))
    return [hit for _, hit in sorted(ranked, key=lambda each: each[0])]


def _covered(asked: Mapping[str, float], spoken: str) -> float:
    there = set(folded(spoken)) if asked else set()
    return coverage(sum(weight for word, weight in asked.items() if word in there), sum(asked.values()))


def _hit(row: RowMapping, score: float) -> SearchHit:
    brought = row["transcript_id"] == row["recap_id"]
    return SearchHit(
        conversation_id=row["conversation_id"],
        transcript_id=None if brought else row["transcript_id"],
        segment_ids=tuple(json.loads(row["segment_ids"])),
        start=row["start"],
        end=row["end"],
        text=row["text"],
        score=score,
        speaker=row["speaker"],
        kind=PassageKind(row["kind"]),
        recap_id=row["recap_id"],
        title=row["title"],
        recorded_at=row["recorded_at"],
    )


def count(connection: Connection, tenant: str) -> int:
    """Return how many passages of the tenant are indexed."""
    return int(connection.execute(select(func.count()).where(passages.c.tenant == tenant)).scalar_one())
