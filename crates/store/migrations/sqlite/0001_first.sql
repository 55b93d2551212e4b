-- Installation tables hold what is read before a tenant scope exists. Their column is `tenant`.
CREATE TABLE installation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tenants (
  tenant BLOB PRIMARY KEY CHECK (length(tenant) = 16),
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  demo INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
  id BLOB PRIMARY KEY CHECK (length(id) = 16),
  name TEXT NOT NULL UNIQUE,
  password_hash TEXT,
  disabled_at INTEGER,
  created_at INTEGER NOT NULL,
  last_sign_in_at INTEGER
) STRICT;

CREATE TABLE memberships (
  principal BLOB NOT NULL,
  tenant BLOB NOT NULL,
  role TEXT NOT NULL,
  PRIMARY KEY (principal, tenant)
) STRICT;

-- The hash of a credential, and whom it stands for.
CREATE TABLE principal_index (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  kind TEXT NOT NULL CHECK (kind IN ('session', 'personal', 'ingest', 'admin_link')),
  id BLOB NOT NULL CHECK (length(id) = 16),
  principal BLOB,
  tenant BLOB NOT NULL,
  client_addr TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT;
CREATE INDEX principal_index_by_id ON principal_index (id);

-- Tenant tables: every one has tenant_id, every index begins with it.
CREATE TABLE tokens (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, user_id BLOB, source TEXT,
  created_at INTEGER NOT NULL, revoked_at INTEGER,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  rule_id TEXT NOT NULL, rule_version TEXT NOT NULL, fingerprint BLOB NOT NULL, window_start INTEGER NOT NULL,
  title TEXT NOT NULL, severity INTEGER NOT NULL, status TEXT NOT NULL, verdict TEXT,
  incident_id BLOB, assignee BLOB, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, count INTEGER NOT NULL,
  risk_score INTEGER NOT NULL, demo INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, rule_id, rule_version, fingerprint, window_start)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_by_incident ON alerts (tenant_id, incident_id, id);
CREATE INDEX alerts_by_fingerprint ON alerts (tenant_id, fingerprint, last_seen);
CREATE INDEX alerts_by_status ON alerts (tenant_id, status, id);

CREATE TABLE alert_entities (
  tenant_id BLOB NOT NULL, alert_id BLOB NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, kind, value, alert_id)
) STRICT, WITHOUT ROWID;

-- Which event raised which alert.
CREATE TABLE alert_events (
  tenant_id BLOB NOT NULL, event_id BLOB NOT NULL, alert_id BLOB NOT NULL,
  PRIMARY KEY (tenant_id, event_id, alert_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  title TEXT NOT NULL, severity INTEGER NOT NULL, status TEXT NOT NULL, verdict TEXT, assignee BLOB,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, revision INTEGER NOT NULL, merged_into BLOB,
  risk_score INTEGER NOT NULL, demo INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  -- When alerts last changed it, and when the next revision is due (NULL: none).
  changed_at INTEGER NOT NULL, due_at INTEGER,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_last_seen ON incidents (tenant_id, last_seen);
CREATE INDEX incidents_by_due ON incidents (tenant_id, due_at);

CREATE TABLE investigations (
  tenant_id BLOB NOT NULL, incident_id BLOB NOT NULL, revision INTEGER NOT NULL,
  created_at INTEGER NOT NULL, planned INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, revision)
) STRICT, WITHOUT ROWID;

-- Cited events outlive the retention of the bus.
CREATE TABLE cited_events (
  tenant_id BLOB NOT NULL, event_id BLOB NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notes (
  tenant_id BLOB NOT NULL, incident_id BLOB NOT NULL, id BLOB NOT NULL,
  author BLOB NOT NULL, created_at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE targets (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, host TEXT, created_at INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE plans (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  hash TEXT NOT NULL, state TEXT NOT NULL, incident_id BLOB, undo_of BLOB, proposal TEXT,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX plans_by_incident ON plans (tenant_id, incident_id, id);
CREATE INDEX plans_by_state ON plans (tenant_id, state, id);

CREATE TABLE actions (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL,
  plan_id BLOB NOT NULL, place INTEGER NOT NULL, capability TEXT NOT NULL, target_id BLOB NOT NULL, state TEXT NOT NULL, state_key TEXT NOT NULL,
  expires_at INTEGER, simulated INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX actions_by_plan ON actions (tenant_id, plan_id, place);
CREATE INDEX actions_by_state ON actions (tenant_id, state, id);

CREATE TABLE action_journal (
  tenant_id BLOB NOT NULL, action_id BLOB NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, action_id, step)
) STRICT, WITHOUT ROWID;

-- Live actions that want a state on a target; the state before the first of them is the baseline.
CREATE TABLE owners (
  tenant_id BLOB NOT NULL, state_key TEXT NOT NULL, action_id BLOB NOT NULL, expires_at INTEGER,
  PRIMARY KEY (tenant_id, state_key, action_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE baselines (
  tenant_id BLOB NOT NULL, state_key TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, state_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL, source TEXT NOT NULL, stage TEXT NOT NULL, code TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- Small facts: the automation switch, the demo's replay, offsets of tailed files.
CREATE TABLE facts (
  tenant_id BLOB NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;

-- Bookkeeping, no domain change: places of consumers and counts of events.
CREATE TABLE offsets (
  tenant_id BLOB NOT NULL, consumer TEXT NOT NULL, place BLOB NOT NULL,
  PRIMARY KEY (tenant_id, consumer)
) STRICT, WITHOUT ROWID;
CREATE TABLE counters (
  tenant_id BLOB NOT NULL, name TEXT NOT NULL, value INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE source_stats (
  tenant_id BLOB NOT NULL, source TEXT NOT NULL, events INTEGER NOT NULL, last_event_at INTEGER NOT NULL, last_ingested_at INTEGER NOT NULL, skew_us INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, source)
) STRICT, WITHOUT ROWID;
CREATE TABLE event_minutes (
  tenant_id BLOB NOT NULL, minute INTEGER NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_entries (
  tenant_id BLOB NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, kind TEXT NOT NULL, subjects TEXT NOT NULL, leaf BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (tenant_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entries_by_kind ON ledger_entries (tenant_id, kind, seq);
CREATE TABLE ledger_subjects (
  tenant_id BLOB NOT NULL, subject TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, subject, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_heads (
  tenant_id BLOB PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, frontier BLOB NOT NULL
) STRICT, WITHOUT ROWID;
