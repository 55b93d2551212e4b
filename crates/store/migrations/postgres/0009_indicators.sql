-- Lists of indicators. `revision` is the import whose blocks are in use; blocks of another one are not yet, or no more.
CREATE TABLE indicator_lists (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, allow BIGINT NOT NULL, revision BIGINT NOT NULL, staged BIGINT NOT NULL,
  entries BIGINT NOT NULL, refused BIGINT NOT NULL, imported_at BIGINT, created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, version BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
-- Entries, up to 256 KiB of them a row.
CREATE TABLE indicator_blocks (
  tenant_id BYTEA NOT NULL, list_id BYTEA NOT NULL, id BYTEA NOT NULL, revision BIGINT NOT NULL, entries BIGINT NOT NULL,
  body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, list_id, id)
);
-- What was seen of what is listed: a row a list, indicator and entity. `fingerprint` is that of its alerts.
CREATE TABLE indicator_hits (
  tenant_id BYTEA NOT NULL, id BYTEA NOT NULL, list_id TEXT COLLATE "C" NOT NULL, fingerprint BYTEA NOT NULL, allowed BIGINT NOT NULL,
  first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL, count BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX indicator_hits_by_time ON indicator_hits (tenant_id, last_seen, id);
CREATE INDEX indicator_hits_by_fingerprint ON indicator_hits (tenant_id, fingerprint);
