//! Settings of the gate: numbers, freezes, teams, what is protected. A change is a draft until another person activates it;
//! what only tightens its author activates alone.

mod diff;
pub(crate) mod effects;
pub(crate) mod tighten;

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use shieldops_model::{Code, Reason, Timestamp};
use shieldops_policy::{GateSettings, ProtectedEntry, ProtectedKind};
use shieldops_store::{
    Access, Page, StoreError,
    gate::settings::{self, Activated, Version},
    people, targets,
};
use utoipa::{IntoParams, ToSchema};

use self::{diff::SettingsDifference, tighten::only_tightens};
use crate::{
    App, List, Problem,
    alerts::reason,
    auth::Caller,
    page::{Body, Params, PlainQuery},
    plans::ReasonBody,
    precondition::{IfMatch, Tagged},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GateVersionState {
    /// It waits to be activated.
    Draft,
    /// Another version came into force since it was written: write it again.
    Outdated,
    InForce,
    /// It was in force.
    Superseded,
}

/// A version, without its settings.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateVersion {
    number: i64,
    state: GateVersionState,
    at: Timestamp,
    by: String,
    by_name: String,
    reason: String,
    /// The version that was in force when it was written; 0 is what is built in.
    base: i64,
    /// The version that it brings back.
    restores: Option<i64>,
    activated: Option<Activated>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateVersionDetail {
    #[serde(flatten)]
    version: GateVersion,
    /// Against the version that it was written over: whoever wrote what only tightens may activate it alone.
    tightens: bool,
    settings: GateSettings,
}

/// What is in force, and what waits.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GateSettingsView {
    /// 0: what is built in.
    number: i64,
    settings: GateSettings,
    activated: Option<Activated>,
    /// The newest version that waits to be activated.
    draft: Option<GateVersionDetail>,
}

/// The settings that a document holds.
///
/// # Errors
/// A document that does not read is damaged: nothing is made of it.
pub(crate) fn parsed(document: &serde_json::Value) -> Result<GateSettings, Problem> {
    serde_json::from_value(document.clone())
        .map_err(|error| StoreError::Damaged { detail: format!("settings of the gate: {error}") }.into())
}

/// What is in force; the built-in settings while nothing else is.
pub(crate) async fn in_force(access: &mut impl Access) -> Result<(i64, GateSettings, Option<Activated>), Problem> {
    match settings::in_force(access).await? {
        Some(version) => Ok((version.number, parsed(&version.document)?, version.activated)),
        None => Ok((0, GateSettings::default(), None)),
    }
}

/// The settings of a version; 0 is what is built in.
async fn of_number(access: &mut impl Access, number: i64) -> Result<GateSettings, Problem> {
    if number == 0 {
        return Ok(GateSettings::default());
    }
    parsed(&settings::find(access, number).await?.ok_or_else(Problem::not_found)?.document)
}

fn brief(version: Version, live: i64) -> GateVersion {
    let state = match &version.activated {
        Some(_) if version.number == live => GateVersionState::InForce,
        Some(_) => GateVersionState::Superseded,
        None if version.base == live => GateVersionState::Draft,
        None => GateVersionState::Outdated,
    };
    GateVersion {
        number: version.number,
        state,
        at: version.at,
        by: version.by,
        by_name: version.by_name,
        reason: version.reason,
        base: version.base,
        restores: version.restores,
        activated: version.activated,
    }
}

async fn whole(access: &mut impl Access, version: Version, live: i64) -> Result<GateVersionDetail, Problem> {
    let (after, base) = (parsed(&version.document)?, version.base);
    // Drafts go after a time, what was in force never does.
    let before = of_number(access, base).await?;
    Ok(GateVersionDetail { tightens: only_tightens(&before, &after), settings: after, version: brief(version, live) })
}

