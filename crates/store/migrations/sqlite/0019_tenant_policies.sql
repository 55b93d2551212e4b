-- A tenant's own policies, in versions: files and their tests. `hash` is of the files alone.
CREATE TABLE policy_versions (
  tenant_id BLOB NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, hash TEXT NOT NULL, body BLOB NOT NULL,
  files BLOB NOT NULL,
  PRIMARY KEY (tenant_id, number)
) STRICT, WITHOUT ROWID;
-- Each time that a version came into force. The last one holds; version 0 is none of the tenant's own.
CREATE TABLE policy_activations (
  tenant_id BLOB NOT NULL, sequence INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_activations_by_version ON policy_activations (tenant_id, number, sequence);

-- What policy was asked, and what it said: to ask other policies the same. Written with the decision, forgotten after a time.
CREATE TABLE policy_inputs (
  tenant_id BLOB NOT NULL, plan_id BLOB NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, plan_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_inputs_by_time ON policy_inputs (tenant_id, at, plan_id, number);

-- What other policies would have decided. `hash` is of the policies that were tried.
CREATE TABLE policy_replays (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, number INTEGER NOT NULL, hash TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL,
  state TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX policy_replays_by_hash ON policy_replays (tenant_id, hash, id);
