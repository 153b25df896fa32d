"""Where rows live, by the settings."""

import os

from adapters.sql import SqlStore, StoreSettings
from ports.clock import Clock
from serve_app.errors import ConfigurationInvalid
from serve_app.settings import Settings


def open_store(settings: Settings, clock: Clock) -> SqlStore:
    """Open the database of the settings, which has been migrated. Raises ConfigurationInvalid or StorageFailed."""
    limits, worker = settings.limits, settings.worker
    bounds = StoreSettings(
        max_queued=limits.max_queued_jobs,
        max_attempts=worker.max_attempts,
        max_running_per_tenant=worker.max_running_per_tenant,
        max_queued_per_tenant=limits.max_queued_jobs_per_tenant,
        max_queue_wait_s=limits.max_queue_wait_s,
        database_time=True,
    )
    return SqlStore.open(database_url(settings), clock, bounds)


def database_url(settings: Settings) -> str:
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
