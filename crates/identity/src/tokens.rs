//! Ingest and personal tokens: texts without a session.

use shieldops_model::{TokenId, UserId, id};
use shieldops_store::{
    TenantScope,
    people::{self, NewCredential, Token},
};

use crate::{CredentialKind, IdentityError, Secret, names};

/// Makes an ingest or personal token; the secret is shown once.
pub async fn create_token(
    scope: &TenantScope,
    kind: CredentialKind,
    name: &str,
    user: Option<UserId>,
    source: Option<String>,
) -> Result<(Token, Secret), IdentityError> {
    let name = names::label(name)?;
    let now = scope.store().clock().now();
    let secret = Secret::mint(kind, &mut rand::rng());
    let id: TokenId = id::mint(now, &mut rand::rng());
    let token = Token {
        id,
        kind: kind.as_str().to_owned(),
        name,
        user_id: user,
        source,
        created_at: now,
        last_used_at: None,
        revoked_at: None,
    };
    let credential = NewCredential { hash: secret.hash, user, ..NewCredential::default() };
    let mut tx = scope.begin().await?;
    people::create_token(&mut tx, &token, &credential).await?;
    let body = serde_json::json!({"kind": token.kind, "name": token.name, "user": user});
    tx.record("token.created", &[&token.id], body)?;
    tx.commit(now).await?;
    Ok((token, secret))
}
