"""Search by words in SQLite: FTS5, kept in step with the passages by the database itself."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, column, func, select, table, text

from adapters.sql.tables import passages

FULL_TEXT = (
    """CREATE VIRTUAL TABLE passages_text USING fts5(
        text, content='passages', content_rowid='id', tokenize="unicode61 remove_diacritics 2")""",
    """CREATE TRIGGER passages_text_insert AFTER INSERT ON passages BEGIN
        INSERT INTO passages_text(rowid, text) VALUES (new.id, new.text); END""",
    """CREATE TRIGGER passages_text_delete AFTER DELETE ON passages BEGIN
        INSERT INTO passages_text(passages_text, rowid, text) VALUES ('delete', old.id, old.text); END""",
)
"""An external content table (https://sqlite.org/fts5.html, section 4.4.3)."""
FORGET_WORDS = "INSERT INTO passages_text(passages_text, rank) VALUES ('secure-delete', 1)"
"""Deleted words leave the full-text index at once (SQLite 3.42 and later); without it they linger until a merge."""
FIRST_THAT_FORGETS = (3, 42, 0)


def create_index(connection: Connection) -> None:
    """Create the index of words beside the table of passages."""
    for statement in FULL_TEXT:
        connection.execute(text(statement))
    version = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
    if tuple(map(int, version.split("."))) >= FIRST_THAT_FORGETS:
        connection.execute(text(FORGET_WORDS))


_TEXTS = table("passages_text", column("rowid"), column("passages_text"))
_JOINED = passages.join(_TEXTS, passages.c.id == _TEXTS.c.rowid)


def _quoted(word: str) -> str:
    """Return a word as a string of FTS5, so that nothing a user writes is syntax (https://sqlite.org/fts5.html, section 3.1)."""
    return f'"{word}"'


def lexical(
    connection: Connection, tenant: str, words: list[str], wanted: Sequence[ColumnElement[bool]], limit: int
) -> list[tuple[int, float]]:
    """Return (passage id, BM25 score), best first, of passages that are as wanted; any one word is enough for a hit."""
    score = (-func.bm25(text("passages_text"))).label("score")
    matching = _TEXTS.c.passages_text.op("MATCH")(" OR ".join(map(_quoted, words)))
    chosen = select(passages.c.id, score).select_from(_JOINED).where(matching, passages.c.tenant == tenant, *wanted)
    found = connection.execute(chosen.order_by(score.desc(), passages.c.id).limit(limit))
    return [(row.id, float(row.score)) for row in found]


def spread(connection: Connection, tenant: str, words: Sequence[str]) -> dict[str, int]:
    """Return how many of the tenant's passages have each of these folded words."""
    counting = select(func.count()).select_from(_JOINED).where(passages.c.tenant == tenant)
    match = _TEXTS.c.passages_text.op("MATCH")
    return {word: int(connection.execute(counting.where(match(_quoted(word)))).scalar_one()) for word in words}
