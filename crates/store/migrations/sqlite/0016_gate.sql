-- Settings of the gate, in versions. A version is a draft until it is activated; of those that were, the one with the greatest
-- `activation` is in force.
CREATE TABLE gate_settings (
  tenant_id BLOB NOT NULL, number INTEGER NOT NULL, activation INTEGER, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX gate_settings_in_force ON gate_settings (tenant_id, activation);

-- Changes that take two people: `subject` is what would change, by which a second change of the same is found.
CREATE TABLE gate_changes (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_changes_by_state ON gate_changes (tenant_id, state, id);

-- How far automation may go. Empty text: the tenant as a whole.
CREATE TABLE autonomy_levels (
  tenant_id BLOB NOT NULL, environment TEXT NOT NULL, capability TEXT NOT NULL, level INTEGER NOT NULL, at INTEGER NOT NULL,
  actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, environment, capability)
) STRICT, WITHOUT ROWID;
-- What the system lowered by itself. An empty target: all of them.
CREATE TABLE autonomy_lowered (
  tenant_id BLOB NOT NULL, capability TEXT NOT NULL, target_id BLOB NOT NULL, level INTEGER NOT NULL, at INTEGER NOT NULL,
  until INTEGER, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, capability, target_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE standing_grants (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, capability TEXT NOT NULL, environment TEXT NOT NULL, at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, revoked_at INTEGER, actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX standing_grants_by_end ON standing_grants (tenant_id, expires_at);

-- Actions as they begin, for what may be done in a time.
CREATE TABLE gate_uses (
  tenant_id BLOB NOT NULL, action_id BLOB NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, action_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX gate_uses_by_time ON gate_uses (tenant_id, at, action_id);
-- When a person last undid what an action had done to a state.
CREATE TABLE gate_undone (
  tenant_id BLOB NOT NULL, state_key TEXT NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL,
  PRIMARY KEY (tenant_id, state_key)
) STRICT, WITHOUT ROWID;
-- How a capability did on a target lately.
CREATE INDEX actions_by_capability ON actions (tenant_id, capability, target_id, id);
