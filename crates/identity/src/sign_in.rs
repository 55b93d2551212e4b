//! From a credential to a principal: sign-in, admin link, tokens, users. Each is an entry in the ledger.

use std::time::Duration;

use shieldops_model::{SessionId, TenantId, Timestamp, TokenId, UserId, id};
use shieldops_store::{
    Actor, Job, Principal, Store, StoreError, TenantScope,
    people::{self, NewCredential, Token, User},
};

use crate::{
    Backoff, CredentialKind, Secret,
    password::{self, PasswordError},
    permission::ROLES,
    runs::{self, hash_password},
    secret,
};

/// How long a session lasts.
pub const SESSION_FOR: Duration = Duration::from_hours(12);
/// How long an admin link can be spent.
pub const ADMIN_LINK_FOR: Duration = Duration::from_mins(30);
/// The account that the admin link opens.
const ADMIN: &str = "admin";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("name or password is wrong")]
    WrongCredentials,
    #[error("too many sign-ins: wait {} s", .0.as_secs().max(1))]
    Wait(Duration),
    #[error("the admin link is spent or too old; restart the server for a new one")]
    LinkSpent,
    #[error("a user name has 1 to 64 letters, digits, dots, dashes, underscores or @")]
    InvalidName,
    #[error("there is no role `{0}`")]
    UnknownRole(String),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the worker was stopped")]
    Stopped,
}

/// A new session: its secret goes into the cookie.
pub struct SignedIn {
    pub session: SessionId,
    pub user: UserId,
    pub secret: Secret,
    pub expires_at: Timestamp,
}

/// Whom a bearer or cookie text stands for, now.
pub async fn authenticate(store: &Store, text: &str) -> Result<Option<Principal>, IdentityError> {
    let Some((kind, hash)) = secret::hash(text) else { return Ok(None) };
    if kind == CredentialKind::AdminLink {
        return Ok(None);
    }
    let now = store.clock().now();
    let found = store.authenticate(&hash, now).await?;
    if found.is_some() {
        // A note for the list of tokens: no reason to turn somebody away.
        drop(store.used(&hash, now).await);
    }
    Ok(found)
}

/// Checks name and password and opens a session.
///
/// # Errors
/// `WrongCredentials` alike for an unknown name, a wrong password and a disabled user; `Wait` after too many failures, or
/// while too many others sign in.
pub async fn sign_in(
    store: &Store,
    backoff: &Backoff,
    name: &str,
    given: String,
    client_addr: Option<String>,
) -> Result<SignedIn, IdentityError> {
    // No user has such a name; that is no secret.
    check_name(name).map_err(|_odd| IdentityError::WrongCredentials)?;
    let (now, client) = (store.clock().now(), client_addr.as_deref());
    backoff.attempt(name, client, now).map_err(IdentityError::Wait)?;
    let tenant = store.first().await?.id;
    let known = store.find_login(tenant, name).await?;
    let hash = known.as_ref().and_then(|(_, hash)| hash.clone());
    let right = runs::verify(given, hash).await?;
    let user = known.map(|(user, _)| user).filter(|user| right && !user.disabled);
    let user = user.ok_or(IdentityError::WrongCredentials)?;
    backoff.succeeded(name, client, now);
    open_session(store, tenant, &user, client_addr, "session.opened").await
}

async fn open_session(
    store: &Store,
    tenant: TenantId,
    user: &User,
    client_addr: Option<String>,
    kind: &'static str,
) -> Result<SignedIn, IdentityError> {
    let now = store.clock().now();
    let session: SessionId = id::mint(now, &mut rand::rng());
    let secret = Secret::mint(CredentialKind::Session, &mut rand::rng());
    let expires_at = now.plus(SESSION_FOR);
    let mut tx = store.job(tenant, Job::Cli)?.begin().await?;
    let credential = NewCredential {
        hash: secret.hash,
        user: Some(user.id),
        client_addr: client_addr.clone(),
        expires_at: Some(expires_at),
    };
    people::create_session(&mut tx, session, &credential, now).await?;
    people::signed_in(&mut tx, user.id, now).await?;
    let actor = Actor { id: user.id.to_string(), name: user.name.clone() };
    tx.record_as(&actor, kind, &[&session, &user.id], serde_json::json!({"client_addr": client_addr}))?;
    tx.commit(now).await?;
    Ok(SignedIn { session, user: user.id, secret, expires_at })
}

