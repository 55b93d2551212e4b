//! Passkeys (WebAuthn level 3): made in a session, and a way in by themselves, as a second factor, and to confirm who one
//! is. Always discoverable and with the person verified by the device, so a passkey alone is two factors.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shieldops_model::{ConfirmedWith, PasskeyId, UserId, id};
use shieldops_store::{
    Principal, Store, StoreError, TenantScope,
    factors::{self, Factor, FactorKind},
    people::Person,
};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url,
    Uuid, Webauthn, WebauthnBuilder,
};

use crate::{
    Door, IdentityError, Origin, Secret,
    door::scope_of,
    factors::{add, confirmed, remove as remove_factor},
    names,
    sessions::{self, SignedIn},
    tickets::{self, Ticket},
};

/// Why an installation can have no passkeys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyError {
    #[error("`{0}` is no address of the form https://shieldops.example.org")]
    NoAddress(String),
    #[error(
        "`{0}` names no host: passkeys belong to a name, not to an IP address; for this machine use http://localhost"
    )]
    NoName(String),
    #[error("`{0}` is not https: browsers offer passkeys on https, and on http://localhost")]
    NotSecure(String),
}

/// The installation as a relying party.
pub struct Passkeys(Webauthn);

/// A ceremony to be finished in the browser: `options` go to `navigator.credentials`.
pub struct Begun {
    pub ticket: Secret,
    pub options: Value,
}

impl Passkeys {
    /// For the address under which people open the dashboard. Passkeys belong to its host name for good.
    pub fn new(public_url: &str) -> Result<Self, PasskeyError> {
        let no_address = || PasskeyError::NoAddress(public_url.to_owned());
        let url = Url::parse(public_url).map_err(|_odd| no_address())?;
        if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() {
            return Err(no_address());
        }
        let name = url.domain().ok_or_else(|| PasskeyError::NoName(public_url.to_owned()))?.to_owned();
        if url.scheme() != "https" && name != "localhost" {
            return Err(PasskeyError::NotSecure(public_url.to_owned()));
        }
        let party = WebauthnBuilder::new(&name, &url).map_err(|_odd| no_address())?;
        party.rp_name("ShieldOps").build().map(Self).map_err(|_odd| no_address())
    }
}

/// Begins a sign-in, or an answer to [`sessions::second_factor`] or [`sessions::reauthenticate`]. Says nothing of who has
/// a passkey: the device knows.
pub async fn begin(store: &Store, party: &Passkeys) -> Result<Begun, IdentityError> {
    let (challenge, state) = party.0.start_discoverable_authentication().map_err(refused)?;
    let mut options = written(&challenge)?;
    // Asked for by a button, not by the form's autofill.
    if let Some(options) = options.as_object_mut() {
        options.remove("mediation");
    }
    let (ticket, _) = tickets::open(store, Ticket::Passkey, None, body(&state)?).await?;
    Ok(Begun { ticket, options })
}

/// Signs in with a passkey alone.
pub async fn sign_in(
    door: &Door<'_>,
    ticket: &str,
    credential: Value,
    from: &Origin,
) -> Result<SignedIn, IdentityError> {
    let person = verify(door, ticket, credential).await?;
    let tenant = sessions::home(door.store, &person).await?;
    sessions::open(door, &tenant, &person, from, ConfirmedWith::Passkey).await
}

/// Whose passkey answered.
pub(crate) async fn verify(door: &Door<'_>, ticket: &str, credential: Value) -> Result<Person, IdentityError> {
    let party = door.passkeys.ok_or(IdentityError::PasskeysUnavailable)?;
    let held = tickets::spend(door.store, Ticket::Passkey, ticket).await?;
    let state: DiscoverableAuthentication = read(&held.body)?;
    let answer: PublicKeyCredential = given(credential)?;
    let (person, key) = party.0.identify_discoverable_authentication(&answer).map_err(refused)?;
    let person = door.store.get_person(UserId::from_bits(person.as_u128())).await?;
    let person = person.filter(|person| !person.disabled).ok_or(IdentityError::PasskeyRefused)?;
    let (factor, mut passkey) = find(door, &person, key).await?.ok_or(IdentityError::PasskeyRefused)?;
    // A counter that does not grow (a copied device) is refused here.
    let result = party.0.finish_discoverable_authentication_v2(&answer, state, &passkey).map_err(refused)?;
    passkey.update_credential(&result);
    let tenant = sessions::home(door.store, &person).await?;
    let now = door.store.clock().now();
    let mut tx = scope_of(door.store, tenant.id, &person)?.begin().await?;
    factors::set_body(&mut tx, person.id, factor.id, &body(&passkey)?, now).await?;
    tx.commit(now).await?;
    Ok(person)
}

async fn find(door: &Door<'_>, person: &Person, key: &[u8]) -> Result<Option<(Factor, Passkey)>, IdentityError> {
    for factor in door.store.factors_of(person.id).await? {
        if factor.kind == FactorKind::Passkey {
            let passkey: Passkey = read(&factor.body)?;
            if passkey.cred_id().as_slice() == key {
                return Ok(Some((factor, passkey)));
            }
        }
    }
    Ok(None)
}

