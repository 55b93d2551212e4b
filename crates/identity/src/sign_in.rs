//! The ways in with the names and parameters of before tenants, for callers that have not moved yet.

use std::time::Duration;

use shieldops_model::tenant::SettingsBase;
use shieldops_store::{Principal, Store, TenantScope, people::User};

use crate::{Backoff, Door, IdentityError, Origin, Rights, SignIn, SignedIn, boot, people, sessions};

/// How long a session lasts unless the settings say otherwise.
pub const SESSION_FOR: Duration = Duration::from_hours(12);

pub async fn authenticate(store: &Store, text: &str) -> Result<Option<Principal>, IdentityError> {
    sessions::authenticate(store, text, None).await
}

pub async fn sign_in(
    store: &Store,
    backoff: &Backoff,
    name: &str,
    given: String,
    client_addr: Option<String>,
) -> Result<SignedIn, IdentityError> {
    let base = SettingsBase::default();
    let door = Door { store, backoff, base: &base, passkeys: None };
    match sessions::sign_in(&door, name, given, &Origin { addr: client_addr, agent: None }).await? {
        SignIn::Done(signed_in) => Ok(signed_in),
        SignIn::SecondFactor(_) => Err(IdentityError::SecondFactorRequired),
    }
}

pub async fn claim(
    store: &Store,
    link: &str,
    given: String,
    client_addr: Option<String>,
) -> Result<SignedIn, IdentityError> {
    let (base, backoff) = (SettingsBase::default(), Backoff::default());
    let door = Door { store, backoff: &backoff, base: &base, passkeys: None };
    boot::claim(&door, link, given, &Origin { addr: client_addr, agent: None }).await
}

/// Makes a local user, with the rights of whoever has the data directory.
pub async fn create_user(
    scope: &TenantScope,
    name: &str,
    role: &str,
    given: Option<String>,
) -> Result<User, IdentityError> {
    people::create(scope, &Rights::of_host(), name, role, given).await
}
