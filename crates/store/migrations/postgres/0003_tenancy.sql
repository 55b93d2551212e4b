-- Tenants, people, roles, keys: installation tables have the column `tenant`, tenant tables begin with `tenant_id`.
ALTER TABLE tenants ADD COLUMN state TEXT COLLATE "C" NOT NULL DEFAULT 'active'
  CHECK (state IN ('active', 'suspended', 'locked', 'deleting', 'deleted'));
ALTER TABLE tenants ADD COLUMN parent BYTEA;
ALTER TABLE tenants ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN state_changed_at BIGINT;
ALTER TABLE tenants ADD COLUMN delete_after BIGINT;
-- Mirrors the tenant's settings, because it is read before a scope exists.
ALTER TABLE tenants ADD COLUMN second_factor BIGINT NOT NULL DEFAULT 0;
CREATE INDEX tenants_by_parent ON tenants (parent, tenant);

ALTER TABLE users ADD COLUMN display TEXT COLLATE "C";

ALTER TABLE memberships ADD COLUMN disabled_at BIGINT;
ALTER TABLE memberships ADD COLUMN created_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN last_used_at BIGINT;
ALTER TABLE memberships ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
CREATE INDEX memberships_by_tenant ON memberships (tenant, principal);
UPDATE memberships SET created_at=COALESCE((SELECT u.created_at FROM users u WHERE u.id=memberships.principal), 0);
-- Until now there was one tenant, and who was disabled was disabled in it. The person stays disabled as well.
UPDATE memberships SET disabled_at=(SELECT u.disabled_at FROM users u WHERE u.id=memberships.principal);
-- Whoever administered the one tenant administered the installation: its members are the operators.
INSERT INTO memberships (principal, tenant, role, created_at)
  SELECT m.principal, decode('00000000000000000000000000000000', 'hex'), 'operator', m.created_at FROM memberships m
  WHERE m.role='admin' AND m.tenant=(SELECT t.tenant FROM tenants t ORDER BY t.created_at, t.tenant LIMIT 1);

-- `label`, `source` and `facts` are copies of what the tenant's own row says: a credential is looked up in one read,
-- before there is a scope. `facts` is what a key may do, as JSON.
CREATE TABLE principals (
  hash BYTEA PRIMARY KEY CHECK (length(hash) = 32),
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('session', 'personal', 'ingest', 'admin_link', 'key')),
  id BYTEA NOT NULL CHECK (length(id) = 16),
  principal BYTEA,
  tenant BYTEA NOT NULL,
  label TEXT COLLATE "C" NOT NULL DEFAULT '',
  source TEXT COLLATE "C",
  facts TEXT COLLATE "C",
  client_addr TEXT COLLATE "C",
  user_agent TEXT COLLATE "C",
  strong BIGINT NOT NULL DEFAULT 0,
  verified_at BIGINT,
  idle_us BIGINT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
-- Row-level security holds the owner as well, who would see no tokens. It is set again after the migrations.
ALTER TABLE tokens NO FORCE ROW LEVEL SECURITY;
INSERT INTO principals (hash, kind, id, principal, tenant, label, source, client_addr, created_at, expires_at, revoked_at, last_used_at)
  SELECT p.hash, p.kind, p.id, p.principal, p.tenant, COALESCE(t.name, ''), t.source, p.client_addr, p.created_at, p.expires_at,
    p.revoked_at, p.last_used_at
  FROM principal_index p LEFT JOIN tokens t ON t.tenant_id=p.tenant AND t.id=p.id;
DROP TABLE principal_index;
ALTER TABLE principals RENAME TO principal_index;
CREATE INDEX principal_index_by_id ON principal_index (id);
CREATE INDEX principal_index_by_tenant ON principal_index (tenant, kind, id);
CREATE INDEX principal_index_by_principal ON principal_index (principal, kind, id);

-- People's secrets are sealed by the installation's data key.
CREATE TABLE second_factors (
  principal BYTEA NOT NULL, id BYTEA NOT NULL CHECK (length(id) = 16),
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('totp', 'passkey')), name TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  created_at BIGINT NOT NULL, last_used_at BIGINT, last_step BIGINT,
  PRIMARY KEY (principal, id)
);
CREATE TABLE recovery_codes (
  principal BYTEA NOT NULL, hash BYTEA NOT NULL, used_at BIGINT,
  PRIMARY KEY (principal, hash)
);
-- Half-done sign-ins and passkey ceremonies; each is spent once.
CREATE TABLE ceremonies (
  hash BYTEA PRIMARY KEY CHECK (length(hash) = 32), kind TEXT COLLATE "C" NOT NULL, principal BYTEA, body BYTEA NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

CREATE TABLE invitations (
  id BYTEA PRIMARY KEY CHECK (length(id) = 16), hash BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
  kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('invite', 'reset')), tenant BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, role TEXT COLLATE "C" NOT NULL, principal BYTEA,
  invited_by TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, spent_at BIGINT, revoked_at BIGINT
);
CREATE INDEX invitations_by_tenant ON invitations (tenant, id);

-- A child tenant lets its parent in, for a time. The reason is sealed by the installation's data key.
CREATE TABLE grants (
  id BYTEA PRIMARY KEY CHECK (length(id) = 16), tenant BYTEA NOT NULL, grantee BYTEA NOT NULL, role TEXT COLLATE "C" NOT NULL, reason BYTEA NOT NULL,
  granted_by TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, revoked_at BIGINT
);
CREATE INDEX grants_by_tenant ON grants (tenant, id);
CREATE INDEX grants_by_grantee ON grants (grantee, id);

-- Entries that a tenant's own ledger is still owed for what the installation did to it.
CREATE TABLE notices (
  id BYTEA PRIMARY KEY CHECK (length(id) = 16), tenant BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL, at BIGINT NOT NULL
);

CREATE TABLE roles (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, permissions TEXT COLLATE "C" NOT NULL, environments TEXT COLLATE "C",
  created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name)
);

-- The hashes of its secrets are in principal_index, kind `key`.
CREATE TABLE api_keys (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, name TEXT COLLATE "C" NOT NULL, permissions TEXT COLLATE "C" NOT NULL, routes TEXT COLLATE "C" NOT NULL,
  addresses TEXT COLLATE "C" NOT NULL, rate_per_s BIGINT, created_by TEXT COLLATE "C" NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT,
  revoked_at BIGINT, version BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, id)
);

-- Every version is kept; the highest is in force.
CREATE TABLE tenant_settings (
  tenant_id BYTEA NOT NULL, version BIGINT NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, version)
);

-- Bookkeeping: answers kept for a day, so that a repeated request does nothing twice.
CREATE TABLE idempotency (
  tenant_id BYTEA NOT NULL, principal BYTEA NOT NULL, operation TEXT COLLATE "C" NOT NULL, request_key TEXT COLLATE "C" NOT NULL, body_hash BYTEA NOT NULL,
  state TEXT COLLATE "C" NOT NULL CHECK (state IN ('in_flight', 'done')), status BIGINT, answer BYTEA, at BIGINT NOT NULL,
  PRIMARY KEY (tenant_id, principal, operation, request_key)
);
CREATE INDEX idempotency_by_time ON idempotency (tenant_id, at);

CREATE TABLE jobs (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, kind TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  total BIGINT NOT NULL, done BIGINT NOT NULL, failed BIGINT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL,
  actor TEXT COLLATE "C" NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX jobs_by_state ON jobs (tenant_id, state, id);