pub async fn sign_out(scope: &TenantScope, session: SessionId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    people::revoke_session(&mut tx, session, now).await?;
    tx.record("session.closed", &[&session], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(())
}

/// Makes the admin link of this start, unless an administrator has a password already.
pub async fn admin_link(store: &Store, tenant: TenantId) -> Result<Option<Secret>, IdentityError> {
    ensure_admin(store, tenant).await?;
    if store.has_administrator(tenant).await? {
        return Ok(None);
    }
    let now = store.clock().now();
    let secret = Secret::mint(CredentialKind::AdminLink, &mut rand::rng());
    let id: SessionId = id::mint(now, &mut rand::rng());
    let mut tx = store.job(tenant, Job::Cli)?.begin().await?;
    let credential =
        NewCredential { hash: secret.hash, user: None, client_addr: None, expires_at: Some(now.plus(ADMIN_LINK_FOR)) };
    people::create_admin_link(&mut tx, id, &credential, now).await?;
    tx.record("admin_link.made", &[&id], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(Some(secret))
}

/// The built-in administrator of a tenant, made when it is not there. It has no password until the admin link is spent.
pub async fn ensure_admin(store: &Store, tenant: TenantId) -> Result<User, IdentityError> {
    if let Some((user, _)) = store.find_login(tenant, ADMIN).await? {
        return Ok(user);
    }
    let scope = store.job(tenant, Job::Cli)?;
    match create_user(&scope, ADMIN, "admin", None).await {
        Ok(user) => Ok(user),
        // Another process was quicker.
        Err(IdentityError::Store(StoreError::AlreadyExists { .. })) => {
            let known = store.find_login(tenant, ADMIN).await?;
            known.map(|(user, _)| user).ok_or(IdentityError::Store(StoreError::NotFound))
        }
        Err(error) => Err(error),
    }
}

/// Spends the admin link: sets the administrator's password and opens a session. The link is dead once an administrator
/// has a password, however that came about.
pub async fn claim(
    store: &Store,
    link: &str,
    given: String,
    client_addr: Option<String>,
) -> Result<SignedIn, IdentityError> {
    let tenant = store.first().await?.id;
    let Some((CredentialKind::AdminLink, hash)) = secret::hash(link) else { return Err(IdentityError::LinkSpent) };
    // Asked before the hash is made, so that a made-up link costs nothing, and again when it is spent.
    if !store.admin_link_is_open(tenant, &hash, store.clock().now()).await? {
        return Err(IdentityError::LinkSpent);
    }
    let user = ensure_admin(store, tenant).await?;
    password::check(&user.name, &given)?;
    let password_hash = hash_password(given).await?;
    let now = store.clock().now();
    let mut tx = store.job(tenant, Job::Cli)?.begin().await?;
    if !people::spend_admin_link(&mut tx, &hash, now).await? {
        return Err(IdentityError::LinkSpent);
    }
    people::set_password(&mut tx, user.id, &password_hash, None, now).await?;
    let actor = Actor { id: user.id.to_string(), name: user.name.clone() };
    tx.record_as(&actor, "admin_link.spent", &[&user.id], serde_json::json!({"client_addr": client_addr}))?;
    tx.commit(now).await?;
    open_session(store, tenant, &user, client_addr, "session.opened").await
}

/// Makes an ingest or personal token; the secret is shown once.
pub async fn create_token(
    scope: &TenantScope,
    kind: CredentialKind,
    name: &str,
    user: Option<UserId>,
    source: Option<String>,
) -> Result<(Token, Secret), IdentityError> {
    check_label(name)?;
    let now = scope.store().clock().now();
    let secret = Secret::mint(kind, &mut rand::rng());
    let id: TokenId = id::mint(now, &mut rand::rng());
    let token = Token {
        id,
        kind: kind.as_str().to_owned(),
        name: name.to_owned(),
        user_id: user,
        source,
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let credential = NewCredential { hash: secret.hash, user, client_addr: None, expires_at: None };
    let mut tx = scope.begin().await?;
    people::create_token(&mut tx, &token, &credential).await?;
    tx.record(
        "token.created",
        &[&token.id],
        serde_json::json!({"kind": token.kind, "name": token.name, "user": user}),
    )?;
    tx.commit(now).await?;
    Ok((token, secret))
}

/// Makes a local user.
pub async fn create_user(
    scope: &TenantScope,
    name: &str,
    role: &str,
    given: Option<String>,
) -> Result<User, IdentityError> {
    check_name(name)?;
    if !ROLES.contains(&role) {
        return Err(IdentityError::UnknownRole(role.to_owned()));
    }
    let password_hash = match given {
        Some(given) => {
            password::check(name, &given)?;
            Some(hash_password(given).await?)
        }
        None => None,
    };
    let now = scope.store().clock().now();
    let id: UserId = id::mint(now, &mut rand::rng());
    let user = User {
        id,
        name: name.to_owned(),
        role: role.to_owned(),
        disabled: false,
        has_password: password_hash.is_some(),
        created_at: now,
        last_sign_in_at: None,
    };
    let mut tx = scope.begin().await?;
    people::create_user(&mut tx, &user, password_hash.as_deref()).await?;
    tx.record("user.created", &[&user.id], serde_json::json!({"name": user.name, "role": user.role}))?;
    tx.commit(now).await?;
    Ok(user)
}

fn check_name(name: &str) -> Result<(), IdentityError> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-@".contains(character);
    if (1..=64).contains(&name.len()) && name.chars().all(fits) { Ok(()) } else { Err(IdentityError::InvalidName) }
}

fn check_label(name: &str) -> Result<(), IdentityError> {
    let printable = name.chars().all(|character| !character.is_control());
    if (1..=128).contains(&name.len()) && printable { Ok(()) } else { Err(IdentityError::InvalidName) }
}
