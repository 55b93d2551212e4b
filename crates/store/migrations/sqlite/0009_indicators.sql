-- Lists of indicators. `revision` is the import whose blocks are in use; blocks of another one are not yet, or no more.
CREATE TABLE indicator_lists (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, allow INTEGER NOT NULL, revision INTEGER NOT NULL, staged INTEGER NOT NULL,
  entries INTEGER NOT NULL, refused INTEGER NOT NULL, imported_at INTEGER, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, actor TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
-- Entries, up to 256 KiB of them a row.
CREATE TABLE indicator_blocks (
  tenant_id BLOB NOT NULL, list_id BLOB NOT NULL, id BLOB NOT NULL, revision INTEGER NOT NULL, entries INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, list_id, id)
) STRICT;
-- What was seen of what is listed: a row a list, indicator and entity. `fingerprint` is that of its alerts.
CREATE TABLE indicator_hits (
  tenant_id BLOB NOT NULL, id BLOB NOT NULL, list_id TEXT NOT NULL, fingerprint BLOB NOT NULL, allowed INTEGER NOT NULL,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX indicator_hits_by_time ON indicator_hits (tenant_id, last_seen, id);
CREATE INDEX indicator_hits_by_fingerprint ON indicator_hits (tenant_id, fingerprint);
