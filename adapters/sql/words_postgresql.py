"""Search by words in PostgreSQL: folded words of each passage in an array under a GIN index, ranked by BM25 in SQL.

PostgreSQL's own text search splits words by the locale of the database and ranks without regard to how rare a word is; this
finds the same passages as SQLite's FTS5 whatever the locale.
"""

from collections.abc import Sequence

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    column,
    insert,
    select,
    text,
)

from adapters.sql.search_words import folded
from adapters.sql.tables import passages

K1, B = 1.2, 0.75
"""Saturation of repeated words and weight of length, as FTS5 has them (https://sqlite.org/fts5.html, section 5.1.1)."""

_own = MetaData()
passage_words = Table(
    "passage_words",
    _own,
    Column("passage_id", BigInteger, ForeignKey(passages.c.id, ondelete="CASCADE"), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("words", ARRAY(Text), nullable=False),
)
Index("passage_words_by_tenant", passage_words.c.tenant)
Index("passage_words_by_word", passage_words.c.words, postgresql_using="gin")

_SCORED = text(f"""
    WITH mine AS (
        SELECT count(*) AS passages, avg(cardinality(words)) AS mean_length FROM passage_words WHERE tenant = :tenant
    ), found AS (
        SELECT passage_id, words, cardinality(words) AS length FROM passage_words
        WHERE tenant = :tenant AND words && CAST(:words AS text[])
    ), counted AS (
        SELECT passage_id, length, word, count(*) AS times FROM found, unnest(words) AS word
        WHERE word = ANY(CAST(:words AS text[])) GROUP BY passage_id, length, word
    ), spread AS (
        SELECT word, count(*) AS among FROM counted GROUP BY word
    )
    SELECT passage_id, sum(
        ln(1 + (passages - among + 0.5) / (among + 0.5))
        * times * {K1 + 1} / (times + {K1} * ({1 - B} + {B} * length / mean_length))
    )::float8 AS score
    FROM counted JOIN spread USING (word) CROSS JOIN mine
    GROUP BY passage_id
""").columns(column("passage_id", BigInteger), column("score", Double))  # noqa: S608  # two constants, no input
"""BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), over the passages of one tenant."""
_SPREAD = text("""
    SELECT word, (SELECT count(*) FROM passage_words WHERE tenant = :tenant AND words && ARRAY[word]) AS among
    FROM unnest(CAST(:words AS text[])) AS word
""")


def create_index(connection: Connection) -> None:
    """Create the table of words beside the table of passages."""
    _own.create_all(connection, checkfirst=True)


def add(connection: Connection, tenant: str, transcript_id: str) -> None:
    """Index the words of a transcript's passages; they go with the passages."""
    mine = (passages.c.tenant == tenant, passages.c.transcript_id == transcript_id)
    new = connection.execute(select(passages.c.id, passages.c.text).where(*mine)).all()
    rows = [{"passage_id": row.id, "tenant": tenant, "words": folded(row.text)} for row in new]
    if rows:
        connection.execute(insert(passage_words), rows)


def lexical(
    connection: Connection, tenant: str, words: list[str], wanted: Sequence[ColumnElement[bool]], limit: int
) -> list[tuple[int, float]]:
    """Return (passage id, BM25 score), best first, of passages that are as wanted; any one word is enough for a hit."""
    sought = list(dict.fromkeys(word for each in words for word in folded(each)))
    scored = _SCORED.subquery()
    joined = passages.join(scored, passages.c.id == scored.c.passage_id)
    chosen = select(passages.c.id, scored.c.score).select_from(joined).where(*wanted)
    chosen = chosen.order_by(scored.c.score.desc(), passages.c.id).limit(limit)
    return [(row.id, float(row.score)) for row in connection.execute(chosen, {"tenant": tenant, "words": sought})]


def spread(connection: Connection, tenant: str, words: Sequence[str]) -> dict[str, int]:
    """Return how many of the tenant's passages have each of these folded words."""
    found = connection.execute(_SPREAD, {"tenant": tenant, "words": list(words)})
    return {row.word: int(row.among) for row in found}
