-- What the person behind a session gave as proof the last time (when, `verified_at` says): `strong` told no code of an app
-- from a recovery code. A session of before that was given a second factor does not say which: it works on, and is asked
-- again before a vote on what is critical.
DROP TRIGGER authority_of_principals ON principal_index;
ALTER TABLE principal_index ADD COLUMN confirmed_with TEXT COLLATE "C" CHECK (confirmed_with IN ('password', 'totp', 'passkey', 'recovery_code', 'second_factor'));
UPDATE principal_index SET confirmed_with=CASE strong WHEN 1 THEN 'second_factor' ELSE 'password' END WHERE verified_at IS NOT NULL;
ALTER TABLE principal_index DROP COLUMN strong;
CREATE CONSTRAINT TRIGGER authority_of_principals AFTER DELETE OR UPDATE OF hash, kind, id, principal, tenant, label, source, facts, confirmed_with, verified_at, expires_at, revoked_at, idle_us ON principal_index
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
