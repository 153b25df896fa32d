"""The tables of the search index, the same on SQLite and PostgreSQL."""

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from adapters.sql.tables import metadata, serial

passages = Table(
    "passages",
    metadata,
    Column("id", serial, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("transcript_id", Text, nullable=False),
    Column("segment_ids", Text, nullable=False),
    Column("start", Double, nullable=False),
    Column("end", Double, nullable=False),
    Column("speaker", Text),
    Column("text", Text, nullable=False),
    # The next three are those of versions before 13 of the schema, some of whose processes may still run beside this code.
    Column("model", Text, nullable=False, default=""),
    Column("dimensions", Integer, nullable=False, default=0),
    Column("vector", LargeBinary, nullable=False, default=b""),
    Column("kind", Text, nullable=False, server_default="line"),
    Column("recap_id", Text),
    Column("title", Text),
    Column("recorded_at", Double),
    sqlite_autoincrement=True,
)
Index("passages_by_transcript", passages.c.tenant, passages.c.transcript_id)
Index("passages_by_conversation", passages.c.tenant, passages.c.conversation_id)

vector_spaces = Table(
    "vector_spaces",
    metadata,
    Column("id", serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # digest of the whole identity: vectors of different models never meet
    Column("dimensions", Integer, nullable=False),
    sqlite_autoincrement=True,
)

tenant_spaces = Table(
    "tenant_spaces",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("space", BigInteger, ForeignKey(vector_spaces.c.id), nullable=False),
)

passage_vectors = Table(
    "passage_vectors",
    metadata,
    Column("passage_id", BigInteger, ForeignKey(passages.c.id, ondelete="CASCADE"), primary_key=True),
    Column("space", BigInteger, ForeignKey(vector_spaces.c.id), primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # empty where the model refused the text
)

search_blocks = Table(
    "search_blocks",
    metadata,
    Column("id", serial, primary_key=True),  # never used twice: what is in memory under it does not change
    Column("tenant", Text, nullable=False),
    Column("conversation_id", Text, nullable=False),
    Column("transcript_id", Text, nullable=False),
    Column("passages", Integer, nullable=False),
    Column("newest", BigInteger, nullable=False),  # the highest id of its passages
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("tenant", "transcript_id"),
    sqlite_autoincrement=True,
)
Index("search_blocks_by_conversation", search_blocks.c.tenant, search_blocks.c.conversation_id)

block_spaces = Table(
    "block_spaces",
    metadata,
    Column("block_id", BigInteger, ForeignKey(search_blocks.c.id, ondelete="CASCADE"), primary_key=True),
    Column("space", BigInteger, ForeignKey(vector_spaces.c.id), primary_key=True),
    Column("placed", Integer, nullable=False),
)

index_versions = Table(
    "index_versions", metadata, Column("tenant", Text, primary_key=True), Column("version", Integer, nullable=False)
)
