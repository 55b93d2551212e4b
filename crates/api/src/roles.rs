//! Custom roles of the tenant, beside the built-in ones.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{permission, roles as identity};
use shieldops_model::{Environment, RoleId, id};
use shieldops_store::roles::{self, Role};
use utoipa::ToSchema;

use crate::{
    List, Problem,
    auth::Caller,
    page::{Body, PathId, PlainQuery},
    precondition::{IfMatch, Tagged},
};

/// A role that everybody has from the start.
#[derive(Serialize, ToSchema)]
pub(crate) struct BuiltIn {
    name: &'static str,
    permissions: Vec<&'static str>,
}

/// The roles there are.
#[derive(Serialize, ToSchema)]
pub(crate) struct Roles {
    /// The tenant's own, by name.
    #[serde(flatten)]
    own: List<Role>,
    built_in: Vec<BuiltIn>,
}

/// Custom roles by name, and the built-in ones with what they may do.
#[utoipa::path(get, path = "/api/v1/roles", operation_id = "list_roles", tag = "roles", params(PlainQuery), responses((status = 200, body = Roles)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<Roles>, Problem> {
    let roles = roles::list(&mut caller.scope.read().await?).await?;
    let own = query.of(roles, |role| role.id.to_string())?;
    let built_in =
        permission::ROLES.into_iter().map(|name| BuiltIn { name, permissions: permission::of_role(name).names() });
    Ok(Json(Roles { own, built_in: built_in.collect() }))
}

/// One custom role.
#[utoipa::path(get, path = "/api/v1/roles/{id}", operation_id = "get_role", tag = "roles", params(("id" = RoleId, Path)),
    responses((status = 200, body = Role), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::RoleKind>) -> Result<Tagged<Role>, Problem> {
    let role = roles::find(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(role.version, role))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleBody {
    /// 1 to 64 characters, unlike any other role's.
    name: String,
    /// `alert.read`, … as `GET /api/v1/me/permissions` lists them; never more than one's own.
    permissions: Vec<String>,
    /// Limits what touches targets to these environments; absent for all.
    environments: Option<Vec<Environment>>,
}

impl From<RoleBody> for identity::NewRole {
    fn from(body: RoleBody) -> Self {
        Self { name: body.name, permissions: body.permissions, environments: body.environments }
    }
}

/// Makes a custom role.
#[utoipa::path(post, path = "/api/v1/roles", operation_id = "create_role", tag = "roles", request_body = RoleBody,
    responses((status = 201, body = Role), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<RoleBody>) -> Result<Response, Problem> {
    caller.recent()?;
    let role = identity::create(&caller.scope, &caller.rights, body.into()).await?;
    Ok((StatusCode::CREATED, Tagged(role.version, role)).into_response())
}

/// Replaces a custom role; it holds for its members on their next request.
#[utoipa::path(put, path = "/api/v1/roles/{id}", operation_id = "update_role", tag = "roles", params(("id" = RoleId, Path)), request_body = RoleBody,
    responses((status = 200, body = Role), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::RoleKind>,
    Body(body): Body<RoleBody>,
) -> Result<Tagged<Role>, Problem> {
    caller.recent()?;
    let expected = version(&caller, id, &seen).await?;
    let role = identity::update(&caller.scope, &caller.rights, id, body.into(), expected).await?;
    Ok(Tagged(role.version, role))
}

/// Deletes a custom role that nobody has.
#[utoipa::path(delete, path = "/api/v1/roles/{id}", operation_id = "delete_role", tag = "roles", params(("id" = RoleId, Path)),
    responses((status = 204, description = "Deleted"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::RoleKind>,
) -> Result<StatusCode, Problem> {
    caller.recent()?;
    let expected = version(&caller, id, &seen).await?;
    identity::remove(&caller.scope, &caller.rights, id, expected).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn version(caller: &Caller, id: RoleId, seen: &IfMatch) -> Result<i64, Problem> {
    let role = roles::find(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    seen.check(role.version)?;
    Ok(role.version)
}
