-- Since when a tenant is being shredded: nothing is written into it any more, and the deletion is not called off.
ALTER TABLE tenants ADD COLUMN shredding_at BIGINT;
-- How long sessions of its people may rest; nothing where the tenant says nothing. The strictest of a person's tenants holds.
ALTER TABLE tenants ADD COLUMN session_idle_us BIGINT;
