"""How a process reaches the database: the right library, the right journal, the right version, its own connections."""

import multiprocessing
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Engine

from adapters.scripted.clock import MovableClock
from adapters.sql import SchemaMismatch, SqlStore
from adapters.sql.engine import Database, connect, transact
from adapters.sql.migrations import MIGRATIONS, check_version
from adapters.sql.sqlite_library import (
    NETWORK_FILE_SYSTEMS,
    PERHAPS_SHARED_FILE_SYSTEMS,
    SqliteLibrary,
    file_system_type,
    journal_mode_for,
    sqlite_library,
)
from domain.errors import InvalidRequest, NotFound, StorageFailed

SAFE = SqliteLibrary(sqlite3, (3, 51, 3))
BUGGY = SqliteLibrary(sqlite3, (3, 51, 2))
EXT4 = 0xEF53


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/store.db"


def pragma(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_the_library_in_use_has_no_wal_reset_bug() -> None:
    assert sqlite_library().wal_is_safe


def test_the_write_ahead_log_is_used_only_where_it_is_safe() -> None:
    assert journal_mode_for("/x", SAFE, EXT4) == "WAL"
    assert journal_mode_for("/x", BUGGY, EXT4) == "TRUNCATE"
    for kind in PERHAPS_SHARED_FILE_SYSTEMS:
        assert journal_mode_for("/x", SAFE, kind) == "TRUNCATE"


@pytest.mark.parametrize("kind", NETWORK_FILE_SYSTEMS)
def test_a_network_file_system_is_refused(kind: int) -> None:
    with pytest.raises(StorageFailed, match="network file system"):
        journal_mode_for("/x", SAFE, kind)


def test_the_kernel_says_which_file_system_holds_a_folder(tmp_path: Path) -> None:
    assert file_system_type(Path("/proc")) == 0x9FA0
    assert file_system_type(tmp_path) not in NETWORK_FILE_SYSTEMS
    with pytest.raises(StorageFailed):
        file_system_type(tmp_path / "missing")


def test_every_connection_is_durable_and_keeps_references(tmp_path: Path) -> None:
    engine = connect(url_of(tmp_path))
    asked = ("journal_mode", "synchronous", "foreign_keys", "mmap_size", "busy_timeout", "secure_delete")
    assert [pragma(engine, name) for name in asked] == ["wal", 2, 1, 0, 30_000, 1]
    engine.dispose()


async def test_the_store_works_on_a_library_with_the_bug(tmp_path: Path) -> None:
    engine = connect(url_of(tmp_path), SqliteLibrary(sqlite_library().module, BUGGY.version))
    assert pragma(engine, "journal_mode") == "truncate"
    database = Database(engine)
    await database.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
    await database.write(lambda c: c.exec_driver_sql("INSERT INTO t VALUES (1)"))
    assert await database.read(lambda c: c.exec_driver_sql("SELECT n FROM t").scalar_one()) == 1
    database.close()


def test_a_file_that_another_process_keeps_in_wal_mode_is_refused_by_a_library_with_the_bug(tmp_path: Path) -> None:
    first = connect(url_of(tmp_path))
    with first.connect() as held:
        held.exec_driver_sql("CREATE TABLE t (n INTEGER)")
        held.commit()
        held.exec_driver_sql("SELECT * FROM t")
        second = connect(url_of(tmp_path), SqliteLibrary(sqlite_library().module, BUGGY.version))
        with pytest.raises(StorageFailed, match=r"locked|journal mode"):
            transact(second, check_version)
    first.dispose()


async def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(connect(url_of(tmp_path)))
    await database.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n INTEGER)"))

    def work(connection: object) -> None:
        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
        raise NotFound("changed its mind")

    with pytest.raises(NotFound):
        await database.write(work)
    assert await database.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM t").scalar_one()) == 0
    database.close()


async def test_a_reader_sees_one_moment_though_writers_go_on(tmp_path: Path) -> None:
    database = Database(connect(url_of(tmp_path)))
    await database.write(lambda c: c.exec_driver_sql("CREATE TABLE t (n INTEGER)"))
    other = connect(url_of(tmp_path))

    def read_around_a_write(connection: object) -> tuple[int, int]:
        before = connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one()
        with other.begin() as writing:
            writing.exec_driver_sql("INSERT INTO t VALUES (1)")
        return before, connection.exec_driver_sql("SELECT count(*) FROM t").scalar_one()

    assert await database.read(read_around_a_write) == (0, 0)
    database.close()
    other.dispose()


async def test_a_database_error_carries_no_content(tmp_path: Path) -> None:
    database = Database(connect(url_of(tmp_path)))
    with pytest.raises(StorageFailed) as failed:
        await database.read(lambda c: c.exec_driver_sql("SELECT * FROM nothing WHERE secret = ?", ("canary",)))
    assert "canary" not in f"{failed.value} {failed.value.__cause__}"
    database.close()


def test_a_store_is_migrated_by_command_and_only_once(tmp_path: Path) -> None:
    url = url_of(tmp_path / "new" / "folder")
    assert SqlStore.migrate(url) == SqlStore.migrate(url) == len(MIGRATIONS)
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o777 == 0o700
    SqlStore.open(url, MovableClock()).close()


def test_a_store_that_was_not_migrated_is_refused_and_left_alone(tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch):
        SqlStore.open(url_of(tmp_path), MovableClock())
    with connect(url_of(tmp_path)).connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() == 0


def test_a_store_of_newer_code_is_refused(tmp_path: Path) -> None:
    SqlStore.migrate(url_of(tmp_path))
    with connect(url_of(tmp_path)).begin() as connection:
        connection.exec_driver_sql("UPDATE schema_version SET version = 99")
    with pytest.raises(SchemaMismatch):
        SqlStore.open(url_of(tmp_path), MovableClock())
    with pytest.raises(SchemaMismatch):
        SqlStore.migrate(url_of(tmp_path))


def test_a_database_of_another_kind_is_refused_in_words() -> None:
    with pytest.raises(InvalidRequest, match="mysql"):
        connect("mysql://host/db")


async def test_a_forked_child_may_not_use_its_parents_connections(tmp_path: Path) -> None:
    SqlStore.migrate(url_of(tmp_path))
    store = SqlStore.open(url_of(tmp_path), MovableClock())
    await store.jobs.depth()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_ask_in_child, args=(store, answers))
    child.start()
    child.join(30)
    assert answers.get() == "StorageFailed"
    store.close()


def _ask_in_child(store: SqlStore, answers: object) -> None:
    import asyncio

    try:
        asyncio.run(store.jobs.depth())
        answers.put("answered")
    except Exception as error:
        answers.put(type(error).__name__)
