-- Settings of the gate, in versions. A version is a draft until it is activated; of those that were, the one with the greatest
-- `activation` is in force.
CREATE TABLE gate_settings (
  tenant_id BYTEA NOT NULL, number BIGINT NOT NULL, activation BIGINT, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, number)
);
CREATE UNIQUE INDEX gate_settings_in_force ON gate_settings (tenant_id, activation);

-- Changes that take two people: `subject` is what would change, by which a second change of the same is found.
CREATE TABLE gate_changes (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, subject TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX gate_changes_by_state ON gate_changes (tenant_id, state, id);

-- How far automation may go. Empty text: the tenant as a whole.
CREATE TABLE autonomy_levels (
  tenant_id BYTEA NOT NULL, environment TEXT COLLATE "C" NOT NULL, capability TEXT COLLATE "C" NOT NULL, level BIGINT NOT NULL, at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, environment, capability)
);
-- What the system lowered by itself. An empty target: all of them.
CREATE TABLE autonomy_lowered (
  tenant_id BYTEA NOT NULL, capability TEXT COLLATE "C" NOT NULL, target_id BYTEA NOT NULL, level BIGINT NOT NULL, at BIGINT NOT NULL,
  until BIGINT, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, capability, target_id)
);

CREATE TABLE standing_grants (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, capability TEXT COLLATE "C" NOT NULL, environment TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL, revoked_at BIGINT, actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX standing_grants_by_end ON standing_grants (tenant_id, expires_at);

-- Actions as they begin, for what may be done in a time.
CREATE TABLE gate_uses (
  tenant_id BYTEA NOT NULL, action_id BYTEA NOT NULL, at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, action_id)
);
CREATE INDEX gate_uses_by_time ON gate_uses (tenant_id, at, action_id);
-- When a person last undid what an action had done to a state.
CREATE TABLE gate_undone (
  tenant_id BYTEA NOT NULL, state_key TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, state_key)
);
-- How a capability did on a target lately.
CREATE INDEX actions_by_capability ON actions (tenant_id, capability, target_id, id);
