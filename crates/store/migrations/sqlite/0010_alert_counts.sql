-- What an overview counts is read from indexes alone.
CREATE INDEX alerts_by_words ON alerts (tenant_id, status, severity, verdict);
CREATE INDEX alerts_by_first_seen ON alerts (tenant_id, first_seen, severity);
