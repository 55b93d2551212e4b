//! Whether a person may still do what they did: a vote, a grant and a wish hold no longer than the right to them. Read from
//! the membership of now, never from a session.

use shieldops_model::{Environment, UserId};
use shieldops_store::{RoleRef, TenantScope, roles};

use crate::{
    IdentityError,
    decide::{Rights, authorise},
    permission::{Permission, Permissions},
};

/// `environments` are those of the targets that it is about.
pub async fn may_still(
    scope: &TenantScope,
    user: UserId,
    permission: Permission,
    environments: &[Environment],
) -> Result<bool, IdentityError> {
    let store = scope.store();
    if store.get_person(user).await?.is_none_or(|person| person.disabled) {
        return Ok(false);
    }
    let memberships = store.memberships_of(user, store.clock().now()).await?;
    let here = memberships.into_iter().find(|one| one.tenant.id == scope.tenant() && !one.disabled);
    let Some(membership) = here else { return Ok(false) };
    let rights = match &membership.role {
        RoleRef::BuiltIn(name) => Rights::built_in(name),
        RoleRef::Custom(id) => {
            let Some(role) = roles::find(&mut scope.read().await?, *id).await? else { return Ok(false) };
            Rights::custom(&role.name, Permissions::known(&role.permissions), role.environments)
        }
    };
    Ok(authorise(&rights, permission, Some(environments)).allowed)
}
