"""How a process reaches the database: the right SQLite, safe settings, transactions off the event loop."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool, StaticPool

from adapters.sql.postgresql import POSTGRESQL, postgresql_engine, until_serialised
from adapters.sql.sqlite_library import SqliteLibrary, journal_mode_for, sqlite_library
from domain.errors import InvalidRequest, StorageFailed, StorageFull
from ports.clock import Clock

Value = TypeVar("Value")

BUSY_TIMEOUT_S = 30
"""Seconds a writer waits for another: a process paused inside a transaction blocks all others (reliability notes, section 4)."""
READERS = 3
"""Threads that read at the same time in one process; SQLite takes one writer, so one thread writes."""
SCRUB_TIMEOUT_S = 1.0
"""Seconds that emptying the write-ahead log waits for readers; a paused one must not stop the writers."""
WRITE = "wordloop_write"
"""Execution option of connections whose transaction takes the write lock when it begins."""
SQLITE_FULL, POSTGRESQL_FULL = "database or disk is full", "53100"
"""The text of SQLITE_FULL, and the SQLSTATE disk_full."""
JOURNAL = "wordloop_journal"
"""Execution option that names the journal mode of the file."""


def connect(url: str, library: SqliteLibrary | None = None) -> Engine:
    """Return an engine for `sqlite:///PATH`, `sqlite://` (a private store in memory) or `postgresql://USER@HOST/DATABASE`.

    `library` None takes the newest SQLite there is. Raises StorageFailed when an SQLite file lies on a network file system or
    its journal can not be made safe, InvalidRequest for any other database.
    """
    parsed = make_url(url)
    kind = parsed.get_backend_name()
    if kind == "sqlite":
        return _sqlite_engine(parsed, library or sqlite_library())
    if kind == POSTGRESQL:
        return postgresql_engine(parsed, WRITE)
    raise InvalidRequest(f"No store for {kind} databases: data is kept in SQLite or PostgreSQL.")


def in_memory(engine: Engine) -> bool:
    """Say whether the store lives and dies with this process."""
    return engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:")


def _sqlite_engine(url: URL, library: SqliteLibrary) -> Engine:
    memory = url.database in (None, "", ":memory:")
    journal = "MEMORY" if memory else journal_mode_for(str(url.database), library)
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if not memory:
        pool = {"poolclass": QueuePool, "pool_size": READERS + 1, "max_overflow": 0, "pool_timeout": BUSY_TIMEOUT_S}
    engine = create_engine(
        url,
        module=library.module,
        # No implicit BEGIN by the driver: SQLAlchemy's own events say when a transaction begins, and how.
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None, "check_same_thread": False},
        hide_parameters=True,  # error texts and logs carry no content
        **pool,
    )

    engine.update_execution_options(**{JOURNAL: journal})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            mode = cursor.execute(f"PRAGMA journal_mode={journal}").fetchone()[0]
            if str(mode).upper() != journal:
                raise StorageFailed(f"The database file keeps journal mode {mode}; {journal} is needed to be safe here.")
            cursor.execute("PRAGMA synchronous=FULL")  # NORMAL may lose the last commits when power goes
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA mmap_size=0")
            cursor.execute("PRAGMA secure_delete=ON")  # what was deleted is overwritten, not only unlinked
        finally:
            cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later can fail halfway; a writer queues up at once instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITE) else "BEGIN")

    return engine


class Database:
    """Runs short transactions in threads of its own. Several processes may share one file; each opens its own Database."""

    def __init__(self, engine: Engine, *, own_time: bool = False) -> None:
        self._engine = engine
        self._own_time = own_time and engine.dialect.name == POSTGRESQL
        self._writing = writing(engine)
        self._journal = engine.get_execution_options().get(JOURNAL)
        self._pid = os.getpid()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sql-write")
        shared = in_memory(engine)
        self._readers = self._writer if shared else ThreadPoolExecutor(READERS, thread_name_prefix="sql-read")

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def now(self, connection: Connection, clock: Clock) -> float:
        """Return Unix seconds: by the server's clock with `own_time` on PostgreSQL, so that machines need not agree; else by
        `clock`, which the processes that share an SQLite file have in common."""
        if not self._own_time:
            return clock.now()
        # Not now(): that is when the transaction began, before it waited for others.
        return float(connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one())

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run `work` on one consistent snapshot. Raises StorageFailed when the database can not answer."""
        return await self._run(self._readers, self._engine, work)

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        """Run `work` in one transaction that is durable when this returns, and undone when it raises."""
        return await self._run(self._writer, self._writing, work)

    async def scrub(self) -> None:
        """Take deleted content out of the write-ahead log; left to the next checkpoint when somebody keeps reading."""
        if self._journal == "WAL":
            await asyncio.get_running_loop().run_in_executor(self._writer, _empty_log, self._engine)

    async def _run(self, threads: ThreadPoolExecutor, engine: Engine, work: Callable[[Connection], Value]) -> Value:
        if os.getpid() != self._pid:
            raise StorageFailed("A store does not survive a fork: every process opens its own.")
        return await asyncio.get_running_loop().run_in_executor(threads, transact, engine, work)

    def close(self) -> None:
        """Finish what runs and close every connection."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


def _empty_log(engine: Engine) -> None:
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={int(SCRUB_TIMEOUT_S * 1000)}")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
        cursor.close()
    finally:
        connection.close()


def writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write: SQLite takes its write lock when they begin, PostgreSQL may repeat them."""
    return engine.execution_options(**{WRITE: True})


def transact(engine: Engine, work: Callable[[Connection], Value]) -> Value:
    """Run `work` in one transaction on the calling thread. Raises StorageFailed for what the database refuses to do just now.

    `work` may run more than once (PostgreSQL lets one of two transactions that got in each other's way start again), so it
    does nothing but talk to the database.
    """
    try:
        if engine.dialect.name == POSTGRESQL:
            return until_serialised(lambda: _once(engine, work))
        return _once(engine, work)
    except (IntegrityError, ProgrammingError):
        raise  # a mistake of ours, not a state of the database
    except (DBAPIError, PoolTimeout) as error:
        reason = getattr(error, "orig", None) or type(error).__name__
        if str(reason).startswith(SQLITE_FULL) or getattr(reason, "sqlstate", None) == POSTGRESQL_FULL:
            raise StorageFull("There is no room left for the database; nothing was stored.") from error
        raise StorageFailed(f"The database could not do it: {reason}") from error


def _once(engine: Engine, work: Callable[[Connection], Value]) -> Value:
    with engine.begin() as connection:
        return work(connection)
