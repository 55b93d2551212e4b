//! Plans: propose, read, approve, reject, execute, plan again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::{Json, body::Bytes, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_identity::permission::{self, Permission};
use shieldops_model::{
    Code, Environment, IncidentId, OnFailure, Override, Plan, PlanId, PlanState, ProposedAction, UserId, id,
};
use shieldops_policy::{Explanation, Requester, RequesterKind};
use shieldops_respond::{Engine, MAX_ACTIONS, Person, PlanRequest};
use shieldops_store::{
    Access, RoleRef, incidents, people, plans,
    roles::{self, Role},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, Filter, ListQuery, PathId, enums, parse},
    reach,
};

/// How long an answer waits for a run to end; the run goes on after it.
const RUN_WAIT: Duration = Duration::from_secs(5);
/// A plan's title, in bytes.
const TITLE: usize = 200;

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlanFilter {
    incident_id: Option<String>,
    /// One state, or several between commas.
    state: Option<String>,
}

impl Filter for PlanFilter {}

type PlanQuery = ListQuery<PlanFilter>;

/// Plans, newest first.
#[utoipa::path(get, path = "/api/v1/plans", operation_id = "list_plans", tag = "plans", params(PlanQuery), responses((status = 200, body = List<Plan>)))]
pub(crate) async fn list(caller: Caller, query: PlanQuery) -> Result<Json<List<Plan>>, Problem> {
    let filter = plans::Filter {
        incident: parse("incident_id", query.filter.incident_id.as_ref())?,
        state: enums::<PlanState>("state", query.filter.state.as_ref())?,
    };
    Ok(Json(query.answer(plans::list(&mut caller.scope.read().await?, &filter, query.page()).await?)))
}

/// A plan, and whether the caller may approve it.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanDetail {
    #[serde(flatten)]
    plan: Plan,
    can_approve: bool,
    cannot_approve_why: Option<String>,
    /// Who may approve it and has not yet, by name.
    approvers: Vec<String>,
    /// Who asked for it, by name; absent where no person did.
    requester_name: Option<String>,
}

async fn detail(access: &mut impl Access, caller: &Caller, plan: Plan) -> Result<PlanDetail, Problem> {
    let roles = roles::list(access).await?;
    let on = reach::environments(access, &plan).await?;
    let may = |role: &str| match RoleRef::parse(role) {
        RoleRef::BuiltIn(name) => permission::allows(&name, Permission::PlanApprove),
        RoleRef::Custom(id) => roles.iter().find(|role| role.id == id).is_some_and(|role| approves(role, &on)),
    };
    let voted = |user: UserId| plan.approvals.iter().any(|vote| vote.user == user);
    let users = people::users(access).await?;
    let requester_name = users.iter().find(|user| user.id.to_string() == plan.requester).map(|user| user.name.clone());
    let approvers: Vec<String> = users
        .into_iter()
        .filter(|user| may(&user.role) && !user.disabled && user.has_password)
        .filter(|user| user.id.to_string() != plan.requester && !voted(user.id))
        .map(|user| user.name)
        .collect();
    let why = crate::approvals::why_not(access, caller, &plan).await?;
    Ok(PlanDetail { plan, can_approve: why.is_none(), cannot_approve_why: why, approvers, requester_name })
}

/// Whether a custom role approves what is done in these environments.
fn approves(role: &Role, on: &BTreeSet<Environment>) -> bool {
    let holds = role.permissions.iter().any(|held| held == Permission::PlanApprove.as_str());
    holds && role.environments.as_ref().is_none_or(|limit| on.iter().all(|one| limit.contains(one)))
}

