//! Personal and ingest tokens: shown once, revocable at once.

use axum::{Json, http::StatusCode};
use serde::{Deserialize, Serialize};
use shieldops_identity::{CredentialKind, create_token};
use shieldops_model::{Code, TokenId, id};
use shieldops_store::people::{self, Token};
use utoipa::ToSchema;

use crate::{
    List, Problem,
    auth::Caller,
    page::{Body, PageParams, Params, PathId},
};

/// Tokens, newest first: all of the tenant's for administrators, else one's own.
#[utoipa::path(get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "tokens", params(PageParams), responses((status = 200, body = List<Token>)))]
pub(crate) async fn list(caller: Caller, Params(params): Params<PageParams>) -> Result<Json<List<Token>>, Problem> {
    let mut tokens = people::tokens(&mut caller.scope.read().await?).await?;
    if caller.principal.role != "admin" {
        tokens.retain(|token| token.user_id == caller.principal.user);
    }
    List::page(tokens, params, |token| token.id.to_string()).map(Json)
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
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedToken {
    #[serde(flatten)]
    about: Token,
    /// The credential. It is shown this once.
    token: String,
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tokens", operation_id = "create_token", tag = "tokens", request_body = NewToken, responses((status = 201, body = CreatedToken)))]
pub(crate) async fn create(
    caller: Caller,
    Body(body): Body<NewToken>,
) -> Result<(StatusCode, Json<CreatedToken>), Problem> {
    let kind = match body.kind {
        TokenKind::Personal => CredentialKind::Personal,
        TokenKind::Ingest if caller.principal.role == "admin" => CredentialKind::Ingest,
        TokenKind::Ingest => return Err(Problem::new(Code::FORBIDDEN, "an administrator makes ingest tokens")),
    };
    let source = body.source.map(|text| crate::intake::name("source", text)).transpose()?;
    let user = if kind == CredentialKind::Personal { Some(caller.user()?) } else { None };
    let (about, secret) = create_token(&caller.scope, kind, &body.name, user, source).await?;
    Ok((StatusCode::CREATED, Json(CreatedToken { about, token: secret.expose().to_owned() })))
}

/// Revokes a token: it is refused on its next request.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens", params(("id" = TokenId, Path)),
    responses((status = 204, description = "Revoked"), (status = 404, body = Problem)))]
pub(crate) async fn revoke(caller: Caller, PathId(id): PathId<id::TokenKind>) -> Result<StatusCode, Problem> {
    let now = caller.scope.store().clock().now();
    let mut tx = caller.scope.begin().await?;
    if caller.principal.role != "admin" {
        let own = people::tokens(&mut tx)
            .await?
            .into_iter()
            .any(|token| token.id == id && token.user_id == caller.principal.user);
        if !own {
            return Err(Problem::not_found());
        }
    }
    people::revoke_token(&mut tx, id, now).await?;
    tx.record("token.revoked", &[&id], serde_json::json!({}))?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}
