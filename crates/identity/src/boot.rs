//! The first administrator, and what can be done offline by whoever has the data directory. Whoever spends the admin link
//! is the operator of the installation and the administrator of the first tenant.

use std::time::Duration;

use shieldops_model::{ConfirmedWith, SessionId, TenantId, UserId, id};
use shieldops_store::{
    Job, Store, StoreError, TenantScope, factors,
    people::{self, Keep, NewCredential, Person, User},
};

use crate::{
    CredentialKind, Door, IdentityError, Origin, Secret,
    decide::Rights,
    door::scope_of,
    hash_password, names, password,
    people::create,
    permission, secret,
    sessions::{self, SignedIn},
};

/// How long an admin link can be spent.
pub const ADMIN_LINK_FOR: Duration = Duration::from_mins(30);

/// Makes the admin link of this start, unless an administrator has a password already.
pub async fn admin_link(store: &Store, tenant: TenantId) -> Result<Option<Secret>, IdentityError> {
    if store.has_administrator(tenant).await? {
        return Ok(None);
    }
    let now = store.clock().now();
    let secret = Secret::mint(CredentialKind::AdminLink, &mut rand::rng());
    let id: SessionId = id::mint(now, &mut rand::rng());
    let mut tx = store.job(tenant, Job::Server)?.begin().await?;
    let credential =
        NewCredential { hash: secret.hash, expires_at: Some(now.plus(ADMIN_LINK_FOR)), ..NewCredential::default() };
    people::create_admin_link(&mut tx, id, &credential, now).await?;
    tx.record("admin_link.made", &[&id], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(Some(secret))
}

/// The built-in administrator of a tenant, made when it is not there. It has no password until the admin link is spent.
pub async fn ensure_admin(store: &Store, tenant: TenantId) -> Result<User, IdentityError> {
    admin_of(store, tenant, Job::Cli).await
}

async fn admin_of(store: &Store, tenant: TenantId, job: Job) -> Result<User, IdentityError> {
    if let Some((user, _)) = store.find_login(tenant, permission::ADMIN).await? {
        return Ok(user);
    }
    let scope = store.job(tenant, job)?;
    match create(&scope, &Rights::of_host(), permission::ADMIN, permission::ADMIN, None).await {
        Ok(user) => Ok(user),
        // Another process was quicker.
        Err(IdentityError::Store(StoreError::AlreadyExists { .. })) => {
            let known = store.find_login(tenant, permission::ADMIN).await?;
            known.map(|(user, _)| user).ok_or(IdentityError::Store(StoreError::NotFound))
        }
        Err(error) => Err(error),
    }
}

/// Makes a person an operator of the installation. Who is one already stays one, without an entry.
pub async fn make_operator(store: &Store, user: UserId) -> Result<(), IdentityError> {
    operator_by(&store.job(TenantId::INSTALLATION, Job::Cli)?, user).await
}

async fn operator_by(installation: &TenantScope, user: UserId) -> Result<(), IdentityError> {
    let store = installation.store();
    let person = store.get_person(user).await?.ok_or(StoreError::NotFound)?;
    if person.operator {
        return Ok(());
    }
    let now = store.clock().now();
    let mut tx = installation.begin().await?;
    match people::set_operator(&mut tx, user, true, now).await {
        // Another process was quicker.
        Err(StoreError::AlreadyExists { .. }) => return Ok(()),
        done => done?,
    }
    let body = serde_json::json!({"name": person.name, "before": {"operator": false}, "after": {"operator": true}});
    tx.record("operator.made", &[&user], body)?;
    tx.commit(now).await?;
    Ok(())
}

/// Spends the admin link: sets the administrator's password and opens a session. The link is dead once an administrator
/// has a password, however that came about.
pub async fn claim(door: &Door<'_>, link: &str, given: String, from: &Origin) -> Result<SignedIn, IdentityError> {
    let store = door.store;
    let tenant = store.first().await?;
    let Some((CredentialKind::AdminLink, hash)) = secret::hash(link) else { return Err(IdentityError::LinkSpent) };
    // Asked before the hash is made, so that a made-up link costs nothing, and again when it is spent.
    if !store.admin_link_is_open(tenant.id, &hash, store.clock().now()).await? {
        return Err(IdentityError::LinkSpent);
    }
    let user = admin_of(store, tenant.id, Job::Server).await?;
    password::check(&user.name, &given)?;
    let password_hash = hash_password(given).await?;
    // Before the link is spent: a stop in between leaves a link that can be spent, and no installation without operator.
    operator_by(&store.newcomer_scope(TenantId::INSTALLATION, user.id, &user.name)?, user.id).await?;
    let person = store.get_person(user.id).await?.ok_or(StoreError::NotFound)?;
    let now = store.clock().now();
    let mut tx = scope_of(store, tenant.id, &person)?.begin().await?;
    if !people::spend_admin_link(&mut tx, &hash, now).await? {
        return Err(IdentityError::LinkSpent);
    }
    // The first password: a token that was made beside the server before it stays.
    people::set_password(&mut tx, user.id, &password_hash, Keep { tokens: true, ..Keep::default() }, now).await?;
    tx.record("admin_link.spent", &[&user.id], serde_json::json!({"client_addr": from.addr}))?;
    tx.commit(now).await?;
    sessions::open(door, &tenant, &person, from, ConfirmedWith::Password).await
}

/// Sets a person's password in the data directory itself: for an administrator whom nobody else can reset. Every session
/// of the person ends; with `drop_factors` their second factors go too.
///
/// # Errors
/// `NotFound` for a name that nobody has.
pub async fn reset_password(
    store: &Store,
    name: &str,
    given: String,
    drop_factors: bool,
) -> Result<Person, IdentityError> {
    let name = names::login(name)?;
    let person = store.find_person(&name).await?.ok_or(StoreError::NotFound)?;
    password::check(&person.name, &given)?;
    let hash = hash_password(given).await?;
    let now = store.clock().now();
    let memberships = store.memberships_of(person.id, now).await?;
    let own = memberships.iter().find(|one| one.via_grant.is_none()).map(|one| one.tenant.id);
    let mut tx = store.job(own.unwrap_or(TenantId::INSTALLATION), Job::Cli)?.begin().await?;
    let ended = people::set_password(&mut tx, person.id, &hash, Keep::default(), now).await?;
    if drop_factors {
        factors::remove_all(&mut tx, person.id).await?;
    }
    let body = serde_json::json!({"by": "command line", "second_factors_removed": drop_factors, "tokens_ended": ended});
    tx.record("password.changed", &[&person.id], body)?;
    tx.commit(now).await?;
    Ok(person)
}