/// One plan.
#[utoipa::path(get, path = "/api/v1/plans/{id}", operation_id = "get_plan", tag = "plans", params(("id" = PlanId, Path)),
    responses((status = 200, body = PlanDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::PlanKind>) -> Result<Json<PlanDetail>, Problem> {
    let mut reader = caller.scope.read().await?;
    let plan = plans::get(&mut reader, id).await?;
    Ok(Json(detail(&mut reader, &caller, plan).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPlan {
    actions: Vec<ProposedAction>,
    incident_id: Option<IncidentId>,
    title: Option<String>,
    why: Option<String>,
    /// What becomes of the actions that were done when one of them does not succeed: they stay, or are undone.
    #[serde(default)]
    on_failure: OnFailure,
    /// Why a freeze that denies the plan is set aside. Everybody is told; the plan still needs its approvals.
    freeze_override: Option<String>,
}

/// A person who may approve plans sets a freeze aside.
fn setting_aside(caller: &Caller, reason: Option<String>) -> Result<Option<Override>, Problem> {
    let Some(reason) = reason else { return Ok(None) };
    crate::alerts::reason(&reason)?;
    if !caller.has(Permission::PlanApprove) {
        let detail = format!("the role `{}` may not set a freeze aside", caller.principal.role);
        return Err(Problem::new(Code::FORBIDDEN, detail));
    }
    let Person { user: by, name, client_addr, confirmed } = caller.person()?;
    Ok(Some(Override { by, name, reason, at: caller.now(), client_addr, confirmed }))
}

/// Plans actions against the live state of their targets. Nothing is changed.
#[utoipa::path(post, path = "/api/v1/plans", operation_id = "create_plan", tag = "plans", request_body = NewPlan,
    responses((status = 201, body = Plan), (status = 422, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewPlan>,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    check(&body)?;
    if let Some(incident) = body.incident_id {
        incidents::get(&mut caller.scope.read().await?, incident).await?;
    }
    let engine = app.engine(caller.principal.tenant)?;
    let title = body.title.unwrap_or_else(|| title_of(&engine, &body.actions));
    let freeze_override = setting_aside(&caller, body.freeze_override)?;
    let request = PlanRequest {
        title,
        why: body.why.unwrap_or_default(),
        actions: body.actions,
        requester: requester(&caller)?,
        requester_addr: caller.client_addr.clone(),
        incident_id: body.incident_id,
        not_checkable: Vec::new(),
        demo: false,
        confidence: None,
        on_failure: body.on_failure,
        freeze_override,
    };
    reach::targets(&caller, Permission::PlanCreate, request.actions.iter().map(|action| &action.target)).await?;
    let plan = engine.propose(request).await?;
    Ok((StatusCode::CREATED, Json(plan)))
}

/// What tells a plan from the others in a list: what is done, with what, and to which target.
fn title_of(engine: &Engine, actions: &[ProposedAction]) -> String {
    let Some(first) = actions.first() else { return String::new() };
    let known = engine.registry().find(&first.capability);
    let what = known.map_or(first.capability.as_str(), |capability| capability.describe().title);
    let more = if actions.len() > 1 { format!(", and {} more", actions.len() - 1) } else { String::new() };
    worded(what, &first.params, &format!(" on {}{more}", first.target.name))
}

fn worded(what: &str, params: &Value, on: &str) -> String {
    let given = params.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let words: Vec<String> = given.map(|(name, value)| param(name, value)).collect();
    let with = if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) };
    let on = cut(on, TITLE / 2);
    format!("{}{on}", cut(&format!("{what}{with}"), TITLE - on.len()))
}

/// Text speaks for itself, anything else by the name of its parameter.
fn param(name: &str, value: &Value) -> String {
    let one = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => format!("{name} {}", all.iter().map(one).collect::<Vec<_>>().join(" ")),
        other => format!("{name} {other}"),
    };
    cut(&text.replace(char::is_control, " "), TITLE / 2)
}

/// The text, or as much of it as these many bytes hold.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes.saturating_sub('…'.len_utf8()));
    format!("{}…", text.get(..end).unwrap_or_default())
}

fn check(body: &NewPlan) -> Result<(), Problem> {
    let wordy = |text: &Option<String>, most: usize| text.as_ref().is_some_and(|text| text.len() > most);
    if wordy(&body.title, TITLE) || wordy(&body.why, 4_096) {
        return Err(Problem::invalid("`title` has at most 200 bytes and `why` at most 4,096"));
    }
    if body.actions.is_empty() || body.actions.len() > MAX_ACTIONS {
        return Err(Problem::invalid(format!("a plan has 1 to {MAX_ACTIONS} actions")));
    }
    Ok(())
}

fn requester(caller: &Caller) -> Result<Requester, Problem> {
    Ok(Requester { id: caller.user()?.to_string(), kind: RequesterKind::User })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Approve {
    /// The hash of the plan as the approver saw it.
    hash: String,
}

/// Approves a plan by its hash; the last approval that is needed starts the run.
#[utoipa::path(post, path = "/api/v1/plans/{id}/approve", operation_id = "approve_plan", tag = "plans", params(("id" = PlanId, Path)), request_body = Approve,
    responses((status = 200, body = Plan), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn approve(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
    Body(body): Body<Approve>,
) -> Result<Json<Plan>, Problem> {
    reach::plan(&caller, Permission::PlanApprove, id).await?;
    let engine = app.engine(caller.principal.tenant)?;
    let plan = engine.approve(id, &body.hash, &caller.person()?).await?;
    settled(&engine, plan).await
}

pub(crate) async fn settled(engine: &Arc<Engine>, plan: Plan) -> Result<Json<Plan>, Problem> {
    match plan.state {
        PlanState::Approved | PlanState::Executing => Ok(Json(engine.wait(plan.id, RUN_WAIT).await?)),
        _ => Ok(Json(plan)),
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    pub(crate) reason: String,
}

/// Rejects a plan with a reason.
#[utoipa::path(post, path = "/api/v1/plans/{id}/reject", operation_id = "reject_plan", tag = "plans", params(("id" = PlanId, Path)), request_body = ReasonBody,
    responses((status = 200, body = Plan), (status = 409, body = Problem)))]
pub(crate) async fn reject(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
    Body(body): Body<ReasonBody>,
) -> Result<Json<Plan>, Problem> {
    crate::alerts::reason(&body.reason)?;
    reach::plan(&caller, Permission::PlanApprove, id).await?;
    Ok(Json(app.desk(caller.principal.tenant)?.reject(id, &body.reason, &caller.person()?).await?))
}

/// Starts the run of an approved plan, or says how it ended: calling it twice is calling it once.
#[utoipa::path(post, path = "/api/v1/plans/{id}/execute", operation_id = "execute_plan", tag = "plans", params(("id" = PlanId, Path)),
    responses((status = 200, body = Plan), (status = 409, body = Problem)))]
