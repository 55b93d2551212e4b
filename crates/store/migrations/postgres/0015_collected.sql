-- What an action read from its target to be kept. The bytes are sealed; their hash is in the ledger too.
CREATE TABLE collected (
  tenant_id BYTEA NOT NULL, action_id BYTEA NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, size BIGINT NOT NULL, sha256 BYTEA NOT NULL,
  head BYTEA NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, action_id, number)
);
