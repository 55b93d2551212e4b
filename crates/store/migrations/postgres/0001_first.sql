-- Text is compared by its bytes, as SQLite does: cursors and orders agree. Row-level security and the rights of the role
-- that serves are set after every migration, for every table with a tenant_id.

-- What SQLite has built in, so that one text of a query serves both.
CREATE FUNCTION json_valid(list TEXT) RETURNS BOOLEAN LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  PERFORM list::JSON;
  RETURN list IS NOT NULL;
EXCEPTION WHEN others THEN
  RETURN FALSE;
END
$$;
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (value TEXT) LANGUAGE sql IMMUTABLE AS $$
  SELECT json_array_elements_text(CASE WHEN json_typeof(list::JSON) = 'array' THEN list::JSON ELSE '[]'::JSON END)
$$;
CREATE FUNCTION unhex(digits TEXT) RETURNS BYTEA LANGUAGE sql IMMUTABLE AS $$ SELECT decode(digits, 'hex') $$;
CREATE FUNCTION instr(hay TEXT, needle TEXT) RETURNS INTEGER LANGUAGE sql IMMUTABLE AS $$ SELECT strpos(hay, needle) $$;

-- Installation tables hold what is read before a tenant scope exists. Their column is `tenant`.
CREATE TABLE installation (
  one BIGINT PRIMARY KEY CHECK (one = 1),
  id TEXT COLLATE "C" NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE tenants (
  tenant BYTEA PRIMARY KEY CHECK (length(tenant) = 16),
  slug TEXT COLLATE "C" NOT NULL UNIQUE,
  name TEXT COLLATE "C" NOT NULL,
  demo BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE users (
  id BYTEA PRIMARY KEY CHECK (length(id) = 16),
  name TEXT COLLATE "C" NOT NULL UNIQUE,
  password_hash TEXT COLLATE "C",
  disabled_at BIGINT,
  created_at BIGINT NOT NULL,
  last_sign_in_at BIGINT
);

CREATE TABLE memberships (
  principal BYTEA NOT NULL,
  tenant BYTEA NOT NULL,
  role TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (principal, tenant)
);

-- The hash of a credential, and whom it stands for.
CREATE TABLE principal_index (
  hash BYTEA PRIMARY KEY CHECK (length(hash) = 32),
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('session', 'personal', 'ingest', 'admin_link')),
  id BYTEA NOT NULL CHECK (length(id) = 16),
  principal BYTEA,
  tenant BYTEA NOT NULL,
  client_addr TEXT COLLATE "C",
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
CREATE INDEX principal_index_by_id ON principal_index (id);

-- Tenant tables: every one has tenant_id, every index begins with it.
CREATE TABLE tokens (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, user_id BYTEA, source TEXT COLLATE "C",
  created_at BIGINT NOT NULL, revoked_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);

CREATE TABLE alerts (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  rule_id TEXT COLLATE "C" NOT NULL, rule_version TEXT COLLATE "C" NOT NULL, fingerprint BYTEA NOT NULL, window_start BIGINT NOT NULL,
  title TEXT COLLATE "C" NOT NULL, severity BIGINT NOT NULL, status TEXT COLLATE "C" NOT NULL, verdict TEXT COLLATE "C",
  incident_id BYTEA, assignee BYTEA, first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, count BIGINT NOT NULL,
  risk_score BIGINT NOT NULL, demo BIGINT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, rule_id, rule_version, fingerprint, window_start)
);
CREATE INDEX alerts_by_incident ON alerts (tenant_id, incident_id, id);
CREATE INDEX alerts_by_fingerprint ON alerts (tenant_id, fingerprint, last_seen);
CREATE INDEX alerts_by_status ON alerts (tenant_id, status, id);

CREATE TABLE alert_entities (
  tenant_id BYTEA NOT NULL, alert_id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, kind, value, alert_id)
);

-- Which event raised which alert.
CREATE TABLE alert_events (
  tenant_id BYTEA NOT NULL, event_id BYTEA NOT NULL, alert_id BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, event_id, alert_id)
);

CREATE TABLE incidents (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  title TEXT COLLATE "C" NOT NULL, severity BIGINT NOT NULL, status TEXT COLLATE "C" NOT NULL, verdict TEXT COLLATE "C", assignee BYTEA,
  first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, revision BIGINT NOT NULL, merged_into BYTEA,
  risk_score BIGINT NOT NULL, demo BIGINT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  -- When alerts last changed it, and when the next revision is due (NULL: none).
  changed_at BIGINT NOT NULL, due_at BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX incidents_by_last_seen ON incidents (tenant_id, last_seen);
CREATE INDEX incidents_by_due ON incidents (tenant_id, due_at);

CREATE TABLE investigations (
  tenant_id BYTEA NOT NULL, incident_id BYTEA NOT NULL, revision BIGINT NOT NULL,
  created_at BIGINT NOT NULL, planned BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, revision)
);

