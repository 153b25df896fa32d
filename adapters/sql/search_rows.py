"""Index rows: written with their transcript, counted so that readers know when to look again."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, delete, func, insert, select

from adapters.sql.plain import floats_from_bytes, floats_to_bytes, upsert
from adapters.sql.search_blocks import Indexed, block_of
from adapters.sql.search_tables import (
    block_spaces,
    index_versions,
    passage_vectors,
    passages,
    search_blocks,
    tenant_spaces,
    vector_spaces,
)
from domain.call import ModelIdentity
from domain.canonical import sha256_of
from domain.errors import InvalidRequest
from domain.search import Passage, PassageKind, SearchHit, Told
from ports.results import Ownership


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


def space_of(connection: Connection, model: ModelIdentity) -> tuple[int, int] | None:
    """Return the number of a model's space and its dimensions; None where nothing was ever placed in it."""
    chosen = select(vector_spaces.c.id, vector_spaces.c.dimensions).where(vector_spaces.c.key == model_key(model))
    row = connection.execute(chosen).one_or_none()
    return None if row is None else (row.id, row.dimensions)


def known_space(connection: Connection, model: ModelIdentity, dimensions: int) -> int:
    """Return the number of a model's space, a new one for a new model. Raises InvalidRequest for another length of vectors."""
    known = space_of(connection, model)
    if known is None:
        made = {"key": model_key(model), "dimensions": dimensions}
        connection.execute(upsert(connection.dialect.name, vector_spaces).values(**made).on_conflict_do_nothing())
        known = space_of(connection, model)
    if known is None or known[1] != dimensions:
        raise InvalidRequest("Vectors of one model have one length.")
    return known[0]


def replace_passages(connection: Connection, owner: Ownership, source_id: str, new: Sequence[Passage]) -> None:
    """Put `new` in the place of what is indexed of the source. Raises InvalidRequest for vectors that can not be compared."""
    # First of all: who else indexes for the tenant waits here, so that ids are given in the order in which they become visible.
    count_up(connection, owner.tenant)
    of_source = (passages.c.tenant == owner.tenant, passages.c.transcript_id == source_id)
    known_date = connection.execute(select(func.max(passages.c.recorded_at)).where(*of_source)).scalar()
    connection.execute(delete(passages).where(*of_source))
    if new:
        connection.execute(insert(passages), [_row(owner, source_id, passage, known_date) for passage in new])
        ids = connection.execute(select(passages.c.id).where(*of_source).order_by(passages.c.id)).scalars().all()
        _put(connection, owner.tenant, list(zip(ids, new, strict=True)))
    write_block(connection, owner.tenant, source_id)


def _put(connection: Connection, tenant: str, placed: Sequence[tuple[int, Passage]]) -> None:
    """Keep the vectors of new passages. The first model of a tenant is the one whose space its searches are answered from."""
    spaces: dict[tuple[ModelIdentity, int], int] = {}
    rows = []
    for passage_id, passage in placed:
        if not passage.vector:
            continue
        vector = floats_to_bytes(checked_vector(passage.vector))
        named = (passage.model, len(passage.vector))
        if named not in spaces:
            spaces[named] = known_space(connection, *named)
        rows.append({"passage_id": passage_id, "space": spaces[named], "vector": vector})
    if rows:
        connection.execute(insert(passage_vectors), rows)
        first = upsert(connection.dialect.name, tenant_spaces).values(tenant=tenant, space=rows[0]["space"])
        connection.execute(first.on_conflict_do_nothing())


def checked_vector(vector: Sequence[float]) -> NDArray[np.float32]:
    """Return the vector as 32-bit floats. Raises InvalidRequest for one that points nowhere."""
    found = np.asarray(vector, dtype=np.float32)
    if not (np.isfinite(found).all() and found.any()):
        raise InvalidRequest("A vector has finite components, not all zero.")
    return found


def _row(owner: Ownership, source_id: str, passage: Passage, known_date: float | None) -> dict[str, Any]:
    return {
        "tenant": owner.tenant,
        "conversation_id": owner.conversation_id,
        "transcript_id": source_id,
        "segment_ids": json.dumps(passage.segment_ids),
        "start": passage.start,
        "end": passage.end,
        **_told(_of_passage(passage)),
        "kind": passage.kind.value,
        "recap_id": passage.recap_id,
        "recorded_at": known_date if passage.recorded_at is None else passage.recorded_at,
    }


