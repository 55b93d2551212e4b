-- Keys, ingest tokens and links that were made through a grant, and which: they end with it.
ALTER TABLE principal_index ADD COLUMN by_grant BLOB;
CREATE INDEX principal_index_by_grant ON principal_index (by_grant) WHERE by_grant IS NOT NULL;
ALTER TABLE invitations ADD COLUMN by_grant BLOB;
CREATE INDEX invitations_by_grant ON invitations (by_grant) WHERE by_grant IS NOT NULL;
-- The state that a locked tenant had: it has it again when it is unlocked.
ALTER TABLE tenants ADD COLUMN before_lock TEXT;
