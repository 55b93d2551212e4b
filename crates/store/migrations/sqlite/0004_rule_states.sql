-- One compiled set of rules serves every tenant; this is how a tenant differs. A rule without a row is enabled.
-- `body` is why, and the name of who said so.
CREATE TABLE rule_states (
  tenant_id BLOB NOT NULL, rule_id TEXT NOT NULL, enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)), at INTEGER NOT NULL,
  actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, rule_id)
) STRICT, WITHOUT ROWID;
