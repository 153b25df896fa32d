"""The tables, the same on SQLite and PostgreSQL."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData()
serial = BigInteger().with_variant(Integer, "sqlite")

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

jobs = Table(
    "jobs",
    metadata,
    Column("seq", serial, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("tenant", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("body_sha256", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("deadline", Double),
    Column("store", Boolean, nullable=False),
    Column("traceparent", Text),
    Column("status", Text, nullable=False),
    Column("run_after", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("owner", Text),
    Column("lease_until", Double),
    Column("fence", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("fraction", Double, nullable=False),
    Column("stage", Text, nullable=False),
    Column("eta_s", Double),
    Column("result", Text, nullable=False),
    Column("error_code", Text),
    Column("error_detail", Text),
    Column("last_sequence", Integer, nullable=False),
    Column("rank", Double, nullable=False, server_default="0"),  # smallest first: when it came, less what its priority is worth
    Column("overdue", Boolean, nullable=False, server_default=false()),
    Column("audio_s", Double),
    Column("lane", Text, nullable=False, server_default="long"),
    Column("keep_s", Double),
    UniqueConstraint("tenant", "idempotency_key"),
    sqlite_autoincrement=True,
)
Index("jobs_by_deadline", jobs.c.status, jobs.c.deadline)
Index("jobs_by_tenant", jobs.c.tenant, jobs.c.seq)
Index("jobs_in_claim_order", jobs.c.status, jobs.c.tenant, jobs.c.lane, jobs.c.rank, jobs.c.seq)
Index("jobs_by_end", jobs.c.tenant, jobs.c.finished_at)

job_events = Table(
    "job_events",
    metadata,
    Column("job_seq", serial, ForeignKey(jobs.c.seq, ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

call_answers = Table(
    "call_answers",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("answer", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_used", Double, nullable=False),
)
Index("call_answers_by_age", call_answers.c.created_at)
Index("call_answers_by_use", call_answers.c.last_used)

call_uses = Table(
    "call_uses",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    ForeignKeyConstraint(["scope", "key"], [call_answers.c.scope, call_answers.c.key], ondelete="CASCADE"),
)
Index("call_uses_by_conversation", call_uses.c.scope, call_uses.c.conversation_id)

call_flights = Table(
    "call_flights",
    metadata,
    Column("fence", serial, primary_key=True),  # never used twice, so an old holder can not pass for a new one
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("until", Double, nullable=False),
    UniqueConstraint("scope", "key"),
    sqlite_autoincrement=True,
)

deleted_conversations = Table(
    "deleted_conversations",
    metadata,
    Column("owner", Text, primary_key=True),  # a tenant, or a scope of calls
    Column("conversation_id", Text, primary_key=True),
    Column("deleted_at", Double, nullable=False),
)


def _results(name: str, *columns: Column[bytes] | Column[int]) -> Table:
    table = Table(
        name,
        metadata,
        Column("tenant", Text, primary_key=True),
        Column("id", Text, primary_key=True),
        Column("conversation_id", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        *columns,
    )
    Index(f"{name}_by_conversation", table.c.tenant, table.c.conversation_id)
    return table


transcripts = _results("transcripts")
recaps = _results("recaps")
embeddings = _results(
    "embeddings",
    Column("vectors", LargeBinary, nullable=False),
    Column("dimensions", Integer, nullable=False),
)

blob_uses = Table(
    "blob_uses",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("blob_id", Text, primary_key=True),
    Column("conversation_id", Text, primary_key=True),
    Column("size", BigInteger),  # bytes; none where an older version named what it had fetched
)
Index("blob_uses_by_conversation", blob_uses.c.tenant, blob_uses.c.conversation_id)

budget_accounts = Table(
    "budget_accounts",
    metadata,
    Column("account", Text, primary_key=True),
    Column("audio_seconds", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("money_usd", BigInteger, nullable=False),
)

budget_reservations = Table(
    "budget_reservations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("until", Double, nullable=False),
    Column("audio_seconds", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("money_usd", BigInteger, nullable=False),
)
Index("budget_reservations_by_account", budget_reservations.c.account, budget_reservations.c.state)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("previous_secret", Text),
    Column("previous_until", Double),
    Column("created_at", Double, nullable=False),
    Column("disabled_at", Double),
    Column("disabled_reason", Text),
)
Index("webhook_endpoints_by_tenant", webhook_endpoints.c.tenant)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("seq", serial, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("endpoint_id", Text, ForeignKey(webhook_endpoints.c.id, ondelete="CASCADE"), nullable=False),
    Column("job_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try", Double, nullable=False),
    Column("lease_until", Double),
    Column("fence", Integer, nullable=False),
    Column("last_status", Integer),
    Column("changed_at", Double, nullable=False),
    Column("last_failure", Text),
    UniqueConstraint("endpoint_id", "job_id", "type"),
    sqlite_autoincrement=True,
)
Index("webhook_deliveries_due", webhook_deliveries.c.state, webhook_deliveries.c.next_try)

blob_holds = Table(
    "blob_holds",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("blob_id", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("until", Double, nullable=False),
)
Index("blob_holds_by_end", blob_holds.c.until)

blob_tombstones = Table(
    "blob_graves",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("blob_id", Text, primary_key=True),
    Column("since", Double, nullable=False),
)

tenant_turns = Table(
    "tenant_turns", metadata, Column("tenant", Text, primary_key=True), Column("claimed_at", Double, nullable=False)
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("revoked_at", Double),
    Column("requests_per_minute", Double),
    Column("upload_bytes", BigInteger),
    Column("max_priority", Integer),
)
Index("api_keys_by_tenant", api_keys.c.tenant)

breakers = Table(
    "breakers",
    metadata,
    *(Column("target", Text, primary_key=True), Column("serial", BigInteger, nullable=False)),  # of a backend and a model
    *(Column("opened_by", Text, nullable=False), Column("open_for", Double), Column("open_until", Double)),  # null: closed
    *(Column("probed_by", Text), Column("probed_until", Double)),
    *(Column("closed_by", Text), Column("changed_at", Double, nullable=False)),
)

call_demand = Table(
    "call_demand",
    metadata,
    *(Column("owner", Text, primary_key=True), Column("demand", Text, nullable=False), Column("until", Double, nullable=False)),
)
