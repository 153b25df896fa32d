"""A database of an older version keeps what it holds and gains what it lacks; two commands at once do it once."""

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from adapters.scripted.clock import MovableClock
from adapters.sql import SqlStore
from adapters.sql.engine import connect, transact, writing
from adapters.sql.migrations import MIGRATIONS
from adapters.sql.plain import floats_to_bytes
from adapters.sql.search_rows import model_key
from adapters.sql.tables import metadata
from domain.call import ModelIdentity
from domain.job import JobStatus
from domain.search import SearchMode
from tests.postgresql_server import PostgresqlServer

DATA = Path(__file__).parents[3] / "data"
JOB = (
    "INSERT INTO jobs (id, tenant, body_sha256, kind, payload, priority, store, status, run_after, created_at, attempts,"
    " max_attempts, fence, cancel_requested, fraction, stage, result, last_sequence)"
    " VALUES ('job_1', 't', 'b', 'recap', '{}', 0, true, 'queued', 1, 1, 0, 5, 0, false, 0, 'queued', '{}', 1)"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database as version 1 made it, with a job in it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/old.db"
    else:
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        url = server.database()
    engine = connect(url)
    statements = (DATA / f"schema_v1.{request.param}.sql").read_text().split(";\n")
    with writing(engine).begin() as connection:
        for statement in [*statements, JOB]:
            bare = "\n".join(line for line in statement.splitlines() if not line.startswith("--")).strip()
            if bare:
                connection.exec_driver_sql(bare)
    engine.dispose()
    return url


def shape_of(url: str) -> dict[str, object]:
    """Every table with its columns and indexes."""

    def look(connection: object) -> dict[str, object]:
        there = inspect(connection)
        names = set(metadata.tables) & set(there.get_table_names())
        return {
            name: (
                [(column["name"], str(column["type"]), column["nullable"]) for column in there.get_columns(name)],
                sorted(index["name"] for index in there.get_indexes(name) if not index.get("duplicates_constraint")),
            )
            for name in names
        }

    engine = connect(url)
    shape = transact(engine, look)
    engine.dispose()
    return shape


def test_an_older_database_becomes_what_a_new_one_is(old_url: str, request: pytest.FixtureRequest) -> None:
    assert SqlStore.migrate(old_url) == len(MIGRATIONS)
    fresh = "postgresql_url" if old_url.startswith("postgresql") else "sqlite_url"
    assert shape_of(old_url) == shape_of(request.getfixturevalue(fresh))
    assert set(shape_of(old_url)) == set(metadata.tables)


async def test_a_job_of_an_older_database_is_done(old_url: str) -> None:
    SqlStore.migrate(old_url)
    store = SqlStore.open(old_url, MovableClock())
    lease = await store.jobs.claim("w", 30.0)
    assert lease is not None
    await store.jobs.complete(lease, {"recap_id": "r"})
    assert (await store.jobs.get("t", "job_1")).status is JobStatus.COMPLETED
    store.close()


def test_several_migrations_at_once_are_one(old_url: str) -> None:
    program = "import sys; from adapters.sql import SqlStore; sys.stdin.read(1); print(SqlStore.migrate(sys.argv[1]))"
    command = [sys.executable, "-c", program, old_url]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("g")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].strip() for process in running]
    assert told == [str(len(MIGRATIONS))] * 3


async def test_what_an_older_version_indexed_is_found(old_url: str) -> None:
    model = ModelIdentity("m", "1", "e", "float32")
    engine = connect(old_url)
    with writing(engine).begin() as connection:
        for number, said in enumerate(("the budget", "the zeppelin")):
            vector = floats_to_bytes([1.0, float(number)])
            values = {"vector": vector, "model": model_key(model), "said": said}
            connection.execute(
                text(
                    'INSERT INTO passages (tenant, conversation_id, transcript_id, segment_ids, start, "end", text, model,'
                    " dimensions, vector) VALUES ('t', 'c', 'transcript_1', '[0]', 0, 1, :said, :model, 2, :vector)"
                ),
                values,
            )
    engine.dispose()
    SqlStore.migrate(old_url)
    store = SqlStore.open(old_url, MovableClock())
    assert (await store.search.spaces("t", [model])).models == (model,)
    for query, vector, mode in (("zeppelin", None, SearchMode.LEXICAL), ("", (0.1, 1.0), SearchMode.SEMANTIC)):
        hit, *_ = await store.search.search("t", query, vector, model, mode, 10)
        assert hit.text == "the zeppelin"
    store.close()
