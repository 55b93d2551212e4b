//! Settings of the tenant: every version is kept, and an earlier one can be made the latest again.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_identity::{
    duties::{self, HeldTogether},
    permission::{self, Permission},
};
use shieldops_model::{
    Reason, RoleId, Timestamp,
    tenant::{SettingsBase, TenantSettings},
};
use shieldops_store::{
    Access, Tx, roles,
    settings::{self, Versioned},
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PlainQuery},
    precondition::{IfMatch, Tagged},
};

/// The settings in force, and where they come from.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsView {
    /// 0 while the tenant has none of its own.
    version: i64,
    at: Option<Timestamp>,
    by: String,
    /// What the tenant says itself.
    own: TenantSettings,
    /// What the installation's configuration says.
    base: SettingsBase,
    /// What holds.
    effective: SettingsBase,
    /// Who holds both of a pair of `separation_of_duty` already, as far as the caller may see members and keys: what was
    /// given before the pair was set stays until somebody changes it.
    held_together: Vec<HeldTogether>,
}

async fn view(
    access: &mut impl Access,
    caller: &Caller,
    base: &SettingsBase,
    version: Versioned<TenantSettings>,
) -> Result<Tagged<SettingsView>, Problem> {
    let Versioned { version, at, by, value } = version;
    let reads = caller.rights.permissions();
    let held_together = duties::held_together(access, &value.separation_of_duty, reads, caller.now()).await?;
    let effective = value.effective(base);
    Ok(Tagged(version, SettingsView { version, at, by, own: value, base: base.clone(), effective, held_together }))
}

/// The settings in force.
#[utoipa::path(get, path = "/api/v1/settings", operation_id = "get_settings", tag = "settings", responses((status = 200, body = SettingsView)))]
pub(crate) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Tagged<SettingsView>, Problem> {
    let mut reader = caller.scope.read().await?;
    let current = settings::current(&mut reader).await?;
    view(&mut reader, &caller, &app.base, current).await
}

/// Replaces the tenant's own settings; what is absent is inherited.
#[utoipa::path(put, path = "/api/v1/settings", operation_id = "update_settings", tag = "settings", request_body = TenantSettings,
    responses((status = 200, body = SettingsView), (status = 400, body = Problem), (status = 403, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<TenantSettings>,
) -> Result<Tagged<SettingsView>, Problem> {
    caller.recent()?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let expected = seen.expected(settings::current(&mut tx).await?.version)?;
    check(&mut tx, &app.base, &body).await?;
    let version = settings::put(&mut tx, &body, expected, now).await?;
    let shown = view(&mut tx, &caller, &app.base, version).await?;
    tx.commit(now).await?;
    Ok(shown)
}

/// Whether settings may apply now: what an earlier version says may have been allowed then, and name a role that is gone.
async fn check(tx: &mut Tx, base: &SettingsBase, settings: &TenantSettings) -> Result<(), Problem> {
    let known: Vec<RoleId> = roles::list(tx).await?.iter().map(|role| role.id).collect();
    let is_role = |role: &str| permission::ROLES.contains(&role) || role.parse().is_ok_and(|id| known.contains(&id));
    let problems = settings.check(base, &|word| Permission::parse(word).is_some(), &is_role);
    if problems.is_empty() {
        return Ok(());
    }
    let errors = problems.into_iter().map(|problem| Reason { code: problem.field, detail: problem.detail }).collect();
    Err(Problem { errors, ..Problem::invalid("the settings are not valid; `errors` names each field") })
}

/// Versions, newest first.
#[utoipa::path(get, path = "/api/v1/settings/versions", operation_id = "list_settings_versions", tag = "settings", params(PlainQuery), responses((status = 200, body = List<Versioned<TenantSettings>>)))]
pub(crate) async fn versions(
    caller: Caller,
    query: PlainQuery,
) -> Result<Json<List<Versioned<TenantSettings>>>, Problem> {
    let page = settings::versions(&mut caller.scope.read().await?, query.page()).await?;
    Ok(Json(query.answer(page)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollback {
    /// The version whose values come back, as a new version.
    version: i64,
}

/// Makes the values of an earlier version the latest.
#[utoipa::path(post, path = "/api/v1/settings/rollback", operation_id = "roll_back_settings", tag = "settings", request_body = Rollback,
    responses((status = 200, body = SettingsView), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn rollback(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<Rollback>,
) -> Result<Tagged<SettingsView>, Problem> {
    caller.recent()?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let expected = seen.expected(settings::current(&mut tx).await?.version)?;
    let earlier = settings::of_version(&mut tx, body.version).await?.ok_or_else(Problem::not_found)?;
    check(&mut tx, &app.base, &earlier.value).await?;
    let version = settings::rollback(&mut tx, body.version, expected, now).await?;
    let shown = view(&mut tx, &caller, &app.base, version).await?;
    tx.commit(now).await?;
    Ok(shown)
}
