-- Who does what only one process may do at a time; the epoch grows with every new holder.
CREATE TABLE leases (
  name TEXT COLLATE "C" PRIMARY KEY, holder TEXT COLLATE "C" NOT NULL, epoch BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