-- Cited events outlive the retention of the bus.
CREATE TABLE cited_events (
  tenant_id BYTEA NOT NULL, event_id BYTEA NOT NULL, time BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, event_id)
);

CREATE TABLE notes (
  tenant_id BYTEA NOT NULL, incident_id BYTEA NOT NULL, id BYTEA NOT NULL,
  author BYTEA NOT NULL, created_at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, incident_id, id)
);

CREATE TABLE targets (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, host TEXT COLLATE "C", created_at BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, kind, name)
);

CREATE TABLE plans (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  hash TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, incident_id BYTEA, undo_of BYTEA, proposal TEXT COLLATE "C",
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX plans_by_incident ON plans (tenant_id, incident_id, id);
CREATE INDEX plans_by_state ON plans (tenant_id, state, id);

CREATE TABLE actions (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL,
  plan_id BYTEA NOT NULL, place BIGINT NOT NULL, capability TEXT COLLATE "C" NOT NULL, target_id BYTEA NOT NULL, state TEXT COLLATE "C" NOT NULL, state_key TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT, simulated BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX actions_by_plan ON actions (tenant_id, plan_id, place);
CREATE INDEX actions_by_state ON actions (tenant_id, state, id);

CREATE TABLE action_journal (
  tenant_id BYTEA NOT NULL, action_id BYTEA NOT NULL, step BIGINT NOT NULL, at BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, action_id, step)
);

-- Live actions that want a state on a target; the state before the first of them is the baseline.
CREATE TABLE owners (
  tenant_id BYTEA NOT NULL, state_key TEXT COLLATE "C" NOT NULL, action_id BYTEA NOT NULL, expires_at BIGINT,
  PRIMARY KEY (tenant_id, state_key, action_id)
);
CREATE TABLE baselines (
  tenant_id BYTEA NOT NULL, state_key TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, state_key)
);

CREATE TABLE dead_letters (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, at BIGINT NOT NULL, source TEXT COLLATE "C" NOT NULL, stage TEXT COLLATE "C" NOT NULL, code TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

-- Small facts: the automation switch, the demo's replay, offsets of tailed files.
CREATE TABLE facts (
  tenant_id BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, value TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, name)
);

-- Bookkeeping, no domain change: places of consumers and counts of events.
CREATE TABLE offsets (
  tenant_id BYTEA NOT NULL, consumer TEXT COLLATE "C" NOT NULL, place BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, consumer)
);
CREATE TABLE counters (
  tenant_id BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, value BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, name)
);
CREATE TABLE source_stats (
  tenant_id BYTEA NOT NULL, source TEXT COLLATE "C" NOT NULL, events BIGINT NOT NULL, last_event_at BIGINT NOT NULL, last_ingested_at BIGINT NOT NULL, skew_us BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, source)
);
CREATE TABLE event_minutes (
  tenant_id BYTEA NOT NULL, minute BIGINT NOT NULL, events BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, minute)
);

CREATE TABLE ledger_entries (
  tenant_id BYTEA NOT NULL, seq BIGINT NOT NULL, time BIGINT NOT NULL, kind TEXT COLLATE "C" NOT NULL, subjects TEXT COLLATE "C" NOT NULL, leaf BYTEA NOT NULL, hash BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX ledger_entries_by_kind ON ledger_entries (tenant_id, kind, seq);
CREATE TABLE ledger_subjects (
  tenant_id BYTEA NOT NULL, subject TEXT COLLATE "C" NOT NULL, seq BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, subject, seq)
);
CREATE TABLE ledger_heads (
  tenant_id BYTEA PRIMARY KEY, size BIGINT NOT NULL, root BYTEA NOT NULL, frontier BYTEA NOT NULL
);

-- What commits changed, for the other nodes; kept for some minutes.
CREATE UNLOGGED TABLE changes (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  node TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, tenant BYTEA NOT NULL,
  kind TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, seq BIGINT NOT NULL
);
-- Every process that serves, each with its own files of checkpoints.
CREATE TABLE nodes (node TEXT COLLATE "C" PRIMARY KEY, seen_at BIGINT NOT NULL);
