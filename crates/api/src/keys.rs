//! API keys: credentials of machines, which belong to the tenant and to nobody's account.

mod routes;

use std::time::Duration;

use axum::{Json, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use shieldops_identity::api_keys::{self as identity, NewKey};
use shieldops_model::{KeyId, Timestamp, id};
use shieldops_store::api_keys::{self, ApiKey};
use utoipa::ToSchema;

use crate::{
    List, Problem,
    auth::Caller,
    idempotency::shown_once,
    page::{Body, PathId, PlainQuery},
    precondition::{IfMatch, Tagged},
};

/// Keys, newest first.
#[utoipa::path(get, path = "/api/v1/keys", operation_id = "list_keys", tag = "keys", params(PlainQuery), responses((status = 200, body = List<ApiKey>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<ApiKey>>, Problem> {
    let now = caller.now();
    let page = api_keys::list(&mut caller.scope.read().await?, query.page(), now).await?;
    Ok(Json(query.answer(page)))
}

/// One key.
#[utoipa::path(get, path = "/api/v1/keys/{id}", operation_id = "get_key", tag = "keys", params(("id" = KeyId, Path)),
    responses((status = 200, body = ApiKey), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::ApiKeyKind>) -> Result<Tagged<ApiKey>, Problem> {
    let now = caller.now();
    let key = api_keys::find(&mut caller.scope.read().await?, id, now).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(key.version, key))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    name: String,
    /// What it may do: `alert.read`, …; never more than its maker.
    permissions: Vec<String>,
    /// `GET /api/v1/alerts/**`: `*` is one part of a path, a last `**` the rest; empty for every route. One that matches no
    /// route of the server is refused.
    #[serde(default)]
    routes: Vec<String>,
    /// Addresses and CIDR ranges that it may be used from; empty for anywhere.
    #[serde(default)]
    addresses: Vec<String>,
    /// Requests a second, instead of the tenant's limit for one principal.
    rate_per_s: Option<u32>,
    expires_at: Option<Timestamp>,
}

impl From<KeyBody> for NewKey {
    fn from(body: KeyBody) -> Self {
        Self {
            name: body.name,
            permissions: body.permissions,
            routes: body.routes,
            addresses: body.addresses,
            rate_per_s: body.rate_per_s,
            expires_at: body.expires_at,
        }
    }
}

/// A key with its secret. It is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedKey {
    #[serde(flatten)]
    about: ApiKey,
    /// `sko_…`
    key: String,
    /// After a rotation: until when the secrets before this one are good.
    older_until: Option<Timestamp>,
}

/// Makes a key.
#[utoipa::path(post, path = "/api/v1/keys", operation_id = "create_key", tag = "keys", request_body = KeyBody,
    responses((status = 201, body = CreatedKey), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<KeyBody>) -> Result<Response, Problem> {
    caller.recent()?;
    routes::check(&body.routes)?;
    let (about, secret) = identity::create(&caller.scope, &caller.rights, body.into()).await?;
    let created = CreatedKey { about, key: secret.expose().to_owned(), older_until: None };
    Ok(shown_once(&["key"], (StatusCode::CREATED, Json(created))))
}

/// Replaces what a key may do, from where and until when; its secrets stay.
#[utoipa::path(put, path = "/api/v1/keys/{id}", operation_id = "update_key", tag = "keys", params(("id" = KeyId, Path)), request_body = KeyBody,
    responses((status = 200, body = ApiKey), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::ApiKeyKind>,
    Body(body): Body<KeyBody>,
) -> Result<Tagged<ApiKey>, Problem> {
    caller.recent()?;
    routes::check(&body.routes)?;
    let expected = version(&caller, id).await?;
    seen.check(expected)?;
    let key = identity::update(&caller.scope, &caller.rights, id, body.into(), expected).await?;
    Ok(Tagged(key.version, key))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the secrets before stay good: a day unless told, at most 30 days.
    overlap_s: Option<u64>,
}

/// Gives a key another secret; the ones before stay good for the overlap, so that nothing has to stop.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", operation_id = "rotate_key", tag = "keys", params(("id" = KeyId, Path)), request_body = Rotation,
    responses((status = 201, body = CreatedKey), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn rotate(
    caller: Caller,
    PathId(id): PathId<id::ApiKeyKind>,
    Body(body): Body<Rotation>,
) -> Result<Response, Problem> {
    caller.recent()?;
    let overlap = body.overlap_s.map_or(Duration::from_hours(24), Duration::from_secs);
    let (about, secret, until) = identity::rotate(&caller.scope, &caller.rights, id, overlap).await?;
    let created = CreatedKey { about, key: secret.expose().to_owned(), older_until: Some(until) };
    Ok(shown_once(&["key"], (StatusCode::CREATED, Json(created))))
}

/// Revokes a key with all its secrets: refused on the next request.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", operation_id = "revoke_key", tag = "keys", params(("id" = KeyId, Path)),
    responses((status = 204, description = "Revoked"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::ApiKeyKind>,
) -> Result<StatusCode, Problem> {
    caller.recent()?;
    let expected = seen.expected(version(&caller, id).await?)?;
    identity::revoke(&caller.scope, &caller.rights, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn version(caller: &Caller, id: KeyId) -> Result<i64, Problem> {
    let now = caller.now();
    let key = api_keys::find(&mut caller.scope.read().await?, id, now).await?.ok_or_else(Problem::not_found)?;
    Ok(key.version)
}
