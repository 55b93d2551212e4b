//! The people of the tenant: their roles, and links that help them back in.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shieldops_identity::people::{self as identity, Change};
use shieldops_model::{Code, UserId, id};
use shieldops_store::people::{self, User};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    invitations::{self, Link},
    page::{Body, PathId, PlainQuery},
    precondition::{IfMatch, Tagged},
};

/// Members by name.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "users", params(PlainQuery), responses((status = 200, body = List<User>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<User>>, Problem> {
    let users = people::users(&mut caller.scope.read().await?).await?;
    query.of(users, |user| user.id.to_string()).map(Json)
}

/// One member.
#[utoipa::path(get, path = "/api/v1/users/{id}", operation_id = "get_user", tag = "users", params(("id" = UserId, Path)),
    responses((status = 200, body = User), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::UserKind>) -> Result<Tagged<User>, Problem> {
    let user = people::user(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(user.version, user))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// 1 to 64 letters, digits, or ._-@
    name: String,
    /// A built-in role or the id of a custom one.
    role: String,
    /// At least 12 characters.
    password: String,
}

/// Makes a person with a password that its maker knows; an invitation is better. Names are unique in the installation: where
/// it has other tenants, only its operator may be told that one is taken.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = 201, body = User), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewUser>,
) -> Result<Response, Problem> {
    if !caller.rights.is_operator() && app.store.tenants().await?.len() > 1 {
        let detail = "beside other tenants only an operator makes people with a password: invite them instead";
        return Err(Problem::new(Code::FORBIDDEN, detail));
    }
    caller.recent()?;
    let user = identity::create(&caller.scope, &caller.rights, &body.name, &body.role, Some(body.password)).await?;
    Ok((StatusCode::CREATED, Tagged(user.version, user)).into_response())
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    role: Option<String>,
    /// A disabled member is refused on the next request.
    disabled: Option<bool>,
}

/// Changes a member's role or state in this tenant.
#[utoipa::path(patch, path = "/api/v1/users/{id}", operation_id = "update_user", tag = "users", params(("id" = UserId, Path)), request_body = UserPatch,
    responses((status = 200, body = User), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::UserKind>,
    Body(patch): Body<UserPatch>,
) -> Result<Tagged<User>, Problem> {
    caller.recent()?;
    let known = people::user(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    let change = Change { role: patch.role, disabled: patch.disabled, expected: seen.expected(known.version)? };
    let user = identity::set_membership(&caller.scope, &caller.rights, id, change).await?;
    Ok(Tagged(user.version, user))
}

/// Ends a membership; the person goes with the last one.
#[utoipa::path(delete, path = "/api/v1/users/{id}", operation_id = "remove_user", tag = "users", params(("id" = UserId, Path)),
    responses((status = 204, description = "No member any more"), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    seen: IfMatch,
    PathId(id): PathId<id::UserKind>,
) -> Result<StatusCode, Problem> {
    caller.recent()?;
    let user = people::user(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    seen.check(user.version)?;
    identity::remove_membership(&caller.scope, &caller.rights, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a link with which the person chooses a new password. Only for who is a member here and nowhere else.
#[utoipa::path(post, path = "/api/v1/users/{id}/reset", operation_id = "make_reset_link", tag = "users", params(("id" = UserId, Path)),
    responses((status = 201, body = Link), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::UserKind>,
) -> Result<Response, Problem> {
    let (about, secret) = identity::reset_link(&caller.scope, &caller.rights, &caller.principal, id).await?;
    Ok(invitations::link(&app, "reset", about, &secret))
}

/// Removes the second factors of a person who lost them. Only for who is a member here and nowhere else.
#[utoipa::path(delete, path = "/api/v1/users/{id}/factors", operation_id = "remove_factors", tag = "users", params(("id" = UserId, Path)),
    responses((status = 204, description = "Removed"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove_factors(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::UserKind>,
) -> Result<StatusCode, Problem> {
    identity::remove_factors(&caller.scope, &caller.rights, &caller.principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
