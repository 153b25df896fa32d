"""The one command that brings a database to this code's tables."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, func, insert, inspect, literal, select, update
from sqlalchemy.engine import make_url

from adapters.sql.engine import connect, transact, writing
from adapters.sql.job_order import PRIORITY_STEP_S
from adapters.sql.plain import from_text
from adapters.sql.postgresql import POSTGRESQL
from adapters.sql.search_move import passages_into_blocks
from adapters.sql.search_tables import passages
from adapters.sql.tables import (
    api_keys,
    blob_holds,
    blob_tombstones,
    blob_uses,
    breakers,
    call_demand,
    jobs,
    metadata,
    schema_version,
    tenant_turns,
    webhook_deliveries,
    webhook_endpoints,
)
from adapters.sql.voice_profiles import voice_profiles
from domain.errors import StorageFailed
from domain.job import JobKind, Lane
from domain.search import PassageKind


def _first_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=True)


def _webhooks(connection: Connection) -> None:
    metadata.create_all(connection, tables=[webhook_endpoints, webhook_deliveries], checkfirst=True)


def _fair_turns_and_blob_holds(connection: Connection) -> None:
    new = (blob_holds, blob_tombstones, tenant_turns)
    metadata.create_all(connection, tables=new, checkfirst=True)
    if not _has(connection, jobs.c.rank):
        connection.exec_driver_sql("DROP INDEX jobs_in_claim_order")
        _add(connection, jobs.c.rank, " DEFAULT '0' NOT NULL")
        connection.execute(update(jobs).values(rank=jobs.c.created_at - PRIORITY_STEP_S * jobs.c.priority))
    there = {found["name"] for found in inspect(connection).get_columns(jobs.name)}
    for index in jobs.indexes:
        if {column.name for column in index.columns} <= there:  # a later step makes the others
            index.create(connection, checkfirst=True)


def _api_keys(connection: Connection) -> None:
    metadata.create_all(connection, tables=[api_keys], checkfirst=True)


def _limits_of_keys(connection: Connection) -> None:
    for column in (api_keys.c.requests_per_minute, api_keys.c.upload_bytes):
        if not _has(connection, column):
            _add(connection, column)


def _sizes_of_recordings(connection: Connection) -> None:
    if _has(connection, blob_uses.c.size):
        return
    _add(connection, blob_uses.c.size)
    uploads = select(jobs.c.tenant, jobs.c.payload).where(jobs.c.kind.in_(["conversation", "transcription"]))
    for row in connection.execute(uploads).all():
        payload = from_text(row.payload)
        if isinstance(blob_id := payload.get("blob_id"), str):
            named = (blob_uses.c.tenant == row.tenant, blob_uses.c.blob_id == blob_id)
            connection.execute(update(blob_uses).where(*named).values(size=payload.get("size")))


def _overdue_stages(connection: Connection) -> None:
    if not _has(connection, jobs.c.overdue):
        _add(connection, jobs.c.overdue, " DEFAULT false NOT NULL")


def _failures_of_webhooks(connection: Connection) -> None:
    if not _has(connection, webhook_deliveries.c.last_failure):
        _add(connection, webhook_deliveries.c.last_failure)


def _lanes(connection: Connection) -> None:
    if _has(connection, jobs.c.lane):
        return
    _add(connection, jobs.c.audio_s)
    _add(connection, jobs.c.lane, f" DEFAULT '{Lane.LONG.value}' NOT NULL")
    texts = jobs.c.kind.in_([JobKind.RECAP.value, JobKind.EMBEDDING.value])
    connection.execute(update(jobs).where(texts).values(lane=Lane.SHORT.value))
    connection.exec_driver_sql("DROP INDEX IF EXISTS jobs_in_claim_order")
    for index in jobs.indexes:
        index.create(connection, checkfirst=True)


def _priorities_of_keys(connection: Connection) -> None:
    if not _has(connection, api_keys.c.max_priority):
        _add(connection, api_keys.c.max_priority)


def _times_to_keep(connection: Connection) -> None:
    if not _has(connection, jobs.c.keep_s):
        _add(connection, jobs.c.keep_s)


def _described_passages(connection: Connection) -> None:
    if _has(connection, passages.c.kind):
        return
    _add(connection, passages.c.kind, f" DEFAULT '{PassageKind.LINE.value}' NOT NULL")
    for column in (passages.c.recap_id, passages.c.title, passages.c.recorded_at):
        _add(connection, column)
    several = (passages.c.speaker.is_(None), passages.c.segment_ids.like("%,%"))
    connection.execute(update(passages).where(*several).values(kind=PassageKind.CHAPTER.value))
    job_id = literal("job_") + func.substr(passages.c.conversation_id, len("conversation_") + 1)
    made = select(jobs.c.created_at).where(jobs.c.id == job_id).scalar_subquery()
    connection.execute(update(passages).values(recorded_at=made))


def _board_of_calls(connection: Connection) -> None:
    metadata.create_all(connection, tables=[breakers, call_demand], checkfirst=True)


def _voice_profiles(connection: Connection) -> None:
    metadata.create_all(connection, tables=[voice_profiles], checkfirst=True)


def _has(connection: Connection, column: Column[Any]) -> bool:
    return column.name in {found["name"] for found in inspect(connection).get_columns(column.table.name)}


def _add(connection: Connection, column: Column[Any], constraints: str = "") -> None:
    kind = column.type.compile(connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {column.name} {kind}{constraints}")


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first_tables,
    _webhooks,
    _fair_turns_and_blob_holds,
    _api_keys,
    _limits_of_keys,
    _sizes_of_recordings,
    _overdue_stages,
    _failures_of_webhooks,
    _lanes,
    _priorities_of_keys,
    _times_to_keep,
    _described_passages,
    _board_of_calls,
    _voice_profiles,
    passages_into_blocks,
)
"""Steps forward, in order; version N is a database that has run the first N. There is no way back."""
MIGRATION_LOCK = 0x776F72646C6F6F70
"""Number of the advisory lock around migrations: "wordloop" in ASCII."""


class SchemaMismatch(StorageFailed):
    """The database is of another version than this code: migrate it, or run the code that fits."""

    transient = False


def migrate(url: str) -> int:
    """Bring the database to this code's version and return that. Run once, by a command, before any worker starts.

    Raises SchemaMismatch for a database that newer code has migrated.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = connect(url)
    try:
        return transact(_migrating(engine), apply_migrations)
    finally:
        engine.dispose()


