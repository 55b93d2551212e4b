//! Grants: a tenant lets the people of its parent in, with a role and until a day. Who is here by a grant gives none.

use std::time::Duration;

use shieldops_model::{GrantId, Timestamp, id};
use shieldops_store::{
    Principal, TenantScope,
    grants::{self, Grant},
};

use crate::{IdentityError, decide::Rights, names, roles};

/// How long a grant lasts at most.
pub const LONGEST_GRANT: Duration = Duration::from_hours(90 * 24);

/// A grant as somebody wants it.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// What they may do here: a built-in role, or the id of one of this tenant's own.
    pub role: String,
    pub reason: String,
    /// At most 90 days ahead.
    pub expires_at: Timestamp,
}

/// Lets the parent tenant's administrators and operators in.
///
/// # Errors
/// `WiderThanOwn` for a role wider than the caller's and for a caller who is here by a grant.
pub async fn create(
    scope: &TenantScope,
    rights: &Rights,
    principal: &Principal,
    wanted: NewGrant,
) -> Result<Grant, IdentityError> {
    if principal.via_grant.is_some() {
        return Err(IdentityError::WiderThanOwn("who is here by a grant gives no grants".to_owned()));
    }
    let now = scope.store().clock().now();
    if wanted.expires_at <= now || wanted.expires_at > now.plus(LONGEST_GRANT) {
        return Err(IdentityError::Invalid("expires_at is ahead, and at most 90 days".to_owned()));
    }
    let reason = names::label(&wanted.reason)?;
    let tenant = scope.store().get_tenant(scope.tenant()).await?;
    let grantee =
        tenant.parent.ok_or_else(|| IdentityError::Conflict("this tenant has no parent to let in".to_owned()))?;
    let mut tx = scope.begin().await?;
    let role = roles::assignable(&mut tx, rights, &wanted.role).await?;
    let grant = Grant {
        id: id::mint(now, &mut rand::rng()),
        tenant: tenant.id,
        grantee,
        role,
        reason,
        granted_by: scope.actor().id.clone(),
        created_at: now,
        expires_at: wanted.expires_at,
        revoked_at: None,
    };
    grants::create(&mut tx, &grant).await?;
    tx.commit(now).await?;
    scope.store().deliver_notices(now).await?;
    Ok(grant)
}

/// Ends a grant: it holds for nobody's next request.
pub async fn revoke(scope: &TenantScope, grant: GrantId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    grants::revoke(&mut tx, grant, now).await?;
    tx.commit(now).await?;
    scope.store().deliver_notices(now).await?;
    Ok(())
}
