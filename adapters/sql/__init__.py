"""Everything durable in one SQL database: jobs, answers of calls, results, the search index and budgets."""

from dataclasses import dataclass
from typing import Self

from adapters.sql.board import SqlCallBoard
from adapters.sql.calls import SqlCalls
from adapters.sql.engine import Database, connect, in_memory, transact, writing
from adapters.sql.job_order import Admission
from adapters.sql.jobs import SqlJobs
from adapters.sql.keys import SqlApiKeys
from adapters.sql.ledger import SqlLedger
from adapters.sql.migrations import SchemaMismatch, apply_migrations, check_version, migrate
from adapters.sql.results import SqlResults
from adapters.sql.search import SqlSearchIndex
from adapters.sql.search_spaces import SqlVectorSpaces
from adapters.sql.voice_profiles import SqlVoiceProfiles
from adapters.sql.webhooks import SqlWebhooks
from ports.clock import Clock

__all__ = ["SchemaMismatch", "SqlStore", "StoreSettings", "migrate"]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Knobs of the store.

    `max_queued`: waiting jobs over all tenants before the door closes; `max_queued_per_tenant` of one tenant (None: no share of
    its own); `max_queue_wait_s`: seconds of work that may wait (None: no bound). `max_attempts`: claims of one job before it
    fails. `max_running_per_tenant`: None for no cap. `max_tenant_bytes`: of recordings that one tenant keeps; None for no bound.
    `reservation_s`: seconds a budget reservation outlives a dead holder; longer than any model call with its retries.
    `database_time`: on PostgreSQL leases are measured on the server's clock, not on `clock`. `short_audio_s`: seconds of sound
    up to which a job is of the short lane.
    """

    max_queued: int = 1000
    max_attempts: int = 5
    max_running_per_tenant: int | None = None
    max_queued_per_tenant: int | None = None
    max_queue_wait_s: float | None = None
    max_tenant_bytes: int | None = None
    reservation_s: float = 900.0
    database_time: bool = False
    short_audio_s: float = 300.0


class SqlStore:
    """One process's door to the database. Every process opens its own; several may share one SQLite file on one machine, or one
    PostgreSQL database from anywhere.

    `jobs` is JobStore and JobQueue; `calls` CallCache; `board` CallBoard; `results` TranscriptStore, RecapStore, EmbeddingStore,
    ConversationDeleter and BlobReferences; `search` SearchIndex; `spaces` VectorSpaces; `webhooks` WebhookStore and
    WebhookOutbox; `keys` ApiKeys; `ledger` BudgetLedger; `voices` VoiceProfiles.
    """

    def __init__(self, database: Database, clock: Clock, settings: StoreSettings) -> None:
        admission = Admission(
            settings.max_queued,
            settings.max_attempts,
            settings.max_queued_per_tenant,
            settings.max_queue_wait_s,
            settings.max_tenant_bytes,
            settings.short_audio_s,
        )
        self._database = database
        self.jobs = SqlJobs(database, clock, admission, settings.max_running_per_tenant)
        self.calls = SqlCalls(database, clock)
        self.board = SqlCallBoard(database, clock)
        self.results = SqlResults(database, clock, settings.max_tenant_bytes)
        self.search = SqlSearchIndex(database)
        self.spaces = SqlVectorSpaces(database)
        self.webhooks = SqlWebhooks(database, clock)
        self.keys = SqlApiKeys(database, clock)
        self.voices = SqlVoiceProfiles(database, clock)
        self.ledger = SqlLedger(database, clock, settings.reservation_s)

    @staticmethod
    def migrate(url: str) -> int:
        """Bring a database to this code's version; a command does that once, before any process opens the store."""
        return migrate(url)

    @classmethod
    def open(cls, url: str, clock: Clock, settings: StoreSettings | None = None) -> Self:
        """Open a migrated database: `sqlite:///PATH`, `postgresql://...`, or `sqlite://` for an empty private one in memory.

        Raises SchemaMismatch for a database of another version (a file is never migrated here), StorageFailed when it can not
        be opened.
        """
        engine = connect(url)
        try:
            if in_memory(engine):
                transact(writing(engine), apply_migrations)
            transact(engine, check_version)
        except BaseException:
            engine.dispose()
            raise
        settings = settings or StoreSettings()
        return cls(Database(engine, own_time=settings.database_time), clock, settings)

    def close(self) -> None:
        """Finish what runs and close every connection; the store can not be used afterwards."""
        self._database.close()
