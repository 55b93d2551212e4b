//! Local users of the tenant.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use shieldops_identity::{create_user, hash_password, password, permission::ROLES};
use shieldops_model::{Code, UserId, id};
use shieldops_store::people::{self, User};
use utoipa::ToSchema;

use crate::{
    List, Problem,
    auth::Caller,
    page::{Body, PageParams, Params, PathId},
};

/// Users by name.
#[utoipa::path(get, path = "/api/v1/users", operation_id = "list_users", tag = "users", params(PageParams), responses((status = 200, body = List<User>)))]
pub(crate) async fn list(caller: Caller, Params(params): Params<PageParams>) -> Result<Json<List<User>>, Problem> {
    let users = people::users(&mut caller.scope.read().await?).await?;
    List::page(users, params, |user| user.id.to_string()).map(Json)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// 1 to 64 letters, digits, or ._-@
    name: String,
    /// `admin`, `analyst` or `viewer`.
    role: String,
    /// At least 12 characters.
    password: String,
}

/// Makes a local user.
#[utoipa::path(post, path = "/api/v1/users", operation_id = "create_user", tag = "users", request_body = NewUser,
    responses((status = 201, body = User), (status = 409, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<NewUser>) -> Result<(StatusCode, Json<User>), Problem> {
    let user = create_user(&caller.scope, &body.name, &body.role, Some(body.password)).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserPatch {
    role: Option<String>,
    /// Ends the user's sessions.
    password: Option<String>,
    disabled: Option<bool>,
}

/// Changes role, password or state of a user.
#[utoipa::path(patch, path = "/api/v1/users/{id}", operation_id = "update_user", tag = "users", params(("id" = UserId, Path)), request_body = UserPatch,
    responses((status = 200, body = User), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    PathId(id): PathId<id::UserKind>,
    Body(patch): Body<UserPatch>,
) -> Result<Json<User>, Problem> {
    let now = caller.scope.store().clock().now();
    if patch.role.as_ref().is_some_and(|role| !ROLES.contains(&role.as_str())) {
        return Err(Problem::invalid(format!("there is no role `{}`", patch.role.unwrap_or_default())));
    }
    let known = people::users(&mut caller.scope.read().await?).await?;
    let name = known.iter().find(|user| user.id == id).ok_or_else(Problem::not_found)?.name.clone();
    let password_hash = match patch.password {
        None => None,
        Some(given) => Some(hash(&name, given).await?),
    };
    let mut tx = caller.scope.begin().await?;
    // Read again under the writer's lock: of two administrators who step down at once, one stays.
    let users = people::users(&mut tx).await?;
    let user = users.iter().find(|user| user.id == id).ok_or_else(Problem::not_found)?.clone();
    let role = patch.role.unwrap_or_else(|| user.role.clone());
    let disabled = patch.disabled.unwrap_or(user.disabled);
    if user.role == "admin" && (role != "admin" || disabled) && !another_administrator(&users, id) {
        return Err(Problem::new(
            Code::CONFLICT,
            "this is the last administrator who can sign in: make another one first",
        ));
    }
    people::set_user(&mut tx, id, &role, disabled.then_some(now)).await?;
    if let Some(password_hash) = &password_hash {
        people::set_password(&mut tx, id, password_hash, caller.principal.session, now).await?;
    }
    let body = serde_json::json!({"before": {"role": user.role, "disabled": user.disabled}, "after": {"role": role, "disabled": disabled}, "password_changed": password_hash.is_some()});
    tx.record("user.updated", &[&id], body)?;
    tx.commit(now).await?;
    let users = people::users(&mut caller.scope.read().await?).await?;
    users.into_iter().find(|user| user.id == id).map(Json).ok_or_else(Problem::not_found)
}

fn another_administrator(users: &[User], than: UserId) -> bool {
    users.iter().any(|user| user.id != than && user.role == "admin" && !user.disabled && user.has_password)
}

async fn hash(name: &str, given: String) -> Result<String, Problem> {
    password::check(name, &given).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(hash_password(given).await?)
}