/// The settings of the gate in force, and the draft that waits.
#[utoipa::path(get, path = "/api/v1/gate-settings", operation_id = "get_gate_settings", tag = "gate", responses((status = 200, body = GateSettingsView)))]
pub(crate) async fn show(caller: Caller) -> Result<Tagged<GateSettingsView>, Problem> {
    let mut reader = caller.scope.read().await?;
    let (number, settings, activated) = in_force(&mut reader).await?;
    let draft = match settings::draft(&mut reader).await? {
        Some(version) => Some(whole(&mut reader, version, number).await?),
        None => None,
    };
    Ok(Tagged(number, GateSettingsView { number, settings, activated, draft }))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateSettingsText {
    /// All of them; what is left out has its built-in value.
    settings: GateSettings,
    /// Why. It stands in the ledger.
    reason: String,
}

/// Entries that protect a target and name none that there is: they protect nothing, and nobody would see it. One that is in
/// force already may stay when its target is gone.
async fn unknown_targets(
    access: &mut impl Access,
    settings: &GateSettings,
    live: &GateSettings,
) -> Result<Vec<Reason>, Problem> {
    let new = |entry: &ProtectedEntry| entry.kind == ProtectedKind::Target && !live.protected.contains(entry);
    if !settings.protected.iter().any(new) {
        return Ok(Vec::new());
    }
    let known = targets::all(access).await?;
    let names = |entry: &ProtectedEntry| {
        known.iter().any(|target| target.name == entry.value || target.id.to_string() == entry.value)
    };
    let wrong = settings.protected.iter().enumerate().filter(|(_, entry)| new(entry) && !names(entry));
    let told = wrong.map(|(place, entry)| Reason {
        code: format!("protected.{place}.value"),
        detail: format!("no target `{}` is registered: want the name or the id of one", entry.value),
    });
    Ok(told.collect())
}

/// Everything that is wrong with settings, at once, besides `known`.
async fn check(access: &mut impl Access, settings: &GateSettings, known: Vec<Reason>) -> Result<(), Problem> {
    let mut errors: Vec<Reason> = match settings.check() {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| Reason { code: error.path, detail: error.why }).collect(),
    };
    errors.extend(known);
    let members = people::users(access).await?;
    for (place, team) in settings.teams.iter().enumerate() {
        for (number, member) in team.members.iter().enumerate() {
            if !members.iter().any(|known| known.id == *member) {
                let code = format!("teams.{place}.members.{number}");
                errors.push(Reason { code, detail: "is no member of this tenant".to_owned() });
            }
        }
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem { errors, ..Problem::invalid("the settings are not valid; `errors` names each field") })
}

/// Writes settings as a draft. They are in force when another person activates them, or their author if they only tighten.
#[utoipa::path(put, path = "/api/v1/gate-settings", operation_id = "draft_gate_settings", tag = "gate", request_body = GateSettingsText,
    responses((status = 200, body = GateVersionDetail), (status = 400, body = Problem), (status = 403, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn draft(
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<GateSettingsText>,
) -> Result<Json<GateVersionDetail>, Problem> {
    caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let (live, now_in_force, _) = in_force(&mut tx).await?;
    seen.check(live)?;
    let unknown = unknown_targets(&mut tx, &body.settings, &now_in_force).await?;
    check(&mut tx, &body.settings, unknown).await?;
    let document = document(&body.settings)?;
    let version = settings::write(&mut tx, (&document, None), &body.reason, Some(live), now).await?;
    let detail = whole(&mut tx, version, live).await?;
    tx.commit(now).await?;
    Ok(Json(detail))
}

fn document(settings: &GateSettings) -> Result<serde_json::Value, Problem> {
    serde_json::to_value(settings).map_err(|error| Problem::invalid(error.to_string()))
}

/// Versions, newest first.
#[utoipa::path(get, path = "/api/v1/gate-settings/versions", operation_id = "list_gate_settings_versions", tag = "gate", params(PlainQuery), responses((status = 200, body = List<GateVersion>)))]
pub(crate) async fn versions(caller: Caller, query: PlainQuery) -> Result<Json<List<GateVersion>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let live = settings::in_force(&mut reader).await?.map_or(0, |version| version.number);
    let page = settings::versions(&mut reader, query.page()).await?;
    let items = page.items.into_iter().map(|version| brief(version, live)).collect();
    Ok(Json(query.answer(Page { items, next_cursor: page.next_cursor })))
}

/// One version with its settings.
#[utoipa::path(get, path = "/api/v1/gate-settings/versions/{number}", operation_id = "get_gate_settings_version", tag = "gate", params(("number" = i64, Path)),
    responses((status = 200, body = GateVersionDetail), (status = 404, body = Problem)))]
pub(crate) async fn version(caller: Caller, Path(number): Path<String>) -> Result<Json<GateVersionDetail>, Problem> {
    let number = numbered(&number)?;
    let mut reader = caller.scope.read().await?;
    let live = settings::in_force(&mut reader).await?.map_or(0, |version| version.number);
    let version = settings::find(&mut reader, number).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(whole(&mut reader, version, live).await?))
}

