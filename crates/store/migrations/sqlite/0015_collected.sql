-- What an action read from its target to be kept. The bytes are sealed; their hash is in the ledger too.
CREATE TABLE collected (
  tenant_id BLOB NOT NULL, action_id BLOB NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, sha256 BLOB NOT NULL,
  head BLOB NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, action_id, number)
) STRICT, WITHOUT ROWID;
