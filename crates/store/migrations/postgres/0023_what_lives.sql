-- What lives is asked by what it owns and by its time, never by its place in the history.
CREATE INDEX owners_by_expiry ON owners (tenant_id, expires_at, action_id);
CREATE INDEX owners_by_action ON owners (tenant_id, action_id);
CREATE INDEX actions_by_change ON actions (tenant_id, updated_at, id);
CREATE INDEX plans_by_end ON plans (tenant_id, state, expires_at);
CREATE INDEX plans_by_undone ON plans (tenant_id, undo_of, state);
ALTER TABLE actions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE owners NO FORCE ROW LEVEL SECURITY;
ALTER TABLE baselines NO FORCE ROW LEVEL SECURITY;
-- What is done for good owns no state: nothing is left to be undone.
DELETE FROM owners WHERE EXISTS (SELECT 1 FROM actions a WHERE a.tenant_id=owners.tenant_id AND a.id=owners.action_id
  AND a.capability IN ('linux.kill_process', 'linux.end_sessions'));
DELETE FROM baselines WHERE NOT EXISTS (SELECT 1 FROM owners o WHERE o.tenant_id=baselines.tenant_id AND o.state_key=baselines.state_key);
ALTER TABLE actions FORCE ROW LEVEL SECURITY;
ALTER TABLE owners FORCE ROW LEVEL SECURITY;
ALTER TABLE baselines FORCE ROW LEVEL SECURITY;
-- Under which names, addresses and host keys targets stood that are not there any more, and how high: whoever registers such a
-- host again registers it no lower. `token` is a hash.
CREATE TABLE former_targets (
  tenant_id BYTEA NOT NULL, token TEXT COLLATE "C" NOT NULL, at BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, token)
);
