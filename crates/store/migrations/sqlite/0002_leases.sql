-- Who does what only one process may do at a time; the epoch grows with every new holder.
CREATE TABLE leases (
  name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_at INTEGER NOT NULL
) STRICT;