fn numbered(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_no_number| Problem::not_found())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffParams {
    /// A version; 0 is what is built in. Absent: what is in force.
    from: Option<i64>,
    /// A version; 0 is what is built in. Absent: what is in force.
    to: Option<i64>,
}

/// What differs between two versions, field by field.
#[utoipa::path(get, path = "/api/v1/gate-settings/diff", operation_id = "diff_gate_settings", tag = "gate", params(DiffParams),
    responses((status = 200, body = SettingsDifference), (status = 404, body = Problem)))]
pub(crate) async fn difference(
    caller: Caller,
    Params(params): Params<DiffParams>,
) -> Result<Json<SettingsDifference>, Problem> {
    let mut reader = caller.scope.read().await?;
    let live = settings::in_force(&mut reader).await?.map_or(0, |version| version.number);
    let (from, to) = (params.from.unwrap_or(live), params.to.unwrap_or(live));
    let before = of_number(&mut reader, from).await?;
    let after = of_number(&mut reader, to).await?;
    let tightens = only_tightens(&before, &after);
    Ok(Json(SettingsDifference { from, to, tightens, changes: diff::changes(&document(&before)?, &document(&after)?) }))
}

/// Puts a version in force. Another person than its author does, unless it only tightens.
#[utoipa::path(post, path = "/api/v1/gate-settings/versions/{number}/activate", operation_id = "activate_gate_settings", tag = "gate", params(("number" = i64, Path)), request_body = ReasonBody,
    responses((status = 200, body = GateVersionDetail), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn activate(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(number): Path<String>,
    Body(body): Body<ReasonBody>,
) -> Result<Json<GateVersionDetail>, Problem> {
    caller.recent()?;
    caller.person()?;
    reason(&body.reason)?;
    let (number, now) = (numbered(&number)?, caller.now());
    let mut tx = caller.scope.begin().await?;
    let version = settings::find(&mut tx, number).await?.ok_or_else(Problem::not_found)?;
    let (live, before, _) = in_force(&mut tx).await?;
    let after = parsed(&version.document)?;
    let tightens = version.base == live && only_tightens(&before, &after);
    if version.activated.is_some() {
        return Err(Problem::new(Code::CONFLICT, "the version was activated already: roll back to bring it back"));
    }
    if version.base != live {
        let detail = format!("version {live} came into force after this one was written: write it again over that");
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    if version.by == caller.scope.actor().id && !tightens {
        let detail = "you wrote this version, and it does more than tighten: another person must activate it";
        return Err(Problem::new(Code::SECOND_PERSON_REQUIRED, detail));
    }
    check(&mut tx, &after, Vec::new()).await?;
    let version = settings::activate(&mut tx, number, tightens, &body.reason, now).await?;
    let detail = whole(&mut tx, version, number).await?;
    tx.commit(now).await?;
    // In force it is, whatever becomes of these.
    if let Err(problem) = effects::plan_lifting(&app, &caller, &before, &after).await {
        tracing::warn!(
            code = problem.code,
            detail = problem.detail,
            "what is on protected things is listed and not planned"
        );
    }
    Ok(Json(detail))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateRollback {
    /// The version whose settings come back, as a new draft; 0 is what is built in.
    version: i64,
    reason: String,
}

/// Brings the settings of an earlier version back, as a draft.
#[utoipa::path(post, path = "/api/v1/gate-settings/rollback", operation_id = "roll_back_gate_settings", tag = "gate", request_body = GateRollback,
    responses((status = 200, body = GateVersionDetail), (status = 400, body = Problem), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn rollback(
    caller: Caller,
    seen: IfMatch,
    Body(body): Body<GateRollback>,
) -> Result<Json<GateVersionDetail>, Problem> {
    caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let (live, ..) = in_force(&mut tx).await?;
    seen.check(live)?;
    let earlier = of_number(&mut tx, body.version).await?;
    check(&mut tx, &earlier, Vec::new()).await?;
    let restores = Some(body.version);
    let version = settings::write(&mut tx, (&document(&earlier)?, restores), &body.reason, Some(live), now).await?;
    let detail = whole(&mut tx, version, live).await?;
    tx.commit(now).await?;
    Ok(Json(detail))
}
