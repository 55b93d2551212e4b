-- What the correlations of a tenant remember, committed with the place of their consumer. Bucket -1 has the log of each
-- step; the others have a part of the groups each, as it was after a step.
CREATE TABLE correlation_states (
  tenant_id BYTEA NOT NULL, bucket BIGINT NOT NULL, step BIGINT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (tenant_id, bucket, step)
);
