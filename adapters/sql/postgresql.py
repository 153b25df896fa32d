"""How a process reaches PostgreSQL: every transaction serialisable, bounded in time, started again when it lost a race."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

Value = TypeVar("Value")

POSTGRESQL = "postgresql"
CONNECTIONS = 4
"""Per process: as many as there are threads that use them, one writer and three readers."""
CONNECT_TIMEOUT_S = 5
LIMITS = {"statement_timeout": "30s", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "30s"}
"""No transaction here waits for a model or the network, so one that lasts this long is ill (reliability notes, rule 12)."""
LOST_RACE = {"40001", "40P01"}
"""SQLSTATEs serialization_failure and deadlock_detected: the transaction will do when it runs again."""
UNIQUE_VIOLATION = "23505"
"""Takes their place when two transactions insert the same key at once (https://www.postgresql.org/docs/15/mvcc-serialization-failure-handling.html);
else it is a mistake of ours, so it is tried again a few times only."""
TRIES_OF_A_VIOLATION = 5
RETRY_FOR_S = 30.0
FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.25


def postgresql_engine(url: URL, write: str) -> Engine:
    """Return an engine whose transactions see one moment and whose writers behave as if they ran one after another.

    The code above it was written for one writer at a time, as SQLite has it; SERIALIZABLE keeps that promise for any number of
    processes, and what it costs is repeating the transaction that lost. `write` names the execution option of connections that
    may write.
    """
    options = " ".join(f"-c {name}={value}" for name, value in LIMITS.items())
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        isolation_level="SERIALIZABLE",
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": options},
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=RETRY_FOR_S,
        pool_pre_ping=True,  # a server that was restarted costs a reconnect, not a failed job
        hide_parameters=True,  # error texts and logs carry no content
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(write):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    return engine


def until_serialised(attempt: Callable[[], Value]) -> Value:
    """Run a transaction again while it loses races, for at most `RETRY_FOR_S` seconds."""
    give_up = time.monotonic() + RETRY_FOR_S
    pause, tries = FIRST_PAUSE_S, 0
    while True:
        tries += 1
        try:
            return attempt()
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            raced = state in LOST_RACE or (state == UNIQUE_VIOLATION and tries < TRIES_OF_A_VIOLATION)
            if not raced or time.monotonic() > give_up:
                raise
        time.sleep(random.uniform(0, pause))  # noqa: S311  # jitter, not secrecy
        pause = min(2 * pause, LONGEST_PAUSE_S)
