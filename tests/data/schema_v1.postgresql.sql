-- The tables of schema version 1 as that version's code made them; never edited.
CREATE TABLE blob_uses (
	tenant TEXT NOT NULL,
	blob_id TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	PRIMARY KEY (tenant, blob_id, conversation_id)
);

CREATE INDEX blob_uses_by_conversation ON blob_uses (tenant, conversation_id);

CREATE TABLE budget_accounts (
	account TEXT NOT NULL,
	audio_seconds BIGINT NOT NULL,
	tokens BIGINT NOT NULL,
	money_usd BIGINT NOT NULL,
	PRIMARY KEY (account)
);

CREATE TABLE budget_reservations (
	id TEXT NOT NULL,
	account TEXT NOT NULL,
	state TEXT NOT NULL,
	until DOUBLE PRECISION NOT NULL,
	audio_seconds BIGINT NOT NULL,
	tokens BIGINT NOT NULL,
	money_usd BIGINT NOT NULL,
	PRIMARY KEY (id, account)
);

CREATE INDEX budget_reservations_by_account ON budget_reservations (account, state);

CREATE TABLE call_answers (
	scope TEXT NOT NULL,
	key TEXT NOT NULL,
	answer BYTEA NOT NULL,
	size INTEGER NOT NULL,
	created_at DOUBLE PRECISION NOT NULL,
	last_used DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (scope, key)
);

CREATE INDEX call_answers_by_age ON call_answers (created_at);

CREATE INDEX call_answers_by_use ON call_answers (last_used);

CREATE TABLE call_flights (
	fence BIGSERIAL NOT NULL,
	scope TEXT NOT NULL,
	key TEXT NOT NULL,
	owner TEXT NOT NULL,
	until DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (fence),
	UNIQUE (scope, key)
);

CREATE TABLE deleted_conversations (
	owner TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	deleted_at DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (owner, conversation_id)
);

CREATE TABLE embeddings (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	body BYTEA NOT NULL,
	vectors BYTEA NOT NULL,
	dimensions INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX embeddings_by_conversation ON embeddings (tenant, conversation_id);

CREATE TABLE index_versions (
	tenant TEXT NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (tenant)
);

CREATE TABLE jobs (
	seq BIGSERIAL NOT NULL,
	id TEXT NOT NULL,
	tenant TEXT NOT NULL,
	idempotency_key TEXT,
	body_sha256 TEXT NOT NULL,
	kind TEXT NOT NULL,
	payload TEXT NOT NULL,
	priority INTEGER NOT NULL,
	deadline DOUBLE PRECISION,
	store BOOLEAN NOT NULL,
	traceparent TEXT,
	status TEXT NOT NULL,
	run_after DOUBLE PRECISION NOT NULL,
	created_at DOUBLE PRECISION NOT NULL,
	started_at DOUBLE PRECISION,
	finished_at DOUBLE PRECISION,
	attempts INTEGER NOT NULL,
	max_attempts INTEGER NOT NULL,
	owner TEXT,
	lease_until DOUBLE PRECISION,
	fence INTEGER NOT NULL,
	cancel_requested BOOLEAN NOT NULL,
	fraction DOUBLE PRECISION NOT NULL,
	stage TEXT NOT NULL,
	eta_s DOUBLE PRECISION,
	result TEXT NOT NULL,
	error_code TEXT,
	error_detail TEXT,
	last_sequence INTEGER NOT NULL,
	PRIMARY KEY (seq),
	UNIQUE (tenant, idempotency_key),
	UNIQUE (id)
);

CREATE INDEX jobs_by_deadline ON jobs (status, deadline);

CREATE INDEX jobs_by_tenant ON jobs (tenant, seq);

CREATE INDEX jobs_in_claim_order ON jobs (status, priority DESC, seq);

CREATE TABLE passages (
	id BIGSERIAL NOT NULL,
	tenant TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	transcript_id TEXT NOT NULL,
	segment_ids TEXT NOT NULL,
	start DOUBLE PRECISION NOT NULL,
	"end" DOUBLE PRECISION NOT NULL,
	speaker TEXT,
	text TEXT NOT NULL,
	model TEXT NOT NULL,
	dimensions INTEGER NOT NULL,
	vector BYTEA NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX passages_by_conversation ON passages (tenant, conversation_id);

CREATE INDEX passages_by_model ON passages (tenant, model, id);

CREATE INDEX passages_by_transcript ON passages (tenant, transcript_id);

CREATE TABLE recaps (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX recaps_by_conversation ON recaps (tenant, conversation_id);

CREATE TABLE schema_version (
	version INTEGER NOT NULL
);

CREATE TABLE transcripts (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);

CREATE INDEX transcripts_by_conversation ON transcripts (tenant, conversation_id);

CREATE TABLE call_uses (
	scope TEXT NOT NULL,
	key TEXT NOT NULL,
	conversation_id TEXT NOT NULL,
	PRIMARY KEY (scope, key, conversation_id),
	FOREIGN KEY(scope, key) REFERENCES call_answers (scope, key) ON DELETE CASCADE
);

CREATE INDEX call_uses_by_conversation ON call_uses (scope, conversation_id);

CREATE TABLE job_events (
	job_seq BIGINT NOT NULL,
	sequence INTEGER NOT NULL,
	fence INTEGER NOT NULL,
	type TEXT NOT NULL,
	data TEXT NOT NULL,
	created_at DOUBLE PRECISION NOT NULL,
	PRIMARY KEY (job_seq, sequence),
	FOREIGN KEY(job_seq) REFERENCES jobs (seq) ON DELETE CASCADE
);

INSERT INTO schema_version (version) VALUES (1);

CREATE TABLE passage_words (
	passage_id BIGINT NOT NULL,
	tenant TEXT NOT NULL,
	words TEXT[] NOT NULL,
	PRIMARY KEY (passage_id),
	FOREIGN KEY(passage_id) REFERENCES passages (id) ON DELETE CASCADE
);

CREATE INDEX passage_words_by_tenant ON passage_words (tenant);

CREATE INDEX passage_words_by_word ON passage_words USING gin (words);
