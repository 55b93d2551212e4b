-- Moves with every change of who may do what, in the same transaction: what a node remembers of a credential holds as long
-- as this number. Notes of use do not move it.
CREATE TABLE authority (one INTEGER PRIMARY KEY CHECK (one=1), epoch INTEGER NOT NULL) STRICT;
CREATE TRIGGER authority_of_principals AFTER UPDATE OF hash, kind, id, principal, tenant, label, source, facts, strong, verified_at, expires_at, revoked_at, idle_us ON principal_index
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_gone_principals AFTER DELETE ON principal_index
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_users AFTER UPDATE OF id, name, disabled_at ON users
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_gone_users AFTER DELETE ON users
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_tenants AFTER UPDATE OF tenant, slug, state, parent, second_factor, session_idle_us ON tenants
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_gone_tenants AFTER DELETE ON tenants
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_members AFTER UPDATE OF principal, tenant, role, disabled_at ON memberships
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_new_members AFTER INSERT ON memberships
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_gone_members AFTER DELETE ON memberships
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_grants AFTER UPDATE ON grants
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_new_grants AFTER INSERT ON grants
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
CREATE TRIGGER authority_of_gone_grants AFTER DELETE ON grants
BEGIN INSERT INTO authority VALUES (1,1) ON CONFLICT (one) DO UPDATE SET epoch=epoch+1; END;