/// Begins to make a passkey for the caller.
pub async fn begin_registration(
    scope: &TenantScope,
    party: &Passkeys,
    principal: &Principal,
) -> Result<Begun, IdentityError> {
    let (person, _) = confirmed(scope, principal).await?;
    let known = passkeys(scope, person.id).await?;
    let known = known.iter().map(|factor| read::<Passkey>(&factor.body).map(|passkey| passkey.cred_id().clone()));
    let known = known.collect::<Result<Vec<_>, _>>()?;
    let handle = Uuid::from_u128(person.id.bits());
    let shown = person.display.as_deref().unwrap_or(&person.name);
    let begun = party.0.start_passkey_registration(handle, &person.name, shown, Some(known));
    let (challenge, state) = begun.map_err(refused)?;
    let mut options = written(&challenge)?;
    // Found by the device itself at sign-in, without a name.
    if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection").and_then(Value::as_object_mut) {
        selection.insert("residentKey".to_owned(), Value::from("required"));
        selection.insert("requireResidentKey".to_owned(), Value::from(true));
    }
    let state = body(&state)?;
    let (ticket, _) = tickets::open(scope.store(), Ticket::PasskeyRegistration, Some(person.id), state).await?;
    Ok(Begun { ticket, options })
}

/// Keeps the passkey that the device made. Answers recovery codes where it is the person's first second factor.
pub async fn finish_registration(
    scope: &TenantScope,
    party: &Passkeys,
    principal: &Principal,
    ticket: &str,
    name: &str,
    credential: Value,
) -> Result<(Factor, Vec<String>), IdentityError> {
    let (person, session) = confirmed(scope, principal).await?;
    let name = names::label(name)?;
    let held = tickets::spend(scope.store(), Ticket::PasskeyRegistration, ticket).await?;
    if held.principal != Some(person.id) {
        return Err(IdentityError::TicketSpent);
    }
    let state: PasskeyRegistration = read(&held.body)?;
    let made: RegisterPublicKeyCredential = given(credential)?;
    let passkey = party.0.finish_passkey_registration(&made, &state).map_err(refused)?;
    for factor in passkeys(scope, person.id).await? {
        if read::<Passkey>(&factor.body)?.cred_id() == passkey.cred_id() {
            return Err(StoreError::AlreadyExists { what: factor.name }.into());
        }
    }
    let now = scope.store().clock().now();
    let factor = Factor {
        id: id::mint(now, &mut rand::rng()),
        kind: FactorKind::Passkey,
        name,
        body: body(&passkey)?,
        created_at: now,
        last_used_at: None,
        last_step: None,
    };
    let codes = add(scope, principal, (&person, session), &factor).await?;
    Ok((factor, codes))
}

/// The caller's passkeys.
pub async fn list(scope: &TenantScope, principal: &Principal) -> Result<Vec<Factor>, IdentityError> {
    let user = principal.user.ok_or(IdentityError::SessionRequired)?;
    passkeys(scope, user).await
}

async fn passkeys(scope: &TenantScope, person: UserId) -> Result<Vec<Factor>, IdentityError> {
    let known = scope.store().factors_of(person).await?;
    Ok(known.into_iter().filter(|factor| factor.kind == FactorKind::Passkey).collect())
}

pub async fn remove(scope: &TenantScope, principal: &Principal, passkey: PasskeyId) -> Result<(), IdentityError> {
    let (person, _) = confirmed(scope, principal).await?;
    if !passkeys(scope, person.id).await?.iter().any(|known| known.id == passkey) {
        return Err(StoreError::NotFound.into());
    }
    remove_factor(scope, &person, passkey).await
}

/// The browser's answer. What is no answer is refused as a wrong one: its parts are the device's, not the person's.
fn given<T: DeserializeOwned>(credential: Value) -> Result<T, IdentityError> {
    serde_json::from_value(credential).map_err(|_odd| IdentityError::PasskeyRefused)
}

fn refused(error: impl std::fmt::Display) -> IdentityError {
    tracing::debug!(%error, "a passkey was refused");
    IdentityError::PasskeyRefused
}

fn written(value: &impl Serialize) -> Result<Value, IdentityError> {
    serde_json::to_value(value).map_err(damaged)
}

fn body(value: &impl Serialize) -> Result<Vec<u8>, IdentityError> {
    serde_json::to_vec(value).map_err(damaged)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, IdentityError> {
    serde_json::from_slice(body).map_err(damaged)
}

fn damaged(error: serde_json::Error) -> IdentityError {
    StoreError::Damaged { detail: format!("a passkey: {error}") }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_name_on_https_or_to_this_machine() {
        for fine in ["https://shieldops.example.org", "https://shieldops.example.org:8443", "http://localhost:8080"] {
            assert!(Passkeys::new(fine).is_ok(), "{fine}");
        }
        for (odd, why) in [
            ("https://203.0.113.7", "not to an IP address"),
            ("http://127.0.0.1:8080", "not to an IP address"),
            ("https://[::1]", "not to an IP address"),
            ("http://shieldops.example.org", "is not https"),
            ("shieldops.example.org", "no address"),
            ("ftp://shieldops.example.org", "no address"),
            ("", "no address"),
        ] {
            let refused = Passkeys::new(odd).err().unwrap().to_string();
            assert!(refused.contains(why), "{odd}: {refused}");
        }
    }
}
