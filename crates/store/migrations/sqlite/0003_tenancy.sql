-- Tenants, people, roles, keys: installation tables have the column `tenant`, tenant tables begin with `tenant_id`.
ALTER TABLE tenants ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
  CHECK (state IN ('active', 'suspended', 'locked', 'deleting', 'deleted'));
ALTER TABLE tenants ADD COLUMN parent BLOB;
ALTER TABLE tenants ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tenants ADD COLUMN state_changed_at INTEGER;
ALTER TABLE tenants ADD COLUMN delete_after INTEGER;
-- Mirrors the tenant's settings, because it is read before a scope exists.
ALTER TABLE tenants ADD COLUMN second_factor INTEGER NOT NULL DEFAULT 0;
CREATE INDEX tenants_by_parent ON tenants (parent, tenant);

ALTER TABLE users ADD COLUMN display TEXT;

ALTER TABLE memberships ADD COLUMN disabled_at INTEGER;
ALTER TABLE memberships ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE memberships ADD COLUMN last_used_at INTEGER;
ALTER TABLE memberships ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE INDEX memberships_by_tenant ON memberships (tenant, principal);
UPDATE memberships SET created_at=COALESCE((SELECT u.created_at FROM users u WHERE u.id=memberships.principal), 0);
-- Until now there was one tenant, and who was disabled was disabled in it. The person stays disabled as well.
UPDATE memberships SET disabled_at=(SELECT u.disabled_at FROM users u WHERE u.id=memberships.principal);
-- Whoever administered the one tenant administered the installation: its members are the operators.
INSERT INTO memberships (principal, tenant, role, created_at)
  SELECT m.principal, zeroblob(16), 'operator', m.created_at FROM memberships m
  WHERE m.role='admin' AND m.tenant=(SELECT t.tenant FROM tenants t ORDER BY t.created_at, t.tenant LIMIT 1);

-- `label`, `source` and `facts` are copies of what the tenant's own row says: a credential is looked up in one read,
-- before there is a scope. `facts` is what a key may do, as JSON.
CREATE TABLE principals (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  kind TEXT NOT NULL CHECK (kind IN ('session', 'personal', 'ingest', 'admin_link', 'key')),
  id BLOB NOT NULL CHECK (length(id) = 16),
  principal BLOB,
  tenant BLOB NOT NULL,
  label TEXT NOT NULL DEFAULT '',
  source TEXT,
  facts TEXT,
  client_addr TEXT,
  user_agent TEXT,
  strong INTEGER NOT NULL DEFAULT 0,
  verified_at INTEGER,
  idle_us INTEGER,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER,
  last_used_at INTEGER
) STRICT;
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
  principal BLOB NOT NULL, id BLOB NOT NULL CHECK (length(id) = 16),
  kind TEXT NOT NULL CHECK (kind IN ('totp', 'passkey')), name TEXT NOT NULL, body BLOB NOT NULL,
  created_at INTEGER NOT NULL, last_used_at INTEGER, last_step INTEGER,
  PRIMARY KEY (principal, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE recovery_codes (
  principal BLOB NOT NULL, hash BLOB NOT NULL, used_at INTEGER,
  PRIMARY KEY (principal, hash)
) STRICT, WITHOUT ROWID;
-- Half-done sign-ins and passkey ceremonies; each is spent once.
CREATE TABLE ceremonies (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32), kind TEXT NOT NULL, principal BLOB, body BLOB NOT NULL, expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX ceremonies_by_expiry ON ceremonies (expires_at);

CREATE TABLE invitations (
  id BLOB PRIMARY KEY CHECK (length(id) = 16), hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  kind TEXT NOT NULL CHECK (kind IN ('invite', 'reset')), tenant BLOB NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, principal BLOB,
  invited_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, spent_at INTEGER, revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_by_tenant ON invitations (tenant, id);

-- A child tenant lets its parent in, for a time. The reason is sealed by the installation's data key.
CREATE TABLE grants (
  id BLOB PRIMARY KEY CHECK (length(id) = 16), tenant BLOB NOT NULL, grantee BLOB NOT NULL, role TEXT NOT NULL, reason BLOB NOT NULL,
  granted_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_tenant ON grants (tenant, id);
CREATE INDEX grants_by_grantee ON grants (grantee, id);

-- Entries that a tenant's own ledger is still owed for what the installation did to it.
CREATE TABLE notices (
  id BLOB PRIMARY KEY CHECK (length(id) = 16), tenant BLOB NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE roles (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, permissions TEXT NOT NULL, environments TEXT,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, version INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id), UNIQUE (tenant_id, name)
) STRICT, WITHOUT ROWID;

-- The hashes of its secrets are in principal_index, kind `key`.
CREATE TABLE api_keys (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, permissions TEXT NOT NULL, routes TEXT NOT NULL,
  addresses TEXT NOT NULL, rate_per_s INTEGER, created_by TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER,
  revoked_at INTEGER, version INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;

-- Every version is kept; the highest is in force.
CREATE TABLE tenant_settings (
  tenant_id BLOB NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL, actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, version)
) STRICT, WITHOUT ROWID;

-- Bookkeeping: answers kept for a day, so that a repeated request does nothing twice.
CREATE TABLE idempotency (
  tenant_id BLOB NOT NULL, principal BLOB NOT NULL, operation TEXT NOT NULL, request_key TEXT NOT NULL, body_hash BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('in_flight', 'done')), status INTEGER, answer BLOB, at INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, principal, operation, request_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (tenant_id, at);

CREATE TABLE jobs (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  total INTEGER NOT NULL, done INTEGER NOT NULL, failed INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  actor TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (tenant_id, state, id);
