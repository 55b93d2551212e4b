-- Rules as code. How a tenant set a rule that it does not own: NULL is a row from before there were states, see `enabled`.
ALTER TABLE rule_states ADD COLUMN state TEXT COLLATE "C";

-- Rules that a tenant owns. `head` is the newest version, `live` the one that runs.
CREATE TABLE own_rules (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL,
  head BIGINT NOT NULL, live BIGINT, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL,
  version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
);
-- `hash` is the version that alerts name. Text and samples are in `body`.
CREATE TABLE own_rule_versions (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, number BIGINT NOT NULL, hash TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, number)
);
CREATE TABLE exceptions (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
-- The id is that of the job.
CREATE TABLE backtests (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, hash TEXT COLLATE "C" NOT NULL, since BIGINT NOT NULL, until BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX backtests_by_rule ON backtests (tenant_id, rule_id, id);

-- What rules in shadow found.
CREATE TABLE shadow_matches (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, event_id BYTEA NOT NULL, hash TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, source TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, event_id)
);
-- Matches of a rule that became no alert, by day since 1970.
CREATE TABLE rule_days (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, day BIGINT NOT NULL, shadow BIGINT NOT NULL, excepted BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, rule_id, day)
);

-- Which events rules were run on, by source and minute; `rules` is the hash of the set that ran.
CREATE TABLE coverage_minutes (
  tenant_id BYTEA NOT NULL, source TEXT COLLATE "C" NOT NULL, minute BIGINT NOT NULL, rules TEXT COLLATE "C" NOT NULL,
  evaluated BIGINT NOT NULL, late BIGINT NOT NULL, skipped BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, source, minute, rules)
);
CREATE INDEX coverage_by_minute ON coverage_minutes (tenant_id, minute);
CREATE TABLE rule_sets (
  tenant_id BYTEA NOT NULL, hash TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, hash)
);
-- Log sources and fields that a source was seen to send.
CREATE TABLE source_fields (
  tenant_id BYTEA NOT NULL, source TEXT COLLATE "C" NOT NULL, seen_at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, source)
);
