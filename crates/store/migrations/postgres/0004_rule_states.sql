-- One compiled set of rules serves every tenant; this is how a tenant differs. A rule without a row is enabled.
-- `body` is why, and the name of who said so.
CREATE TABLE rule_states (
  tenant_id BYTEA NOT NULL, rule_id TEXT COLLATE "C" NOT NULL, enabled BIGINT NOT NULL CHECK (enabled IN (0, 1)), at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
);
