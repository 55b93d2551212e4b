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
    if change.disabled == Some(true) {
        keep_the_operator(&mut tx, rights, user).await?;
    }
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

/// Refuses to end the last way in of whoever runs the installation, but to another who runs it: a tenant's administrators
/// decide about their tenant, and not about who makes and unlocks tenants.
async fn keep_the_operator(tx: &mut Tx, rights: &Rights, user: UserId) -> Result<(), IdentityError> {
    let person = tx.scope().store().clone().get_person(user).await?.ok_or(StoreError::NotFound)?;
    let another = rights.is_operator() && tx.scope().actor().id != user.to_string();
    if !person.operator || another {
        return Ok(());
    }
    memberships::hold(tx, user).await?;
    if memberships::has_another_home(tx, user).await? {
        return Ok(());
    }
    let why =
        "this person runs the installation and can sign in to no other tenant: another operator of it can do this";
    Err(IdentityError::Conflict(why.to_owned()))
}

/// Ends a membership; the person goes with the last one.
pub async fn remove_membership(scope: &TenantScope, rights: &Rights, user: UserId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let known = people::user(&mut tx, user).await?.ok_or(StoreError::NotFound)?;
    not_above(&mut tx, rights, &known.role).await?;
    keep_the_operator(&mut tx, rights, user).await?;
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
    let since_boot = door.store.clock().boot();
    door.backoff.attempt(&person.name, from.addr(), since_boot).map_err(IdentityError::Wait)?;
    if !runs::verify(change.current, person.password_hash.clone()).await? {
        return Err(IdentityError::WrongCredentials);
    }
    door.backoff.succeeded(&person.name, from.addr(), since_boot);
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
    if person.operator || elsewhere { Err(not_alone()) } else { Ok(known) }
}

fn not_alone() -> IdentityError {
    let why = "this person's credentials are not this tenant's alone: the operator of the installation can do it";
    IdentityError::Conflict(why.to_owned())
}

/// The same once more, under the lock on the person: they may have become a member elsewhere meanwhile.
pub(crate) async fn may_reset_still(tx: &mut Tx, rights: &Rights, user: UserId) -> Result<(), IdentityError> {
    memberships::hold(tx, user).await?;
    if rights.is_operator() || memberships::is_sole(tx, user).await? { Ok(()) } else { Err(not_alone()) }
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
    may_reset_still(&mut tx, rights, user).await?;
    factors::remove_all(&mut tx, user).await?;
    tx.commit(now).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use shieldops_model::{FixedClock, TenantId, Timestamp};
    use shieldops_store::{
        Job, Options, RoleRef, Store,
        tenants::{self, NewTenant},
    };

    use super::*;

    #[tokio::test]
    async fn who_became_a_member_elsewhere_meanwhile_is_not_reset() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { data_dir: dir.path().to_owned(), ..Options::default() };
        let clock = FixedClock::at(Timestamp::from_secs(1_790_000_000));
        let store = Store::open(&options, Arc::new(clock)).await.unwrap();
        let (now, rights) = (store.clock().now(), Rights::built_in("admin"));
        let scope = store.job(store.first().await.unwrap().id, Job::Cli).unwrap();
        let eve = create(&scope, &Rights::of_host(), "eve", "viewer", None).await.unwrap().id;
        may_reset_still(&mut scope.begin().await.unwrap(), &rights, eve).await.unwrap();
        let mut tx = store.job(TenantId::INSTALLATION, Job::Cli).unwrap().begin().await.unwrap();
        let new = NewTenant { slug: "beta".into(), name: "Beta".into(), parent: None, demo: false };
        let beta = tenants::create(&mut tx, &new, now).await.unwrap();
        tx.commit(now).await.unwrap();
        let mut tx = store.job(beta.id, Job::Cli).unwrap().begin().await.unwrap();
        memberships::add(&mut tx, eve, &RoleRef::parse("viewer"), now).await.unwrap();
        tx.commit(now).await.unwrap();
        let late = may_reset_still(&mut scope.begin().await.unwrap(), &rights, eve).await;
        assert!(matches!(late, Err(IdentityError::Conflict(_))), "{late:?}");
        may_reset_still(&mut scope.begin().await.unwrap(), &Rights::of_host(), eve).await.unwrap();
    }
}
