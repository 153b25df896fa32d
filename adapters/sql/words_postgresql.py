"""Search by words in PostgreSQL: folded words of each passage in an array under a GIN index, ranked by BM25 in SQL.

PostgreSQL's own text search splits words by the locale of the database and ranks without regard to how rare a word is; this
finds the same passages as SQLite's FTS5 whatever the locale.
"""

import re
import unicodedata

from sqlalchemy import ARRAY, BigInteger, Column, Connection, ForeignKey, Index, MetaData, Table, Text, insert, select, text

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

_RANKED = text(f"""
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
    SELECT passage_id AS id, sum(
        ln(1 + (passages - among + 0.5) / (among + 0.5))
        * times * {K1 + 1} / (times + {K1} * ({1 - B} + {B} * length / mean_length))
    )::float8 AS score
    FROM counted JOIN spread USING (word) CROSS JOIN mine
    GROUP BY passage_id ORDER BY score DESC, passage_id LIMIT :limit
""")  # noqa: S608  # two constants, no input
"""BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), over the passages of one tenant."""


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


def folded(spoken: str) -> list[str]:
    """Return the words of a text in order, without case and accents."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", spoken) if not unicodedata.combining(sign))
    return re.findall(r"[^\W_]+", bare.casefold())


def lexical(connection: Connection, tenant: str, words: list[str], limit: int) -> list[tuple[int, float]]:
    """Return (passage id, BM25 score), best first; any one word is enough for a hit."""
    sought = list(dict.fromkeys(word for each in words for word in folded(each)))
    found = connection.execute(_RANKED, {"tenant": tenant, "words": sought, "limit": limit})
    return [(row.id, float(row.score)) for row in found]
