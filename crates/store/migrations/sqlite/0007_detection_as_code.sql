-- Rules as code. How a tenant set a rule that it does not own: NULL is a row from before there were states, see `enabled`.
ALTER TABLE rule_states ADD COLUMN state TEXT;

-- Rules that a tenant owns. `head` is the newest version, `live` the one that runs.
CREATE TABLE own_rules (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, state TEXT NOT NULL,
  head INTEGER NOT NULL, live INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, actor TEXT NOT NULL,
  version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
) STRICT, WITHOUT ROWID;
-- `hash` is the version that alerts name. Text and samples are in `body`.
CREATE TABLE own_rule_versions (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, number INTEGER NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL,
  actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE exceptions (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
-- The id is that of the job.
CREATE TABLE backtests (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, rule_id TEXT NOT NULL, hash TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
  state TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX backtests_by_rule ON backtests (tenant_id, rule_id, id);

-- What rules in shadow found.
CREATE TABLE shadow_matches (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, event_id BLOB NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, event_id)
) STRICT, WITHOUT ROWID;
-- Matches of a rule that became no alert, by day since 1970.
CREATE TABLE rule_days (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, day INTEGER NOT NULL, shadow INTEGER NOT NULL, excepted INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, day)
) STRICT, WITHOUT ROWID;

-- Which events rules were run on, by source and minute; `rules` is the hash of the set that ran.
CREATE TABLE coverage_minutes (
  tenant_id BLOB NOT NULL, source TEXT NOT NULL, minute INTEGER NOT NULL, rules TEXT NOT NULL,
  evaluated INTEGER NOT NULL, late INTEGER NOT NULL, skipped INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, source, minute, rules)
) STRICT, WITHOUT ROWID;
CREATE INDEX coverage_by_minute ON coverage_minutes (tenant_id, minute);
CREATE TABLE rule_sets (
  tenant_id BLOB NOT NULL, hash TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, hash)
) STRICT, WITHOUT ROWID;
-- Log sources and fields that a source was seen to send.
CREATE TABLE source_fields (
  tenant_id BLOB NOT NULL, source TEXT NOT NULL, seen_at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, source)
) STRICT, WITHOUT ROWID;
