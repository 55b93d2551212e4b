//! Second factors of a person: the authenticator app, recovery codes, and what there is. Only from a session that was
//! confirmed lately.

use serde::Serialize;
use shieldops_model::{Confirmation, ConfirmedWith, PasskeyId, SessionId, TenantId, UserId, id};
use shieldops_store::{
    Principal, Store, StoreError, TenantScope, Tx,
    factors::{self, Factor, FactorKind},
    people::Person,
    sessions,
};
use utoipa::ToSchema;

use crate::{
    IdentityError, Secret, decide,
    door::scope_of,
    recovery,
    sessions::of_session,
    tickets::{self, Ticket},
    totp::Totp,
};

/// An authenticator app that is being set up; nothing is in force until a code came back.
pub struct TotpOffer {
    /// For typing it in.
    pub secret: String,
    /// For a QR code.
    pub uri: String,
    pub ticket: Secret,
}

/// Which second factors a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct FactorStatus {
    pub totp: bool,
    pub passkeys: u32,
    pub recovery_codes_left: u32,
}

impl FactorStatus {
    /// Recovery codes alone are no factor: they stand in for one.
    pub const fn any(self) -> bool {
        self.totp || self.passkeys > 0
    }
}

pub async fn status(store: &Store, person: UserId) -> Result<FactorStatus, IdentityError> {
    let known = store.factors_of(person).await?;
    let passkeys = known.iter().filter(|factor| factor.kind == FactorKind::Passkey).count();
    Ok(FactorStatus {
        totp: known.iter().any(|factor| factor.kind == FactorKind::Totp),
        passkeys: u32::try_from(passkeys).unwrap_or(u32::MAX),
        recovery_codes_left: store.recovery_codes_left(person).await?,
    })
}

/// The person and session of a caller who was confirmed lately.
pub(crate) async fn confirmed(
    scope: &TenantScope,
    principal: &Principal,
) -> Result<(Person, SessionId), IdentityError> {
    let (user, session) = of_session(principal)?;
    decide::require_recent(principal, scope.store().clock().now())?;
    let person = scope.store().get_person(user).await?.ok_or(StoreError::NotFound)?;
    Ok((person, session))
}

/// Begins to set up an authenticator app.
///
/// # Errors
/// `Conflict` where there is one.
pub async fn begin_totp(scope: &TenantScope, principal: &Principal) -> Result<TotpOffer, IdentityError> {
    let (person, _) = confirmed(scope, principal).await?;
    refuse_second_app(scope.store(), person.id).await?;
    let app = Totp::mint(&person.name, &mut rand::rng()).ok_or(IdentityError::InvalidName)?;
    let (ticket, _) = tickets::open(scope.store(), Ticket::Totp, Some(person.id), app.secret().to_vec()).await?;
    Ok(TotpOffer { secret: app.text(), uri: app.uri(), ticket })
}

async fn refuse_second_app(store: &Store, person: UserId) -> Result<(), IdentityError> {
    if status(store, person).await?.totp {
        return Err(IdentityError::Conflict("there is an authenticator app already; remove it first".to_owned()));
    }
    Ok(())
}

/// Puts the app in force, once a code shows that it has the secret. Answers recovery codes, to be shown once, where the
/// person had no second factor.
pub async fn confirm_totp(
    scope: &TenantScope,
    principal: &Principal,
    ticket: &str,
    code: &str,
) -> Result<Vec<String>, IdentityError> {
    let (person, session) = confirmed(scope, principal).await?;
    let (store, now) = (scope.store(), scope.store().clock().now());
    let held = tickets::find(store, Ticket::Totp, ticket).await?;
    if held.principal != Some(person.id) {
        return Err(IdentityError::TicketSpent);
    }
    let app = Totp::read(&held.body, &person.name).ok_or(IdentityError::TicketSpent)?;
    let step = app.step(code, None, now).ok_or(IdentityError::WrongCode)?;
    refuse_second_app(store, person.id).await?;
    tickets::spend(store, Ticket::Totp, ticket).await?;
    let factor = Factor {
        id: id::mint(now, &mut rand::rng()),
        kind: FactorKind::Totp,
        name: "authenticator app".to_owned(),
        body: app.secret().to_vec(),
        created_at: now,
        last_used_at: None,
        last_step: Some(step),
    };
    add(scope, principal, (&person, session), &factor).await
}

