"""Vectors of one model after those of another: what is missing, where it is kept, and when searches go over to it."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select

from adapters.sql import search_rows
from adapters.sql.engine import Database
from adapters.sql.plain import floats_to_bytes, upsert
from adapters.sql.search_move import adopt, astray
from adapters.sql.search_tables import block_spaces, passage_vectors, passages, search_blocks, tenant_spaces
from domain.call import ModelIdentity
from domain.search import SpaceStanding, UnplacedSource
from ports.vector_spaces import VectorSpaces

POSITIONS = 1009
"""A prime: times a salt, numbers of sources fall into so many positions in an order of its own."""
NO_SPACE = 0
"""The number of no space: numbers begin at 1."""


class SqlVectorSpaces(VectorSpaces):
    """Counts are kept per source, beside its block, so that nothing has to look at every passage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, model: ModelIdentity) -> SpaceStanding:
        def work(connection: Connection) -> SpaceStanding:
            blocks, placed = search_blocks.c, func.coalesce(block_spaces.c.placed, 0)
            sums = select(func.coalesce(func.sum(blocks.passages), 0), func.coalesce(func.sum(placed), 0))
            passages_, placed_ = connection.execute(_beside(sums, _number(connection, model))).one()
            return SpaceStanding(int(passages_), int(passages_) - int(placed_))

        return await self._database.read(work)

    async def unplaced(
        self, model: ModelIdentity, most: int, salt: int = 0, without: Collection[str] = ()
    ) -> UnplacedSource | None:
        return await self._database.read(lambda c: _unplaced(c, _number(c, model), most, salt, without))

    async def put(self, source: UnplacedSource, model: ModelIdentity, vectors: Mapping[int, Sequence[float]]) -> None:
        await self._database.write(lambda connection: _put(connection, source, model, vectors))

    async def answer_from(self, model: ModelIdentity) -> Sequence[str]:
        return await self._database.write(lambda connection: _answer_from(connection, _number(connection, model)))

    async def catch_up(self) -> int:
        sources = await self._database.read(astray)
        for source in sources:
            await self._database.write(partial(adopt, source=source))
        return len(sources)

    async def drop_others(self, model: ModelIdentity, most: int) -> int:
        return await self._database.write(lambda connection: _drop_others(connection, _number(connection, model), most))


def _number(connection: Connection, model: ModelIdentity) -> int:
    space = search_rows.space_of(connection, model)
    return NO_SPACE if space is None else space[0]


def _beside(chosen: Select[Any], space: int) -> Select[Any]:
    """Put beside each block how many of its passages are placed in the space."""
    here = (block_spaces.c.block_id == search_blocks.c.id) & (block_spaces.c.space == space)
    return chosen.select_from(search_blocks.outerjoin(block_spaces, here))


def _unplaced(connection: Connection, space: int, most: int, salt: int, without: Collection[str]) -> UnplacedSource | None:
    blocks = search_blocks.c
    chosen = _beside(select(blocks.id, blocks.tenant, blocks.conversation_id, blocks.transcript_id), space)
    missing = func.coalesce(block_spaces.c.placed, 0) < blocks.passages
    chosen = chosen.where(missing, blocks.tenant.not_in(list(without))).order_by(blocks.id * salt % POSITIONS, blocks.id)
    block = connection.execute(chosen.limit(1)).one_or_none()
    if block is None:
        return None
    placed = (passage_vectors.c.passage_id == passages.c.id) & (passage_vectors.c.space == space)
    of_source = (passages.c.tenant == block.tenant, passages.c.transcript_id == block.transcript_id)
    texts = select(passages.c.id, passages.c.text).select_from(passages.outerjoin(passage_vectors, placed))
    texts = texts.where(*of_source, passage_vectors.c.passage_id.is_(None)).order_by(passages.c.id).limit(most)
    found = {row.id: row.text for row in connection.execute(texts)}
    return UnplacedSource(block.tenant, block.conversation_id, block.transcript_id, found)


def _put(connection: Connection, source: UnplacedSource, model: ModelIdentity, vectors: Mapping[int, Sequence[float]]) -> None:
    search_rows.count_up(connection, source.tenant)
    space = _number(connection, model)
    for vector in vectors.values():
        if vector:
            space = search_rows.known_space(connection, model, search_rows.checked_vector(vector).size)
    if space == NO_SPACE:
        return  # the model has refused all that it was ever given
    mine = (passages.c.tenant == source.tenant, passages.c.id.in_(list(vectors)))
    there = connection.execute(select(passages.c.id).where(*mine)).scalars()
    # What was told otherwise meanwhile has another id.
    rows = [{"passage_id": put, "space": space, "vector": floats_to_bytes(vectors[put])} for put in there]
    if rows:
        connection.execute(upsert(connection.dialect.name, passage_vectors).on_conflict_do_nothing(), rows)
        search_rows.write_block(connection, source.tenant, source.source_id)


def _answer_from(connection: Connection, space: int) -> Sequence[str]:
    blocks, answering = search_blocks.c, tenant_spaces.c
    missing = func.sum(blocks.passages - func.coalesce(block_spaces.c.placed, 0))
    complete = _beside(select(blocks.tenant), space).group_by(blocks.tenant).having(missing == 0)
    already = select(answering.tenant).where(answering.space == space)
    tenants = connection.execute(complete.where(blocks.tenant.not_in(already)).order_by(blocks.tenant)).scalars().all()
    for tenant in tenants:
        search_rows.count_up(connection, tenant)
        statement = upsert(connection.dialect.name, tenant_spaces).values(tenant=tenant, space=space)
        connection.execute(statement.on_conflict_do_update(index_elements=["tenant"], set_={"space": space}))
    return tenants


def _drop_others(connection: Connection, space: int, most: int) -> int:
    blocks = search_blocks.c
    answered = select(tenant_spaces.c.tenant).where(tenant_spaces.c.space == space)
    chosen = select(blocks.tenant, blocks.transcript_id).join(block_spaces, block_spaces.c.block_id == blocks.id).distinct()
    chosen = chosen.where(block_spaces.c.space != space, blocks.tenant.in_(answered)).limit(most)
    sources = connection.execute(chosen).all()
    for tenant, source_id in sources:
        search_rows.count_up(connection, tenant)
        of_source = select(passages.c.id).where(passages.c.tenant == tenant, passages.c.transcript_id == source_id)
        others = (passage_vectors.c.passage_id.in_(of_source), passage_vectors.c.space != space)
        connection.execute(delete(passage_vectors).where(*others))
        search_rows.write_block(connection, tenant, source_id)
    return len(sources)
