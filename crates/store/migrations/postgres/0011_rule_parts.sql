-- What a tenant's rules are compiled with: lists of values for placeholders, and processing pipelines. `head` is the newest
-- version, `live` the one in use; `bytes` is the size of the newest text.
CREATE TABLE rule_parts (
  tenant_id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, head BIGINT NOT NULL, live BIGINT, bytes BIGINT NOT NULL,
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, kind, name)
);
CREATE TABLE rule_part_versions (
  tenant_id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, kind, name, number)
);

-- How many alerts of a rule a tenant wants in a time.
CREATE TABLE rule_throttles (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
);
-- Alerts that count against it, by a hash of what they are counted for; `withheld` are the matches that were counted on one.
CREATE TABLE throttle_slots (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, subject BYTEA NOT NULL, at BIGINT NOT NULL, alert_id BYTEA NOT NULL, withheld BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, subject, at, alert_id)
);
ALTER TABLE rule_days ADD COLUMN throttled BIGINT NOT NULL DEFAULT 0;