/// Adds a factor, which has just shown that it works: the session is confirmed with it. Answers fresh recovery codes where it is the first.
pub(crate) async fn add(
    scope: &TenantScope,
    principal: &Principal,
    (person, session): (&Person, SessionId),
    factor: &Factor,
) -> Result<Vec<String>, IdentityError> {
    let (store, now) = (scope.store(), scope.store().clock().now());
    let first = !status(store, person.id).await?.any();
    let with = match factor.kind {
        FactorKind::Totp => ConfirmedWith::Totp,
        FactorKind::Passkey => ConfirmedWith::Passkey,
    };
    let mut tx = scope.begin().await?;
    factors::add(&mut tx, person.id, factor).await?;
    sessions::set_confirmed(&mut tx, session, Confirmation::new(with, now)).await?;
    // Whoever reads it sees that a recovery code, or a password alone, brought a second factor.
    let body = serde_json::json!({"confirmed_with": with, "before": principal.confirmed, "factor": factor.id});
    tx.record("session.verified", &[&session, &person.id], body)?;
    let codes = if first { make_codes(&mut tx, person.id).await? } else { Vec::new() };
    tx.commit(now).await?;
    Ok(codes)
}

async fn make_codes(tx: &mut Tx, person: UserId) -> Result<Vec<String>, IdentityError> {
    let codes = recovery::mint(&mut rand::rng());
    let hashes: Vec<_> = codes.iter().filter_map(|code| recovery::hash(person, code)).collect();
    factors::set_recovery_codes(tx, person, &hashes).await?;
    Ok(codes)
}

/// Removes the authenticator app.
pub async fn remove_totp(scope: &TenantScope, principal: &Principal) -> Result<(), IdentityError> {
    let (person, _) = confirmed(scope, principal).await?;
    let known = scope.store().factors_of(person.id).await?;
    let app = known.iter().find(|factor| factor.kind == FactorKind::Totp).ok_or(StoreError::NotFound)?;
    remove(scope, &person, app.id).await
}

/// Removes a factor. With the last one the recovery codes go too: they stand in for nothing then.
pub(crate) async fn remove(scope: &TenantScope, person: &Person, factor: PasskeyId) -> Result<(), IdentityError> {
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    factors::remove(&mut tx, person.id, factor).await?;
    tx.commit(now).await?;
    Ok(())
}

/// Fresh recovery codes; those of before are void.
///
/// # Errors
/// `Conflict` without a second factor for them to stand in for.
pub async fn new_recovery_codes(scope: &TenantScope, principal: &Principal) -> Result<Vec<String>, IdentityError> {
    let (person, _) = confirmed(scope, principal).await?;
    if !status(scope.store(), person.id).await?.any() {
        return Err(IdentityError::Conflict("there is no second factor: add one first".to_owned()));
    }
    let now = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    let codes = make_codes(&mut tx, person.id).await?;
    tx.commit(now).await?;
    Ok(codes)
}

/// Takes a code of the person's app: each once.
pub(crate) async fn take_code(
    store: &Store,
    tenant: TenantId,
    person: &Person,
    code: &str,
) -> Result<(), IdentityError> {
    let now = store.clock().now();
    let known = store.factors_of(person.id).await?;
    let factor = known.iter().find(|factor| factor.kind == FactorKind::Totp).ok_or(IdentityError::WrongCode)?;
    let app = Totp::read(&factor.body, &person.name).ok_or(IdentityError::WrongCode)?;
    let step = app.step(code, factor.last_step, now).ok_or(IdentityError::WrongCode)?;
    let mut tx = scope_of(store, tenant, person)?.begin().await?;
    // Of two that send one code at once, one gets in.
    if !factors::take_step(&mut tx, person.id, factor.id, step, now).await? {
        return Err(IdentityError::WrongCode);
    }
    tx.commit(now).await?;
    Ok(())
}

/// Takes a recovery code: each once.
pub(crate) async fn take_recovery_code(
    store: &Store,
    tenant: TenantId,
    person: &Person,
    code: &str,
) -> Result<(), IdentityError> {
    let now = store.clock().now();
    let hash = recovery::hash(person.id, code).ok_or(IdentityError::WrongCode)?;
    let mut tx = scope_of(store, tenant, person)?.begin().await?;
    if !factors::spend_recovery_code(&mut tx, person.id, &hash, now).await? {
        return Err(IdentityError::WrongCode);
    }
    tx.commit(now).await?;
    Ok(())
}
