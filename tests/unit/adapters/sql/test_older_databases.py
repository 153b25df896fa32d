"""A database that an older version of the code has made is brought forward with what it holds, on both databases."""

import pytest

from adapters.scripted.clock import MovableClock
from adapters.sql import SchemaMismatch, SqlStore
from adapters.sql.engine import connect, writing
from adapters.sql.migrations import MIGRATIONS
from domain.job import JobKind, JobRequest
from domain.webhook import WebhookEvent

NEW_SINCE_1 = ("webhook_deliveries", "webhook_endpoints")


async def test_a_database_of_version_1_keeps_its_jobs_and_learns_webhooks(database_url: str) -> None:
    older = SqlStore.open(database_url, MovableClock())
    job, _ = await older.jobs.submit(JobRequest(JobKind.RECAP, {"a": 1}))
    older.close()
    engine = writing(connect(database_url))
    with engine.begin() as connection:
        for table in NEW_SINCE_1:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE schema_version SET version = 1")
    engine.dispose()
    with pytest.raises(SchemaMismatch):
        SqlStore.open(database_url, MovableClock())

    assert SqlStore.migrate(database_url) == len(MIGRATIONS)
    store = SqlStore.open(database_url, MovableClock())
    await store.webhooks.add("default", "https://hooks.example.com/", tuple(WebhookEvent))
    lease = await store.jobs.claim("w", 30.0)
    assert lease is not None
    assert lease.job.id == job.id
    await store.jobs.complete(lease, {})
    assert await store.webhooks.claim(60.0) is not None
    store.close()
