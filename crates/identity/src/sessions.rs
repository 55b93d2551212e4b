//! Sessions: signing in with a password and a second factor, confirming who one is, and ending sessions. Each is an entry
//! in the ledger of the tenant that the session is for.

use std::time::Duration;

use serde::Serialize;
use shieldops_model::{Confirmation, ConfirmedWith, SessionId, TenantState, Timestamp, UserId, id};
use shieldops_store::{
    Ahead, Authenticated, Principal, PrincipalKind, Store, StoreError, TenantScope,
    people::{self, NewCredential, Person, Tenant},
    sessions::{self, Session},
};
use utoipa::ToSchema;

use crate::{
    CredentialKind, Door, IdentityError, Origin, Permission, Secret,
    decide::{self, RECENT, Rights},
    factors, names, passkeys, runs, secret,
    tickets::{self, Ticket},
};

pub use crate::boot::claim;

/// A new session: its secret goes into the cookie.
pub struct SignedIn {
    pub session: SessionId,
    pub user: UserId,
    pub secret: Secret,
    pub expires_at: Timestamp,
    /// The tenant it opens in.
    pub tenant: String,
}

/// How far a sign-in by password came.
pub enum SignIn {
    Done(SignedIn),
    /// The password was right; the rest is [`second_factor`].
    SecondFactor(Challenge),
}

/// What a half-done sign-in waits for.
pub struct Challenge {
    pub ticket: Secret,
    pub methods: Vec<Method>,
    pub expires_at: Timestamp,
}

/// What a half-done sign-in can be finished with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Totp,
    Passkey,
    RecoveryCode,
}

/// How somebody shows who they are.
pub enum Proof {
    Password(String),
    /// Of an authenticator app.
    Code(String),
    RecoveryCode(String),
    Passkey {
        /// From [`passkeys::begin`].
        ticket: String,
        credential: serde_json::Value,
    },
}

impl Proof {
    /// What it is, for as long as it counts.
    const fn with(&self) -> ConfirmedWith {
        match self {
            Self::Password(_) => ConfirmedWith::Password,
            Self::Code(_) => ConfirmedWith::Totp,
            Self::RecoveryCode(_) => ConfirmedWith::RecoveryCode,
            Self::Passkey { .. } => ConfirmedWith::Passkey,
        }
    }
}

/// Whom a bearer or cookie text stands for, now, in the tenant that the request names or else the credential's own; and
/// notes that it was used.
///
/// # Errors
/// `Store(NotFound)` for a tenant that is not there or not theirs: the same for both.
pub async fn authenticate(store: &Store, text: &str, wanted: Option<&str>) -> Result<Option<Principal>, IdentityError> {
    let found = look_up(store, text, wanted).await?;
    if let (Some(principal), Some((_, hash))) = (&found, secret::hash(text)) {
        // A note of use: no reason to turn somebody away.
        drop(store.used(&hash, principal, store.clock().now()).await);
    }
    Ok(found)
}

/// The same where nobody uses it: a session that is only looked at ends when it has been idle long enough.
///
/// # Errors
/// As [`authenticate`].
pub async fn look_up(store: &Store, text: &str, wanted: Option<&str>) -> Result<Option<Principal>, IdentityError> {
    let Some((kind, hash)) = secret::hash(text) else { return Ok(None) };
    if !kind.opens() {
        return Ok(None);
    }
    match store.authenticate(&hash, wanted, store.clock().now()).await? {
        Authenticated::Refused => Ok(None),
        Authenticated::NoSuchTenant => Err(StoreError::NotFound.into()),
        Authenticated::As(principal) => Ok(Some(*principal)),
    }
}

/// The same for a request that only reads, in one message to the database: nothing where [`authenticate`] has to look.
pub async fn authenticate_ahead(store: &Store, text: &str, wanted: Option<&str>) -> Option<(Principal, Ahead)> {
    let (_, hash) = secret::hash(text).filter(|(kind, _)| kind.opens())?;
    store.authenticate_ahead(&hash, wanted, store.clock().now()).await
}

/// Checks name and password. Opens a session where the person has no second factor.
///
/// # Errors
/// `WrongCredentials` alike for an unknown name, a wrong password and a disabled person; `Wait` after too many failures, or
/// while too many others sign in; `TenantLocked` where the password is right and no tenant of theirs is open.
pub async fn sign_in(door: &Door<'_>, name: &str, given: String, from: &Origin) -> Result<SignIn, IdentityError> {
    // No person has such a name; that is no secret.
    let name = names::login(name).map_err(|_odd| IdentityError::WrongCredentials)?;
    let since_boot = door.store.clock().boot();
    door.backoff.attempt(&name, from.addr(), since_boot).map_err(IdentityError::Wait)?;
    let known = door.store.find_person(&name).await?;
    let hash = known.as_ref().and_then(|person| person.password_hash.clone());
    let right = runs::verify(given, hash).await?;
    let person = known.filter(|person| right && !person.disabled).ok_or(IdentityError::WrongCredentials)?;
    // A person without a membership is nobody here.
    let tenant = home(door.store, &person).await?;
    door.backoff.succeeded(&name, from.addr(), since_boot);
    let methods = methods(door, person.id).await?;
    if methods.is_empty() {
        return Ok(SignIn::Done(open(door, &tenant, &person, from, ConfirmedWith::Password).await?));
    }
    let (ticket, expires_at) = tickets::open(door.store, Ticket::SecondFactor, Some(person.id), Vec::new()).await?;
    Ok(SignIn::SecondFactor(Challenge { ticket, methods, expires_at }))
}

