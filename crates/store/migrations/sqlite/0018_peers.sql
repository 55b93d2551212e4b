-- When an address was last seen in an event: what a range reaches is counted from it. Sixteen bytes, IPv4 as ::ffff:a.b.c.d,
-- so that a range of addresses is a range of the key. Follows from the events.
CREATE TABLE peers_seen (
  tenant_id BLOB NOT NULL, address BLOB NOT NULL, last_seen INTEGER NOT NULL,
  PRIMARY KEY (tenant_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX peers_by_time ON peers_seen (tenant_id, last_seen, address);
-- Lists of actions by what they are on and by what they did.
CREATE INDEX actions_by_target ON actions (tenant_id, target_id, id);
CREATE INDEX actions_of_capability ON actions (tenant_id, capability, id);
