"""A step of the migration: an older index becomes blocks, and its vectors get a table of their own."""

from sqlalchemy import Column, Connection, LargeBinary, MetaData, Table, Text, func, insert, inspect, select, text

from adapters.sql import search_rows
from adapters.sql.plain import upsert
from adapters.sql.postgresql import POSTGRESQL
from adapters.sql.search_tables import block_spaces, passage_vectors, passages, search_blocks, tenant_spaces, vector_spaces
from adapters.sql.tables import metadata, serial

_OLD_WORDS = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS passages_text_insert",
        "DROP TRIGGER IF EXISTS passages_text_delete",
        "DROP TABLE IF EXISTS passages_text",
    ),
    POSTGRESQL: ("DROP TABLE IF EXISTS passage_words",),
}
_older = Table(
    "passages",
    MetaData(),
    Column("id", serial, primary_key=True),
    Column("tenant", Text),
    Column("model", Text),  # the digest of the model, empty for none
    Column("dimensions", serial),
    Column("vector", LargeBinary),
)


def passages_into_blocks(connection: Connection) -> None:
    """Write the block of every source. Takes about a second for ten thousand passages."""
    new = (vector_spaces, tenant_spaces, passage_vectors, search_blocks, block_spaces)
    metadata.create_all(connection, tables=new, checkfirst=True)
    for statement in _OLD_WORDS[connection.dialect.name]:
        connection.execute(text(statement))
    if "vector" in {found["name"] for found in inspect(connection).get_columns(passages.name)}:
        _move_vectors(connection)
    for tenant, source_id in connection.execute(select(passages.c.tenant, passages.c.transcript_id).distinct()).all():
        search_rows.write_block(connection, tenant, source_id)


def _move_vectors(connection: Connection) -> None:
    old, has_vector = _older.c, _older.c.model != ""
    keys = select(old.model, func.max(old.dimensions)).where(has_vector).group_by(old.model)
    connection.execute(insert(vector_spaces).from_select(["key", "dimensions"], keys))
    placed = select(old.id, vector_spaces.c.id, old.vector).join(vector_spaces, vector_spaces.c.key == old.model)
    connection.execute(insert(passage_vectors).from_select(["passage_id", "space", "vector"], placed))
    counted = select(old.tenant, vector_spaces.c.id).join(vector_spaces, vector_spaces.c.key == old.model)
    most_last = counted.group_by(old.tenant, vector_spaces.c.id).order_by(func.count())
    for tenant, space in connection.execute(most_last).all():
        first = upsert(connection.dialect.name, tenant_spaces).values(tenant=tenant, space=space)
        connection.execute(first.on_conflict_do_update(index_elements=["tenant"], set_={"space": space}))
    connection.exec_driver_sql("DROP INDEX IF EXISTS passages_by_model")
    for column in ("model", "dimensions", "vector"):
        connection.exec_driver_sql(f"ALTER TABLE passages DROP COLUMN {column}")