async fn methods(door: &Door<'_>, person: UserId) -> Result<Vec<Method>, IdentityError> {
    let status = factors::status(door.store, person).await?;
    if !status.any() {
        return Ok(Vec::new());
    }
    let known = [
        (Method::Totp, status.totp),
        (Method::Passkey, status.passkeys > 0),
        (Method::RecoveryCode, status.recovery_codes_left > 0),
    ];
    Ok(known.into_iter().filter(|(_, has)| *has).map(|(method, _)| method).collect())
}

/// Finishes a sign-in. A wrong answer leaves the ticket; the waits grow as they do for passwords.
///
/// # Errors
/// `TicketSpent` when it must begin anew, `WrongCode`, `Wait`.
pub async fn second_factor(
    door: &Door<'_>,
    ticket: &str,
    proof: Proof,
    from: &Origin,
) -> Result<SignedIn, IdentityError> {
    let held = tickets::find(door.store, Ticket::SecondFactor, ticket).await?;
    let person = held.principal.ok_or(IdentityError::TicketSpent)?;
    let person = door.store.get_person(person).await?.filter(|person| !person.disabled);
    let person = person.ok_or(IdentityError::TicketSpent)?;
    let tenant = home(door.store, &person).await?;
    let with = proof.with();
    if !with.is_second_factor() {
        return Err(IdentityError::SecondFactorRequired);
    }
    prove(door, &tenant, &person, proof, from).await?;
    // Of two that answer one ticket at once, one gets in.
    tickets::spend(door.store, Ticket::SecondFactor, ticket).await?;
    open(door, &tenant, &person, from, with).await
}

/// Confirms who the person behind a session is; it holds for five minutes.
///
/// # Errors
/// `SecondFactorRequired` for a password where the person has a second factor.
pub async fn reauthenticate(
    door: &Door<'_>,
    scope: &TenantScope,
    principal: &Principal,
    proof: Proof,
    from: &Origin,
) -> Result<Timestamp, IdentityError> {
    let (user, session) = of_session(principal)?;
    let person = door.store.get_person(user).await?.ok_or(StoreError::NotFound)?;
    let with = proof.with();
    if !with.is_second_factor() && !methods(door, user).await?.is_empty() {
        return Err(IdentityError::SecondFactorRequired);
    }
    let tenant = door.store.get_tenant(principal.home).await?;
    prove(door, &tenant, &person, proof, from).await?;
    let now = door.store.clock().now();
    let mut tx = scope.begin().await?;
    // A password proves it only where there is no second factor, or none any more.
    sessions::set_confirmed(&mut tx, session, Confirmation::new(with, now)).await?;
    let body = serde_json::json!({"client_addr": from.addr, "confirmed_with": with});
    tx.record("session.verified", &[&session, &user], body)?;
    tx.commit(now).await?;
    Ok(now.plus(RECENT))
}

/// Whether the proof is this person's. What can be used once is used up.
async fn prove(
    door: &Door<'_>,
    tenant: &Tenant,
    person: &Person,
    proof: Proof,
    from: &Origin,
) -> Result<(), IdentityError> {
    let since_boot = door.store.clock().boot();
    let (name, right) = match proof {
        Proof::Password(given) => {
            door.backoff.attempt(&person.name, from.addr(), since_boot).map_err(IdentityError::Wait)?;
            let right = runs::verify(given, person.password_hash.clone()).await?;
            (person.name.clone(), right.then_some(()).ok_or(IdentityError::WrongCredentials))
        }
        other => {
            // Counted apart from the password: six digits are guessed sooner than twelve characters.
            let name = format!("second factor of {}", person.id);
            door.backoff.attempt(&name, from.addr(), since_boot).map_err(IdentityError::Wait)?;
            let right = match other {
                Proof::Code(code) => factors::take_code(door.store, tenant.id, person, &code).await,
                Proof::RecoveryCode(code) => factors::take_recovery_code(door.store, tenant.id, person, &code).await,
                Proof::Passkey { ticket, credential } => {
                    let who = passkeys::verify(door, &ticket, credential).await?;
                    (who.id == person.id).then_some(()).ok_or(IdentityError::PasskeyRefused)
                }
                Proof::Password(_) => Err(IdentityError::SecondFactorRequired),
            };
            (name, right)
        }
    };
    right?;
    door.backoff.succeeded(&name, from.addr(), since_boot);
    Ok(())
}

