-- What a tenant's rules are compiled with: lists of values for placeholders, and processing pipelines. `head` is the newest
-- version, `live` the one in use; `bytes` is the size of the newest text.
CREATE TABLE rule_parts (
  tenant_id BLOB NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, head INTEGER NOT NULL, live INTEGER, bytes INTEGER NOT NULL,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rule_part_versions (
  tenant_id BLOB NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, kind, name, number)
) STRICT, WITHOUT ROWID;

-- How many alerts of a rule a tenant wants in a time.
CREATE TABLE rule_throttles (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
) STRICT, WITHOUT ROWID;
-- Alerts that count against it, by a hash of what they are counted for; `withheld` are the matches that were counted on one.
CREATE TABLE throttle_slots (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, subject BLOB NOT NULL, at INTEGER NOT NULL, alert_id BLOB NOT NULL, withheld INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, subject, at, alert_id)
) STRICT, WITHOUT ROWID;
ALTER TABLE rule_days ADD COLUMN throttled INTEGER NOT NULL DEFAULT 0;