def retell(connection: Connection, tenant: str, source_id: str, change: Callable[[Told], Told]) -> None:
    """Put passages that are told otherwise in the place of those of a source, with their vectors.

    They get ids of their own, since processes of older versions take the row of an id for what never changes.
    """
    count_up(connection, tenant)
    of_source = (passages.c.tenant == tenant, passages.c.transcript_id == source_id)
    columns = [column for column in passages.c if column.name != "id"]
    ids = connection.execute(select(passages.c.id).where(*of_source).order_by(passages.c.id)).scalars().all()
    if not ids:
        return
    there = connection.execute(select(*columns).where(*of_source).order_by(passages.c.id)).mappings().all()
    placed = connection.execute(select(passage_vectors).where(passage_vectors.c.passage_id.in_(_ids(of_source)))).mappings().all()
    connection.execute(delete(passages).where(*of_source))
    connection.execute(insert(passages), [dict(row) | _told(change(_as_told(row))) for row in there])
    now = dict(zip(ids, connection.execute(_ids(of_source).order_by(passages.c.id)).scalars(), strict=True))
    if placed:
        connection.execute(insert(passage_vectors), [dict(row) | {"passage_id": now[row["passage_id"]]} for row in placed])
    write_block(connection, tenant, source_id)


def _ids(of_source: Sequence[ColumnElement[bool]]) -> Select[tuple[int]]:
    return select(passages.c.id).where(*of_source)


def write_block(connection: Connection, tenant: str, source_id: str) -> None:
    """Write the block of a source anew from its passages and their vectors; none where it has no passage."""
    mine = (search_blocks.c.tenant == tenant, search_blocks.c.transcript_id == source_id)
    connection.execute(delete(search_blocks).where(*mine))
    of_source = (passages.c.tenant == tenant, passages.c.transcript_id == source_id)
    columns = passages.c
    chosen = select(columns.id, columns.text, columns.speaker, columns.kind, columns.recorded_at, columns.conversation_id)
    rows = connection.execute(chosen.where(*of_source).order_by(columns.id)).all()
    if not rows:
        return
    indexed = [Indexed(row.id, row.text, row.speaker, row.kind, row.recorded_at) for row in rows]
    numbers = {passage.id: number for number, passage in enumerate(indexed)}
    asked = select(passage_vectors).join(passages, passages.c.id == passage_vectors.c.passage_id).where(*of_source)
    held: defaultdict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for row in connection.execute(asked.order_by(passage_vectors.c.passage_id)):
        held[row.space].append((numbers[row.passage_id], row.vector))
    vectors = {}
    for space, found in held.items():
        there = [(number, vector) for number, vector in found if vector]
        if there:
            matrix = floats_from_bytes(b"".join(vector for _, vector in there), len(there[0][1]) // 4)
            vectors[space] = ([number for number, _ in there], matrix)
    body = block_of(rows[0].conversation_id, indexed, vectors).to_bytes()
    block: dict[str, Any] = {"tenant": tenant, "conversation_id": rows[0].conversation_id, "transcript_id": source_id}
    block |= {"passages": len(rows), "newest": rows[-1].id}
    made = connection.execute(insert(search_blocks).values(**block, body=body).returning(search_blocks.c.id)).scalar_one()
    counted = [{"block_id": made, "space": space, "placed": len(found)} for space, found in held.items()]
    if counted:
        connection.execute(insert(block_spaces), counted)


def _as_told(row: RowMapping) -> Told:
    kind, segment_ids = PassageKind(row["kind"]), tuple(json.loads(row["segment_ids"]))
    return Told(kind, segment_ids, row["start"], row["recap_id"], row["speaker"], row["text"], row["title"])


def _of_passage(passage: Passage) -> Told:
    number = (passage.kind, passage.segment_ids, passage.start, passage.recap_id)
    return Told(*number, passage.speaker, passage.text, passage.title)


def _told(told: Told) -> dict[str, Any]:
    return {
        "speaker": _storable(told.speaker) if told.speaker is not None else None,
        "text": _storable(told.text),
        "title": _storable(told.title) if told.title is not None else None,
    }


def _storable(words: str) -> str:
    return words.replace("\0", "\ufffd")  # PostgreSQL keeps no NUL in text


def hit_of(row: RowMapping, score: float) -> SearchHit:
    """Return a row of the table of passages as a hit."""
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
