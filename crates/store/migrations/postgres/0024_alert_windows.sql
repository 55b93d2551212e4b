-- The alerts of a fingerprint are asked for by the start of their window, which never changes, at both ends.
CREATE INDEX alerts_by_window ON alerts (tenant_id, fingerprint, window_start);
DROP INDEX alerts_by_fingerprint;
