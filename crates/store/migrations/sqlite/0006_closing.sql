-- Since when a tenant is being shredded: nothing is written into it any more, and the deletion is not called off.
ALTER TABLE tenants ADD COLUMN shredding_at INTEGER;
-- How long sessions of its people may rest; nothing where the tenant says nothing. The strictest of a person's tenants holds.
ALTER TABLE tenants ADD COLUMN session_idle_us INTEGER;
-- A personal token that was made without an end gets the one that it would be given now: 90 days.
UPDATE principal_index SET expires_at=created_at+7776000000000 WHERE kind='personal' AND expires_at IS NULL;
