//! Members of a tenant: made, changed, removed. A person and their credentials belong to the installation; what a tenant's
//! administrators decide is the membership. Links are in `links`.

use shieldops_model::{UserId, id};
use shieldops_store::{
    Principal, PrincipalKind, StoreError, TenantScope, Tx, factors, invitations, memberships,
    people::{self, Keep, User},
};

use crate::{
    Door, IdentityError, Origin,
    decide::{self, Rights},
    door::scope_of,
    hash_password, names, password,
    permission::Permission,
    roles::{self, assignable, not_above, taken},
    runs,
    sessions::of_session,
};

pub use crate::links::{
    INVITATION_FOR, RESET_FOR, accept, accept_signed_in, invitations, invite, reset, reset_link, revoke_invitation,
};

/// What is to become of a membership; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    pub role: Option<String>,
    pub disabled: Option<bool>,
    /// The version that the caller read.
    pub expected: Option<i64>,
}

/// The name in its one spelling, if no member has it or one that looks like it.
pub(crate) async fn fresh_name(tx: &mut Tx, name: &str) -> Result<String, IdentityError> {
    let name = names::login(name)?;
    let known = memberships::names(tx).await?;
    match names::alike(&name, known.iter().map(|(_, name)| name.as_str())) {
        Some(like) => Err(taken(&name, like)),
        None => Ok(name),
    }
}

/// Makes a person who signs in with a password, as a member of the tenant.
///
/// # Errors
/// `Confusable` for a name that looks like a member's, `WiderThanOwn`, `SeparationOfDuty`, `Password`.
pub async fn create(
    scope: &TenantScope,
    rights: &Rights,
    name: &str,
    role: &str,
    given: Option<String>,
) -> Result<User, IdentityError> {
    let name = names::login(name)?;
    let password_hash = match given {
        Some(given) => {
            password::check(&name, &given)?;
            Some(hash_password(given).await?)
        }
        None => None,
    };
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let name = fresh_name(&mut tx, &name).await?;
    let role = assignable(&mut tx, rights, role).await?;
    let id: UserId = id::mint(now, &mut rand::rng());
    let mut user = User::new(id, &name, &role, now);
    user.has_password = password_hash.is_some();
    people::create_user(&mut tx, &user, password_hash.as_deref()).await?;
    tx.record("user.created", &[&user.id], serde_json::json!({"name": user.name, "role": user.role}))?;
    tx.commit(now).await?;
    Ok(user)
}

/// Changes role and state of a member; both hold from the member's next request on.
///
/// # Errors
/// `WiderThanOwn` for a role, or a member, wider than the caller; the store's `LastAdministrator` and `Stale`.
pub async fn set_membership(
    scope: &TenantScope,
    rights: &Rights,
    user: UserId,
    change: Change,
) -> Result<User, IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = people::user(&mut tx, user).await?.ok_or(StoreError::NotFound)?;
    not_above(&mut tx, rights, &known.role).await?;
    let role = match &change.role {
        Some(role) => Some(assignable(&mut tx, rights, role).await?),
        None => None,
    };
    let changed = memberships::set(&mut tx, user, role.as_ref(), change.disabled, change.expected, now).await?;
    if changed.disabled || !invites(&mut tx, &changed.role).await? {
        invitations::end_of_maker(&mut tx, user, now).await?;
    }
    tx.commit(now).await?;
    Ok(changed)
}

async fn invites(tx: &mut Tx, role: &str) -> Result<bool, IdentityError> {
    match roles::find(tx, role).await {
        Ok(given) => Ok(given.holds.contains(Permission::UserWrite)),
        Err(IdentityError::UnknownRole(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Ends a membership; the person goes with the last one.
pub async fn remove_membership(scope: &TenantScope, rights: &Rights, user: UserId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = people::user(&mut tx, user).await?.ok_or(StoreError::NotFound)?;
    not_above(&mut tx, rights, &known.role).await?;
    invitations::end_of_maker(&mut tx, user, now).await?;
    memberships::remove(&mut tx, user, now).await?;
    tx.commit(now).await?;
    Ok(())
}

/// A new password of one's own.
pub struct PasswordChange {
    pub current: String,
    pub new: String,
    /// Personal tokens outlive it.
    pub keep_tokens: bool,
}

/// Sets a new password of one's own; every other session of the person ends, and every personal token unless they are kept.
///
/// # Errors
/// `WrongCredentials` for a wrong present password, `Password` for a weak new one.
pub async fn change_password(
    door: &Door<'_>,
    scope: &TenantScope,
    principal: &Principal,
    change: PasswordChange,
    from: &Origin,
) -> Result<(), IdentityError> {
    let (user, session) = of_session(principal)?;
    let person = door.store.get_person(user).await?.ok_or(StoreError::NotFound)?;
    password::check(&person.name, &change.new)?;
    let now = door.store.clock().now();
    door.backoff.attempt(&person.name, from.addr(), now).map_err(IdentityError::Wait)?;
    if !runs::verify(change.current, person.password_hash.clone()).await? {
        return Err(IdentityError::WrongCredentials);
    }
    door.backoff.succeeded(&person.name, from.addr(), now);
    let hash = hash_password(change.new).await?;
    let now = door.store.clock().now();
    // The session may look at a tenant by a grant: the entry belongs where the person is a member.
    let own = scope_of(door.store, principal.home, &person)?;
    let mut tx = if principal.via_grant.is_some() { own.begin().await? } else { scope.begin().await? };
    let keep = Keep { session: Some(session), tokens: change.keep_tokens };
    let ended = people::set_password(&mut tx, user, &hash, keep, now).await?;
    tx.record("password.changed", &[&user], serde_json::json!({"client_addr": from.addr, "tokens_ended": ended}))?;
    tx.commit(now).await?;
    Ok(())
}

/// Whether the caller may touch a member's credentials: only those of who is a member here alone and no wider than the
/// caller, or as the operator of the installation.
pub(crate) async fn may_reset(
    scope: &TenantScope,
    rights: &Rights,
    principal: &Principal,
    user: UserId,
) -> Result<User, IdentityError> {
    let store = scope.store();
    decide::require_recent(principal, store.clock().now())?;
    if principal.kind == PrincipalKind::Key {
        return Err(IdentityError::SessionRequired);
    }
    let mut access = scope.read().await?;
    let known = people::user(&mut access, user).await?.ok_or(StoreError::NotFound)?;
    let person = store.get_person(user).await?.ok_or(StoreError::NotFound)?;
    if rights.is_operator() {
        return Ok(known);
    }
    // The link or the missing factor would be a way in after the grant's end, as somebody else.
    if principal.via_grant.is_some() {
        let why = "who is here by a grant changes nobody's credentials: an administrator of the tenant or the operator of the installation can do it";
        return Err(IdentityError::Conflict(why.to_owned()));
    }
    not_above(&mut access, rights, &known.role).await?;
    let memberships = store.memberships_of(user, store.clock().now()).await?;
    let elsewhere = memberships.iter().any(|one| one.via_grant.is_none() && one.tenant.id != scope.tenant());
    if person.operator || elsewhere {
        let why = "this person's credentials are not this tenant's alone: the operator of the installation can do it";
        return Err(IdentityError::Conflict(why.to_owned()));
    }
    Ok(known)
}

/// Removes every second factor of a member who lost theirs.
pub async fn remove_factors(
    scope: &TenantScope,
    rights: &Rights,
    principal: &Principal,
    user: UserId,
) -> Result<(), IdentityError> {
    may_reset(scope, rights, principal, user).await?;
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    factors::remove_all(&mut tx, user).await?;
    tx.commit(now).await?;
    Ok(())
}