def _migrating(engine: Engine) -> Engine:
    if engine.dialect.name != POSTGRESQL:
        return writing(engine)
    # Two commands at once: the second waits for the lock, and has to see then what the first has done.
    return writing(engine).execution_options(isolation_level="READ COMMITTED")


def apply_migrations(connection: Connection) -> int:
    """Run the steps that the database has not had, inside the caller's transaction."""
    if connection.dialect.name == POSTGRESQL:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    have = version_of(connection)
    if have > len(MIGRATIONS):
        raise SchemaMismatch(f"The database has version {have}; this code knows {len(MIGRATIONS)}.")
    for step in MIGRATIONS[have:]:
        step(connection)
    if have == 0:
        connection.execute(insert(schema_version).values(version=len(MIGRATIONS)))
    elif have < len(MIGRATIONS):
        connection.execute(update(schema_version).values(version=len(MIGRATIONS)))
    return len(MIGRATIONS)


def version_of(connection: Connection) -> int:
    """Return the schema version of the database; 0 for an empty one."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.execute(select(schema_version.c.version)).scalar_one_or_none() or 0


def check_version(connection: Connection) -> None:
    """Raises SchemaMismatch unless the database has exactly this code's version."""
    have = version_of(connection)
    if have != len(MIGRATIONS):
        raise SchemaMismatch(f"The database has version {have}; this code needs {len(MIGRATIONS)}: run the migration.")
