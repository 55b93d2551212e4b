//! Grants: a parent tenant's people may act in its child for a time, with one role.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shieldops_identity::grants::{self as identity, NewGrant};
use shieldops_model::{GrantId, Timestamp, id};
use shieldops_store::grants::{self, Grant};
use utoipa::{IntoParams, ToSchema};

use crate::{
    List, Problem,
    auth::Caller,
    page::{Body, Filter, ListQuery, PathId},
    precondition::IfMatch,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GrantFilter {
    /// Those that other tenants gave to this one, not those that it gave.
    held: Option<bool>,
}

impl Filter for GrantFilter {}

type GrantQuery = ListQuery<GrantFilter>;

/// Grants, newest first: given by this tenant, or held by it.
#[utoipa::path(get, path = "/api/v1/grants", operation_id = "list_grants", tag = "grants", params(GrantQuery), responses((status = 200, body = List<Grant>)))]
pub(crate) async fn list(caller: Caller, query: GrantQuery) -> Result<Json<List<Grant>>, Problem> {
    let mut read = caller.scope.read().await?;
    let page = if query.filter.held.unwrap_or_default() {
        grants::held(&mut read, query.page()).await?
    } else {
        grants::list(&mut read, query.page()).await?
    };
    Ok(Json(query.answer(page)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantBody {
    /// A built-in role, never wider than one's own.
    role: String,
    reason: String,
    /// At most 90 days from now.
    expires_at: Timestamp,
}

/// Lets the people of the parent tenant act here with a role, until a time.
#[utoipa::path(post, path = "/api/v1/grants", operation_id = "create_grant", tag = "grants", request_body = GrantBody,
    responses((status = 201, body = Grant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<GrantBody>) -> Result<Response, Problem> {
    let new = NewGrant { role: body.role, reason: body.reason, expires_at: body.expires_at };
    let grant = identity::create(&caller.scope, &caller.rights, &caller.principal, new).await?;
    Ok((StatusCode::CREATED, Json(grant)).into_response())
}

/// Ends a grant: whoever acts by it is refused on the next request.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", operation_id = "revoke_grant", tag = "grants", params(("id" = GrantId, Path)),
    responses((status = 204, description = "Ended"), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::GrantKind>,
) -> Result<StatusCode, Problem> {
    identity::revoke(&caller.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
