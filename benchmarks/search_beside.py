"""FTS5 and sqlite-vec over the made-up passages of `wordloop bench search`, each asked as plainly as it goes.

    uv run --with sqlite-vec==0.1.9 python -m benchmarks.search_beside 100000

Words: the ten best of one tenant by BM25, any word enough. Meaning: the 800 nearest by bits, or the ten nearest exactly.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pysqlite3 import dbapi2

from benchmarks.search import DIMENSIONS, QUERIES, Figures, MadeUp, Question

DEEP, TOP = 800, 10
WORDS = """SELECT t.rowid FROM words t JOIN passages p ON p.id = t.rowid
    WHERE words MATCH ? AND p.tenant = 'default' ORDER BY bm25(words) LIMIT 10"""
NEAREST = "SELECT rowid FROM {table} WHERE vector MATCH {vector} AND k = {count} AND tenant = 'default'"


def beside(passages: int) -> Figures:
    """Build times and latencies."""
    import sqlite_vec  # type: ignore[import-not-found]  # not among the dependencies

    made, figures = MadeUp(passages), Figures(passages=passages)
    connection: Any = dbapi2.connect(":memory:")
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.executescript(
        "CREATE TABLE passages (id INTEGER PRIMARY KEY, tenant TEXT, text TEXT);"
        " CREATE VIRTUAL TABLE words USING fts5(text, content='passages', content_rowid='id');"
        f" CREATE VIRTUAL TABLE bits USING vec0(tenant TEXT partition key, vector bit[{DIMENSIONS}]);"
        f" CREATE VIRTUAL TABLE floats USING vec0(tenant TEXT partition key, vector float[{DIMENSIONS}] distance_metric=cosine);"
    )
    took = dict.fromkeys(("FTS5", "bits", "floats"), 0.0)
    for number, texts, vectors in made.sources():
        ids = range(number * 1000, number * 1000 + len(texts))
        connection.executemany("INSERT INTO passages VALUES (?, 'default', ?)", zip(ids, texts, strict=True))
        for name, statement, values in (
            ("FTS5", "INSERT INTO words(rowid, text) VALUES (?, ?)", texts),
            ("bits", "INSERT INTO bits(rowid, tenant, vector) VALUES (?, 'default', vec_bit(?))", _bits(vectors)),
            ("floats", "INSERT INTO floats(rowid, tenant, vector) VALUES (?, 'default', ?)", [v.tobytes() for v in vectors]),
        ):
            begun = time.perf_counter()
            connection.executemany(statement, zip(ids, values, strict=True))
            took[name] += time.perf_counter() - begun
    figures |= {f"{name}: build, s": seconds for name, seconds in took.items()}
    questions = made.questions(QUERIES)
    bits = NEAREST.format(table="bits", vector="vec_bit(?)", count=DEEP)
    floats = NEAREST.format(table="floats", vector="?", count=TOP)
    _timed(figures, "FTS5", questions, lambda q: connection.execute(WORDS, (" OR ".join(q.text.split()),)).fetchall())
    _timed(figures, "bits", questions, lambda q: connection.execute(bits, (_bits(q.vector[None, :])[0],)).fetchall())
    _timed(figures, "floats", questions[:20], lambda q: connection.execute(floats, (q.vector.tobytes(),)).fetchall())
    return figures


def _bits(vectors: Any) -> list[bytes]:
    return [row.tobytes() for row in np.packbits(vectors > 0, axis=1)]


def _timed(figures: Figures, name: str, questions: list[Question], ask: Callable[[Question], Any]) -> None:
    took = []
    for question in questions:
        begun = time.process_time()
        ask(question)
        took.append((time.process_time() - begun) * 1000)
    figures[f"{name}: processor p50, ms"] = float(np.quantile(took, 0.5))
    figures[f"{name}: processor p95, ms"] = float(np.quantile(took, 0.95))


if __name__ == "__main__":
    for label, value in beside(int(sys.argv[1])).items():
        sys.stdout.write(f"{label:28} {value:.4g}\n")
