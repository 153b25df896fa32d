"""Search by words in SQLite: FTS5, kept in step with the passages by the database itself."""

from sqlalchemy import Connection, text

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


def lexical(connection: Connection, tenant: str, words: list[str], limit: int) -> list[tuple[int, float]]:
    """Return (passage id, BM25 score), best first; any one word is enough for a hit.

    Every word is quoted, so nothing a user writes is query syntax (https://sqlite.org/fts5.html, section 3.1).
    """
    statement = text(
        "SELECT p.id, -bm25(passages_text) AS score FROM passages_text JOIN passages p ON p.id = passages_text.rowid "
        "WHERE passages_text MATCH :words AND p.tenant = :tenant ORDER BY score DESC, p.id LIMIT :limit"
    )
    quoted = " OR ".join(f'"{word}"' for word in words)
    found = connection.execute(statement, {"words": quoted, "tenant": tenant, "limit": limit})
    return [(row.id, float(row.score)) for row in found]