/// Where a person's new session begins: the tenant used last of those that are open.
pub(crate) async fn home(store: &Store, person: &Person) -> Result<Tenant, IdentityError> {
    let memberships = store.memberships_of(person.id, store.clock().now()).await?;
    let mut own = memberships.into_iter().filter(|one| !one.disabled && one.via_grant.is_none()).peekable();
    if own.peek().is_none() {
        return Err(IdentityError::WrongCredentials);
    }
    let mut own: Vec<_> = own.map(|one| one.tenant).collect();
    // Last used first; a tenant that is locked opens only for the operator, who may unlock it.
    own.sort_by_key(|tenant| !open_for_people(tenant.state));
    let first = own.into_iter().next().ok_or(IdentityError::TenantLocked)?;
    if open_for_people(first.state) || (person.operator && first.state != TenantState::Deleted) {
        Ok(first)
    } else {
        Err(IdentityError::TenantLocked)
    }
}

const fn open_for_people(state: TenantState) -> bool {
    matches!(state, TenantState::Active | TenantState::Suspended)
}

/// Opens a session of a person who has proved who they are.
pub(crate) async fn open(
    door: &Door<'_>,
    tenant: &Tenant,
    person: &Person,
    from: &Origin,
    with: ConfirmedWith,
) -> Result<SignedIn, IdentityError> {
    let now = door.store.clock().now();
    let scope = crate::door::scope_of(door.store, tenant.id, person)?;
    let settings = door.settings(&scope).await?;
    let session: SessionId = id::mint(now, &mut rand::rng());
    let secret = Secret::mint(CredentialKind::Session, &mut rand::rng());
    let expires_at = now.plus(Duration::from_hours(settings.session_hours.into()));
    let credential = NewCredential {
        hash: secret.hash,
        user: Some(person.id),
        client_addr: from.addr.clone(),
        user_agent: from.agent(),
        expires_at: Some(expires_at),
        confirmed: Some(Confirmation::new(with, now)),
        idle: Some(Duration::from_mins(door.base.session_idle_minutes.into())),
    };
    let mut tx = scope.begin().await?;
    people::create_session(&mut tx, session, &credential, now).await?;
    people::signed_in(&mut tx, person.id, now).await?;
    let body =
        serde_json::json!({"client_addr": from.addr, "user_agent": credential.user_agent, "confirmed_with": with});
    tx.record("session.opened", &[&session, &person.id], body)?;
    tx.commit(now).await?;
    Ok(SignedIn { session, user: person.id, secret, expires_at, tenant: tenant.slug.clone() })
}

/// Ends the caller's own session, whatever tenant the request is about.
pub async fn sign_out(scope: &TenantScope, principal: &Principal) -> Result<(), IdentityError> {
    let (user, session) = of_session(principal)?;
    close_own(scope, user, session).await
}

async fn close_own(scope: &TenantScope, user: UserId, session: SessionId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    sessions::revoke_own(&mut tx, user, session, now).await?;
    tx.record("session.closed", &[&session, &user], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(())
}

async fn close(scope: &TenantScope, session: SessionId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    people::revoke_session(&mut tx, session, now).await?;
    tx.record("session.closed", &[&session], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(())
}

/// The sessions of the tenant, or the caller's own of all tenants.
pub async fn list(scope: &TenantScope, principal: &Principal, all: bool) -> Result<Vec<Session>, IdentityError> {
    let now = scope.store().clock().now();
    if all {
        return Ok(sessions::list(&mut scope.read().await?, None, now).await?);
    }
    let user = principal.user.ok_or(IdentityError::SessionRequired)?;
    Ok(scope.store().sessions_of(user, now).await?)
}

/// Ends a session: one's own of any tenant, or another's of this tenant by who has `session.write`.
pub async fn revoke(
    scope: &TenantScope,
    rights: &Rights,
    principal: &Principal,
    session: SessionId,
) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    if let Some(user) = principal.user {
        let own = scope.store().sessions_of(user, now).await?;
        if own.iter().any(|one| one.id == session) {
            return close_own(scope, user, session).await;
        }
    }
    decide::authorise(rights, Permission::SessionWrite, None).check()?;
    close(scope, session).await
}

/// The person and session behind a caller who acts on their own account.
pub(crate) fn of_session(principal: &Principal) -> Result<(UserId, SessionId), IdentityError> {
    match (principal.kind, principal.user, principal.session) {
        (PrincipalKind::Session, Some(user), Some(session)) => Ok((user, session)),
        _ => Err(IdentityError::SessionRequired),
    }
}
