"""Where rows live, by the settings. Imports the database's libraries when it opens one: the command line's help does not."""

import asyncio
import os
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from ports.clock import Clock
from serve_app.errors import ConfigurationInvalid

if TYPE_CHECKING:
    from adapters.sql import SqlStore
    from ports.call_board import CallBoard
    from ports.call_cache import CallCache
    from serve_app.settings.service import Settings


REDIS = "call_cache.redis_url_env"
Value = TypeVar("Value")


def open_store(settings: "Settings", clock: Clock) -> "SqlStore":
    """Open the database of the settings, which has been migrated. Raises ConfigurationInvalid or StorageFailed."""
    from adapters.sql import SqlStore, StoreSettings

    limits, worker = settings.limits, settings.worker
    bounds = StoreSettings(
        max_queued=limits.max_queued_jobs,
        max_attempts=worker.max_attempts,
        max_running_per_tenant=worker.max_running_per_tenant,
        max_queued_per_tenant=limits.max_queued_jobs_per_tenant,
        max_queue_wait_s=limits.max_queue_wait_s,
        max_tenant_bytes=settings.storage.max_bytes_per_tenant,
        database_time=True,
        short_audio_s=worker.short_audio_s,
    )
    return SqlStore.open(database_url(settings), clock, bounds)


def call_cache(settings: "Settings", store: "SqlStore", clock: Clock) -> "CallCache":
    """Return where answers of model calls are: the Redis of the settings, else the database."""
    if (url := named(settings.call_cache.redis_url_env, REDIS)) is None:
        return store.calls
    from adapters.redis_calls import RedisCalls

    return RedisCalls(url, clock)


def call_board(settings: "Settings", store: "SqlStore", clock: Clock) -> "CallBoard":
    """Return where processes tell one another of their calls: beside the answers."""
    if (url := named(settings.call_cache.redis_url_env, REDIS)) is None:
        return store.board
    from adapters.redis_calls import RedisCallBoard

    return RedisCallBoard(url, clock)


def database_url(settings: "Settings") -> str:
    """Where rows live: the database named in the environment, else SQLite in the data folder.

    Raises ConfigurationInvalid when the variable that should name it is not set.
    """
    url = named(settings.database.url_env, "database.url_env")
    return f"sqlite:///{settings.data_folder / 'wordloop.db'}" if url is None else url


def named(variable: str | None, setting: str) -> str | None:
    """Return what the environment variable holds that a setting names; None when the setting names none.

    Raises ConfigurationInvalid when it is not set.
    """
    if variable is None:
        return None
    if not (value := os.environ.get(variable)):
        raise ConfigurationInvalid(f"{setting}: the environment has no {variable}.")
    return value


@contextmanager
def opened(settings: "Settings", clock: Clock) -> Iterator["SqlStore"]:
    """The database of the settings for the time of the context. Raises ConfigurationInvalid or StorageFailed."""
    store = open_store(settings, clock)
    try:
        yield store
    finally:
        store.close()


def run_now(work: Awaitable[Value]) -> Value:
    """Run a question to the store to its end, from code without a loop."""

    async def run() -> Value:
        return await work

    return asyncio.run(run())
