//! What waits for a yes: requests with their votes, who has to give one, and when who is told; and what a person takes upon
//! themselves.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_identity::{Permission, decide};
use shieldops_model::{Approval, Code, Environment, IncidentId, Plan, PlanId, PlanState, Reason, Risk, Timestamp, id};
use shieldops_policy::GateSettings;
use shieldops_store::{Access, gate, plans};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PathId, PlainQuery},
    reach,
};

/// A moment at which more people are told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EscalationStep)]
pub(crate) struct Step {
    /// `approvers` or `administrators`.
    tells: String,
    at: Timestamp,
    over: bool,
}

/// A plan that waits for approval.
#[expect(clippy::struct_excessive_bools, reason = "each is a column of its own for whoever reads the list")]
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ApprovalRequest {
    plan_id: PlanId,
    /// What an approval binds to.
    hash: String,
    title: String,
    risk: Risk,
    simulated: bool,
    incident_id: Option<IncidentId>,
    requester: String,
    needed: u8,
    votes: Vec<Approval>,
    /// A passkey or a code of the last five minutes is wanted.
    strong_session: bool,
    /// Why approval is needed.
    because: Vec<Reason>,
    asked_at: Timestamp,
    expires_at: Timestamp,
    steps: Vec<Step>,
    /// Everybody was told and nobody answered. It is not a yes; the plan stays approvable until it expires.
    unanswered: bool,
    /// The caller may vote; else why not.
    may_vote: bool,
    may_not_because: Option<String>,
}

/// Plans that wait for approval, newest first.
#[utoipa::path(get, path = "/api/v1/approvals", operation_id = "list_approvals", tag = "plans", params(PlainQuery), responses((status = 200, body = List<ApprovalRequest>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<ApprovalRequest>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let filter = plans::Filter { incident: None, state: vec!["proposed".to_owned()] };
    let page = plans::list(&mut reader, &filter, query.page()).await?;
    let settings = settings(&mut reader).await?;
    let now = caller.now();
    let (next_cursor, items) = (page.next_cursor.clone(), page.items);
    let mut requests = Vec::with_capacity(items.len());
    for plan in items {
        let why = why_not(&mut reader, &caller, &plan).await?;
        requests.push(request(&settings, plan, why, now));
    }
    Ok(Json(query.answer(shieldops_store::Page { items: requests, next_cursor })))
}

async fn settings(reader: &mut shieldops_store::Reader) -> Result<GateSettings, Problem> {
    let Some(version) = gate::settings::in_force(reader).await? else { return Ok(GateSettings::default()) };
    serde_json::from_value(version.document).map_err(|error| {
        tracing::error!(%error, "the settings of the gate cannot be read");
        Problem::new(Code::STORAGE, "the settings of the gate cannot be read")
    })
}

fn request(settings: &GateSettings, plan: Plan, why: Option<String>, now: Timestamp) -> ApprovalRequest {
    let step = |tells: &str, seconds: u32| {
        let at = plan.created_at.plus(Duration::from_secs(u64::from(seconds)));
        Step { tells: tells.to_owned(), at, over: at <= now }
    };
    let escalation = &settings.numbers.escalation;
    ApprovalRequest {
        plan_id: plan.id,
        steps: vec![
            step("approvers", escalation.approvers_after_s),
            step("administrators", escalation.administrators_after_s),
        ],
        unanswered: plan.unanswered,
        hash: plan.hash,
        title: plan.title,
        risk: plan.risk,
        simulated: plan.simulated,
        incident_id: plan.incident_id,
        requester: plan.requester,
        needed: plan.decision.approvals_needed,
        votes: plan.approvals,
        strong_session: plan.decision.obligations.strong_session,
        because: plan.decision.obligations.because,
        asked_at: plan.created_at,
        expires_at: plan.expires_at,
        may_vote: why.is_none(),
        may_not_because: why,
    }
}

/// Why this caller may not vote on a plan.
pub(crate) async fn why_not(access: &mut impl Access, caller: &Caller, plan: &Plan) -> Result<Option<String>, Problem> {
    let me = caller.principal.user;
    let said = if plan.state != PlanState::Proposed {
        "the plan is not waiting for approval".to_owned()
    } else if me.is_some_and(|user| user.to_string() == plan.requester) {
        "you made this plan: another person must approve it; an administrator can add users in Settings".to_owned()
    } else if !caller.has(Permission::PlanApprove) || me.is_none() {
        format!("the role `{}` may not approve plans", caller.principal.role)
    } else if plan.approvals.iter().any(|approval| Some(approval.user) == me) {
        "you approved it already: another person is needed".to_owned()
    } else {
        return out_of_reach(access, caller, plan).await;
    };
    Ok(Some(said))
}

/// Why the caller's role does not reach all targets of a plan.
async fn out_of_reach(access: &mut impl Access, caller: &Caller, plan: &Plan) -> Result<Option<String>, Problem> {
    if caller.rights.environments().is_none() {
        return Ok(None);
    }
    let on: Vec<Environment> = reach::environments(access, plan).await?.into_iter().collect();
    let decision = decide::authorise(&caller.rights, Permission::PlanApprove, Some(&on));
    Ok((!decision.allowed).then(|| decision.to_string()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BreakGlass {
    /// The hash of the plan as the person saw it.
    hash: String,
    reason: String,
}

/// Runs a plan without the approvals that it needs and in spite of a freeze. Denies, caps and protected things hold, and
/// every administrator is told.
#[utoipa::path(post, path = "/api/v1/plans/{id}/break-glass", operation_id = "break_glass", tag = "plans", params(("id" = PlanId, Path)), request_body = BreakGlass,
    responses((status = 200, body = Plan), (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn break_glass(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::PlanKind>,
    Body(body): Body<BreakGlass>,
) -> Result<Json<Plan>, Problem> {
    crate::alerts::reason(&body.reason)?;
    reach::plan(&caller, Permission::PlanApprove, id).await?;
    let engine = app.engine(caller.principal.tenant)?;
    let plan = engine.break_glass(id, &body.hash, &caller.person()?, &body.reason).await?;
    crate::plans::settled(&engine, plan).await
}
