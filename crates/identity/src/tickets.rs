//! Tickets: what is half done rests sealed in the store, and the browser holds a secret that finds it. Five minutes, once.

use std::time::Duration;

use shieldops_model::{Timestamp, UserId};
use shieldops_store::{Ceremony, Store};

use crate::{CredentialKind, IdentityError, Secret, secret};

/// How long anything may stay half done.
pub const TICKET_FOR: Duration = Duration::from_mins(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ticket {
    /// The password was right.
    SecondFactor,
    /// A passkey was asked for.
    Passkey,
    /// A passkey is being made.
    PasskeyRegistration,
    /// An authenticator app is being set up.
    Totp,
}

impl Ticket {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Passkey => "passkey",
            Self::PasskeyRegistration => "passkey_registration",
            Self::Totp => "totp",
        }
    }
}

pub(crate) async fn open(
    store: &Store,
    kind: Ticket,
    principal: Option<UserId>,
    body: Vec<u8>,
) -> Result<(Secret, Timestamp), IdentityError> {
    let now = store.clock().now();
    let secret = Secret::mint(CredentialKind::Ticket, &mut rand::rng());
    let expires_at = now.plus(TICKET_FOR);
    let ceremony = Ceremony { hash: secret.hash, kind: kind.as_str().to_owned(), principal, body, expires_at };
    store.open_ceremony(&ceremony, now).await?;
    Ok((secret, expires_at))
}

/// What a ticket stands for; it stays good.
pub(crate) async fn find(store: &Store, kind: Ticket, text: &str) -> Result<Ceremony, IdentityError> {
    let hash = hash(text)?;
    let found = store.find_ceremony(&hash, kind.as_str(), store.clock().now()).await?;
    found.ok_or(IdentityError::TicketSpent)
}

/// What a ticket stood for: once.
pub(crate) async fn spend(store: &Store, kind: Ticket, text: &str) -> Result<Ceremony, IdentityError> {
    let hash = hash(text)?;
    let found = store.spend_ceremony(&hash, kind.as_str(), store.clock().now()).await?;
    found.ok_or(IdentityError::TicketSpent)
}

fn hash(text: &str) -> Result<[u8; 32], IdentityError> {
    match secret::hash(text) {
        Some((CredentialKind::Ticket, hash)) => Ok(hash),
        _ => Err(IdentityError::TicketSpent),
    }
}
