-- A tenant's own policies, in versions: files and their tests. `hash` is of the files alone.
CREATE TABLE policy_versions (
  tenant_id BYTEA NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, hash TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  files BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
-- Each time that a version came into force. The last one holds; version 0 is none of the tenant's own.
CREATE TABLE policy_activations (
  tenant_id BYTEA NOT NULL, sequence BIGINT NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, sequence)
);
CREATE INDEX policy_activations_by_version ON policy_activations (tenant_id, number, sequence);

-- What policy was asked, and what it said: to ask other policies the same. Written with the decision, forgotten after a time.
CREATE TABLE policy_inputs (
  tenant_id BYTEA NOT NULL, plan_id BYTEA NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, plan_id, number)
);
CREATE INDEX policy_inputs_by_time ON policy_inputs (tenant_id, at, plan_id, number);

-- What other policies would have decided. `hash` is of the policies that were tried.
CREATE TABLE policy_replays (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, number BIGINT NOT NULL, hash TEXT COLLATE "C" NOT NULL, since BIGINT NOT NULL, until BIGINT NOT NULL,
  state TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX policy_replays_by_hash ON policy_replays (tenant_id, hash, id);
