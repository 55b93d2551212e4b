//! Personal and ingest tokens: shown once, revocable at once.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use shieldops_identity::{CredentialKind, Permission, create_token, lasting};
use shieldops_model::{Code, TokenId, id};
use shieldops_store::{
    people::{self, Token},
    settings,
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    idempotency::shown_once,
    page::{Body, PathId, PlainQuery},
    precondition::IfMatch,
};

/// Tokens, newest first: all of the tenant's for whoever has `key.read`, else one's own.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "tokens", params(PlainQuery), responses((status = 200, body = List<Token>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<Token>>, Problem> {
    let mut tokens = people::tokens(&mut caller.scope.read().await?).await?;
    if !caller.has(Permission::KeyRead) {
        tokens.retain(|token| is_own(&caller, token));
    }
    query.of(tokens, |token| token.id.to_string()).map(Json)
}

/// A machine owns no tokens, and a token without a person is no machine's.
fn is_own(caller: &Caller, token: &Token) -> bool {
    token.user_id.is_some() && token.user_id == caller.principal.user
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TokenKind {
    Personal,
    Ingest,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    kind: TokenKind,
    name: String,
    /// The default source of an ingest token's events.
    source: Option<String>,
    /// Days that a personal token lasts: as many as the tenant allows unless told, and no more. An ingest token lasts until it
    /// is revoked.
    days: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedToken {
    #[serde(flatten)]
    about: Token,
    /// The credential. It is shown this once.
    token: String,
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = NewToken, responses((status = 201, body = CreatedToken), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewToken>,
) -> Result<Response, Problem> {
    let kind = match body.kind {
        TokenKind::Personal => CredentialKind::Personal,
        TokenKind::Ingest if caller.has(Permission::KeyWrite) => CredentialKind::Ingest,
        TokenKind::Ingest => return Err(Problem::new(Code::FORBIDDEN, "an administrator makes ingest tokens")),
    };
    caller.recent()?;
    let source = body.source.map(|text| crate::intake::name("source", text)).transpose()?;
    let user = if kind == CredentialKind::Personal { Some(caller.user()?) } else { None };
    let lasts = match kind {
        CredentialKind::Personal => {
            let own = settings::current(&mut caller.scope.read().await?).await?.value;
            Some(lasting(&own.effective(&app.base), body.days)?)
        }
        _ if body.days.is_some() => return Err(Problem::invalid("`days` is for personal tokens")),
        _ => None,
    };
    let (about, secret) = create_token(&caller.scope, kind, &body.name, user, source, lasts).await?;
    let created = CreatedToken { about, token: secret.expose().to_owned() };
    Ok(shown_once(&["token"], (StatusCode::CREATED, Json(created))))
}

/// Revokes a token: it is refused on its next request.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 204, description = "Revoked"), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::TokenKind>,
) -> Result<StatusCode, Problem> {
    let now = caller.scope.store().clock().now();
    let mut tx = caller.scope.begin().await?;
    if !caller.has(Permission::KeyWrite) {
        let own = people::tokens(&mut tx).await?.iter().any(|token| token.id == id && is_own(&caller, token));
        if !own {
            return Err(Problem::not_found());
        }
    }
    people::revoke_token(&mut tx, id, now).await?;
    tx.record("token.revoked", &[&id], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}
