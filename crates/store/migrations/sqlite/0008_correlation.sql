-- What the correlations of a tenant remember, committed with the place of their consumer. Bucket -1 has the log of each
-- step; the others have a part of the groups each, as it was after a step.
CREATE TABLE correlation_states (
  tenant_id BLOB NOT NULL, bucket INTEGER NOT NULL, step INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (tenant_id, bucket, step)
) STRICT;