pub(crate) async fn execute(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
) -> Result<Json<Plan>, Problem> {
    reach::plan(&caller, Permission::PlanApprove, id).await?;
    let engine = app.engine(caller.principal.tenant)?;
    let plan = engine.execute(id, &caller.person()?).await?;
    settled(&engine, plan).await
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replan {
    /// Why a freeze that denies the plan is set aside. Everybody is told; the plan still needs its approvals.
    #[serde(default)]
    freeze_override: Option<String>,
}

/// Plans the same actions again, against the state as it is now.
#[utoipa::path(post, path = "/api/v1/plans/{id}/replan", operation_id = "replan", tag = "plans", params(("id" = PlanId, Path)), request_body = Option<Replan>,
    responses((status = 201, body = Plan), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn replan(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
    body: Bytes,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    let body: Replan = if body.is_empty() {
        Replan::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))?
    };
    reach::plan(&caller, Permission::PlanCreate, id).await?;
    let freeze_override = setting_aside(&caller, body.freeze_override)?;
    let engine = app.engine(caller.principal.tenant)?;
    let plan = engine.replan(id, requester(&caller)?, caller.client_addr.clone(), freeze_override).await?;
    Ok((StatusCode::CREATED, Json(plan)))
}

/// Why a plan was decided as it was: the rules that fire on it now, the facts that they read, and the nearest change that
/// would turn the decision.
#[utoipa::path(get, path = "/api/v1/plans/{id}/explanation", operation_id = "explain_plan", tag = "plans", params(("id" = PlanId, Path)),
    responses((status = 200, body = Explanation), (status = 404, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn explanation(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
) -> Result<Json<Explanation>, Problem> {
    plans::get(&mut caller.scope.read().await?, id).await?;
    Ok(Json(app.engine(caller.principal.tenant)?.explain(id).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_title_names_the_parameters_and_the_target() {
        let titled = |params| worded("Block an IP address", &params, " on sim/web");
        assert_eq!(titled(json!({"address": "198.51.100.9"})), "Block an IP address: 198.51.100.9 on sim/web");
        assert_eq!(
            titled(json!({"address": "198.51.100.9", "expires_in_s": 60, "keep": ["10.0.0.0/24", 1], "note": null})),
            "Block an IP address: 198.51.100.9, expires_in_s 60, keep 10.0.0.0/24 1 on sim/web"
        );
        assert_eq!(titled(json!({"name": "a\nb"})), "Block an IP address: a b on sim/web");
        assert_eq!(titled(json!({})), "Block an IP address on sim/web");
        assert_eq!(titled(json!([1])), "Block an IP address on sim/web");
    }

    #[test]
    fn a_title_is_never_longer_than_one_may_be_and_keeps_its_target() {
        for params in [json!({"files": vec!["/é"; 100]}), json!({"a": "é".repeat(500), "b": "c".repeat(500)})] {
            let title = worded("Read files", &params, " on sim/web");
            assert!(title.len() <= TITLE && title.ends_with("… on sim/web"), "{title}");
        }
        assert!(worded("Read files", &json!({}), &"é".repeat(500)).len() <= TITLE);
    }
}
