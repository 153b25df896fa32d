"""What older versions indexed becomes blocks: when the schema is brought forward, and while their processes still run."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from adapters.sql import search_rows
from adapters.sql.plain import upsert
from adapters.sql.search_tables import (
    block_spaces,
    passage_vectors,
    passages,
    search_blocks,
    tenant_spaces,
    vector_spaces,
)
from adapters.sql.tables import metadata

Source = tuple[str, str]
"""A tenant, and the id under which the source is indexed."""


def passages_into_blocks(connection: Connection) -> None:
    """A step of the migration. Takes about a second for ten thousand passages.

    The columns of vectors and the old index of words stay, for processes of the version before; a later step takes them.
    """
    new = (vector_spaces, tenant_spaces, passage_vectors, search_blocks, block_spaces)
    metadata.create_all(connection, tables=new, checkfirst=True)
    connection.exec_driver_sql("DROP INDEX IF EXISTS passages_by_model")
    for source in astray(connection):
        adopt(connection, source)


def astray(connection: Connection) -> Sequence[Source]:
    """Return the sources whose block is not of the passages that are there, which a process of an older version has changed."""
    by_source = (passages.c.tenant, passages.c.transcript_id)
    found = connection.execute(select(*by_source, func.count(), func.max(passages.c.id)).group_by(*by_source)).all()
    blocks = search_blocks.c
    kept = connection.execute(select(blocks.tenant, blocks.transcript_id, blocks.passages, blocks.newest)).all()
    return sorted({(row[0], row[1]) for row in {tuple(row) for row in found} ^ {tuple(row) for row in kept}})


def adopt(connection: Connection, source: Source) -> None:
    """Take over the vectors of a source from where older versions keep them, and write its block."""
    tenant, source_id = source
    search_rows.count_up(connection, tenant)
    mine = (passages.c.tenant == tenant, passages.c.transcript_id == source_id, passages.c.model != "")
    for model, dimensions in connection.execute(select(passages.c.model, passages.c.dimensions).where(*mine).distinct()).all():
        dialect = connection.dialect.name
        known = upsert(dialect, vector_spaces).values(key=model, dimensions=dimensions).on_conflict_do_nothing()
        connection.execute(known)
        space = connection.execute(select(vector_spaces.c.id).where(vector_spaces.c.key == model)).scalar_one()
        old = select(passages.c.id, vector_spaces.c.id, passages.c.vector).join(
            vector_spaces, vector_spaces.c.key == passages.c.model
        )
        placed = select(passage_vectors.c.passage_id).where(passage_vectors.c.space == space)
        fresh = old.where(*mine, passages.c.model == model, passages.c.id.not_in(placed))
        connection.execute(insert(passage_vectors).from_select(["passage_id", "space", "vector"], fresh))
        first = upsert(dialect, tenant_spaces).values(tenant=tenant, space=space)
        connection.execute(first.on_conflict_do_nothing())
    search_rows.write_block(connection, tenant, source_id)
