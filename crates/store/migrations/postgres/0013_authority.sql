-- Moves with every change of who may do what, in the same transaction: what a node remembers of a credential holds as long
-- as this number. Notes of use do not move it. It moves at the commit, so that nobody waits with it in hand.
CREATE TABLE authority (one BIGINT PRIMARY KEY CHECK (one=1), epoch BIGINT NOT NULL);
CREATE FUNCTION authority_moves() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO authority VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET epoch=authority.epoch+1;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER authority_of_principals AFTER DELETE OR UPDATE OF hash, kind, id, principal, tenant, label, source, facts, strong, verified_at, expires_at, revoked_at, idle_us ON principal_index
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
CREATE CONSTRAINT TRIGGER authority_of_users AFTER DELETE OR UPDATE OF id, name, disabled_at ON users
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
CREATE CONSTRAINT TRIGGER authority_of_tenants AFTER DELETE OR UPDATE OF tenant, slug, state, parent, second_factor, session_idle_us ON tenants
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
CREATE CONSTRAINT TRIGGER authority_of_members AFTER INSERT OR DELETE OR UPDATE OF principal, tenant, role, disabled_at ON memberships
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
CREATE CONSTRAINT TRIGGER authority_of_grants AFTER INSERT OR DELETE OR UPDATE ON grants
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION authority_moves();
