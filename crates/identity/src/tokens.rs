//! Ingest and personal tokens: texts without a session. A personal token ends by itself; an ingest token is the tenant's, and
//! ends when somebody ends it.

use std::time::Duration;

use shieldops_model::{Timestamp, TokenId, UserId, id, tenant::SettingsBase};
use shieldops_store::{
    TenantScope, Tx,
    people::{self, NewCredential, Token},
};

use crate::{CredentialKind, IdentityError, Secret, api_keys, names};

const DAY: Duration = Duration::from_hours(24);

/// How long a new personal token lasts: as long as one may in this tenant, unless fewer days are asked for.
///
/// # Errors
/// `Invalid` for no day at all, and for more than the settings allow.
pub fn lasting(settings: &SettingsBase, days: Option<u32>) -> Result<Duration, IdentityError> {
    let most = settings.token_days;
    match days {
        Some(days) if !(1..=most).contains(&days) => {
            Err(IdentityError::Invalid(format!("a personal token lasts 1 to {most} days here, asked for {days}")))
        }
        days => Ok(DAY.saturating_mul(days.unwrap_or(most))),
    }
}

/// Makes an ingest or personal token; the secret is shown once. A personal one lasts as long as it is told, else as
/// [`lasting`] says without any settings.
pub async fn create_token(
    scope: &TenantScope,
    kind: CredentialKind,
    name: &str,
    user: Option<UserId>,
    source: Option<String>,
    lasts: Option<Duration>,
) -> Result<(Token, Secret), IdentityError> {
    let name = names::label(name)?;
    let now = scope.store().clock().now();
    let secret = Secret::mint(kind, &mut rand::rng());
    let id: TokenId = id::mint(now, &mut rand::rng());
    let expires_at = match (kind, lasts) {
        (_, Some(lasts)) => Some(now.plus(lasts)),
        (CredentialKind::Personal, None) => Some(now.plus(lasting(&SettingsBase::default(), None)?)),
        (_, None) => None,
    };
    let mut tx = scope.begin().await?;
    let expires_at = if user.is_none() { within_maker(&mut tx, expires_at, now).await? } else { expires_at };
    let token = Token {
        id,
        kind: kind.as_str().to_owned(),
        name,
        user_id: user,
        source,
        created_at: now,
        expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    let credential = NewCredential { hash: secret.hash, user, expires_at, ..NewCredential::default() };
    people::create_token(&mut tx, &token, &credential).await?;
    let body = serde_json::json!({"kind": token.kind, "name": token.name, "user": user, "expires_at": expires_at});
    tx.record("token.created", &[&token.id], body)?;
    tx.commit(now).await?;
    Ok((token, secret))
}

/// The end of an ingest token: no later than that of the grant or the key that it is made through.
async fn within_maker(
    tx: &mut Tx,
    wanted: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Timestamp>, IdentityError> {
    let keys_end = api_keys::unlimited(tx, "an ingest token", now).await?;
    let ends = tx.scope().ends(wanted);
    Ok([ends, keys_end].into_iter().flatten().min())
}
