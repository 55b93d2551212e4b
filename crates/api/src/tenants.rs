//! Tenants, for the operator of the installation. What is done here stands in the installation's own ledger.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{names, people};
use shieldops_model::{
    ActionId, ActionState, Code, Reason as Because, TenantId, Timestamp,
    tenant::{TenantChange, TenantState, check_slug, check_tenant_name},
};
use shieldops_respond::{Prospect, UndoItem, UndoReport, UndoScope};
use shieldops_store::{
    tenants::{self, NewTenant, Tenant, TenantPatch},
    usage::{self, Usage},
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    invitations::{self, Link, NewInvitation},
    page::{Body, Filter, ListQuery, Params},
    precondition::{IfMatch, Tagged},
    usage::UsageParams,
};

/// How long a deletion can be called off, unless told.
const GRACE: Duration = Duration::from_hours(7 * 24);
const LONGEST_GRACE_H: u64 = 90 * 24;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TenantFilter {
    state: Option<TenantState>,
}

impl Filter for TenantFilter {}

type TenantQuery = ListQuery<TenantFilter>;

/// Tenants, newest first.
#[utoipa::path(get, path = "/api/v1/tenants", operation_id = "list_tenants", tag = "tenants", params(TenantQuery), responses((status = 200, body = List<Tenant>), (status = 403, body = Problem)))]
pub(crate) async fn list(caller: Caller, query: TenantQuery) -> Result<Json<List<Tenant>>, Problem> {
    let page = tenants::list(&mut caller.scope.read().await?, query.page(), query.filter.state).await?;
    Ok(Json(query.answer(page)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantBody {
    /// 1 to 40 of a-z, 0-9 and dashes; it stands in addresses.
    slug: String,
    name: String,
    /// The slug of the tenant that may be given grants in this one.
    parent: Option<String>,
}

/// Makes a tenant with a key and a ledger of its own. Invite its first administrator next.
#[utoipa::path(post, path = "/api/v1/tenants", operation_id = "create_tenant", tag = "tenants", request_body = TenantBody,
    responses((status = 201, body = Tenant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<TenantBody>,
) -> Result<Response, Problem> {
    checked(Some(&body.slug), Some(&body.name))?;
    distinct(&app, &body.name, None).await?;
    let parent = match &body.parent {
        Some(slug) => Some(by_slug(&app, slug).await?.id),
        None => None,
    };
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let new = NewTenant { slug: body.slug, name: body.name, parent, demo: false };
    let tenant = tenants::create(&mut tx, &new, now).await?;
    tx.commit(now).await?;
    tell(&app, now).await;
    Ok((StatusCode::CREATED, Tagged(tenant.version, tenant)).into_response())
}

fn checked(slug: Option<&str>, name: Option<&str>) -> Result<(), Problem> {
    let field = |name: &str, text: Option<&str>, check: fn(&str) -> Result<(), &'static str>| {
        text.map_or(Ok(()), check).map_err(|detail| Problem::invalid(format!("`{name}`: {detail}")))
    };
    field("slug", slug, check_slug)?;
    field("name", name, check_tenant_name)
}

/// Refuses a name that looks like another tenant's: who switches between them could not tell them apart.
async fn distinct(app: &App, name: &str, but: Option<TenantId>) -> Result<(), Problem> {
    let known = app.store.tenants().await?;
    let others = known.iter().filter(|tenant| Some(tenant.id) != but).map(|tenant| tenant.name.as_str());
    match names::alike(name, others) {
        Some(like) => {
            Err(Problem::new(Code::ALREADY_EXISTS, format!("`name`: it looks like that of the tenant `{like}`")))
        }
        None => Ok(()),
    }
}

/// The tenant of a slug. Only operators come here, so a slug that is not there may be said.
async fn by_slug(app: &App, slug: &str) -> Result<Tenant, Problem> {
    // No database takes a NUL for text.
    if slug.contains('\0') {
        return Err(Problem::not_found());
    }
    app.store.tenant_by_slug(slug).await?.ok_or_else(Problem::not_found)
}

/// One tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{slug}", operation_id = "get_tenant", tag = "tenants", params(("slug" = String, Path)),
    responses((status = 200, body = Tenant), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    _caller: Caller,
    Path(slug): Path<String>,
) -> Result<Tagged<Tenant>, Problem> {
    let tenant = by_slug(&app, &slug).await?;
    Ok(Tagged(tenant.version, tenant))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TenantChangeBody {
    slug: Option<String>,
    name: Option<String>,
    /// The slug of the parent; an empty text takes the parent away, with the grants to it.
    parent: Option<String>,
}

/// Renames a tenant, or changes its parent.
#[utoipa::path(patch, path = "/api/v1/tenants/{slug}", operation_id = "update_tenant", tag = "tenants", params(("slug" = String, Path)), request_body = TenantChangeBody,
    responses((status = 200, body = Tenant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(slug): Path<String>,
    Body(body): Body<TenantChangeBody>,
) -> Result<Tagged<Tenant>, Problem> {
    checked(body.slug.as_deref(), body.name.as_deref())?;
    let tenant = by_slug(&app, &slug).await?;
    let expected = seen.expected(tenant.version)?;
    if let Some(name) = &body.name {
        distinct(&app, name, Some(tenant.id)).await?;
    }
    let parent = match body.parent.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(slug) => Some(Some(by_slug(&app, slug).await?.id)),
    };
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let patch = TenantPatch { slug: body.slug, name: body.name, parent };
    let tenant = tenants::update(&mut tx, tenant.id, &patch, expected, now).await?;
    tx.commit(now).await?;
    tell(&app, now).await;
    Ok(Tagged(tenant.version, tenant))
}

#[derive(Deserialize, ToSchema)]
#[schema(as = TenantReason)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reason {
    /// It stands in both ledgers.
    reason: String,
}

/// Takes what was done to the tenants' own ledgers. It is done already: what cannot be told now is told later.
async fn tell(app: &App, now: Timestamp) {
    if let Err(error) = app.store.deliver_notices(now).await {
        tracing::error!(%error, "notices to tenants wait");
    }
}

async fn change(
    app: &App,
    caller: &Caller,
    slug: &str,
    change: TenantChange,
    reason: &str,
) -> Result<Tagged<Tenant>, Problem> {
    if reason.trim().is_empty() || reason.len() > 1_000 {
        return Err(Problem::invalid("`reason` has 1 to 1,000 characters"));
    }
    let tenant = by_slug(app, slug).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let tenant = tenants::change_state(&mut tx, tenant.id, change, reason, None, None, now).await?;
    tx.commit(now).await?;
    tell(app, now).await;
    Ok(Tagged(tenant.version, tenant))
}

macro_rules! state_changes {
    ($($(#[$doc:meta])* $name:ident $path:literal $operation:literal $change:ident;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, operation_id = $operation, tag = "tenants", params(("slug" = String, Path)), request_body = Reason,
            responses((status = 200, body = Tenant), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
        pub(crate) async fn $name(
            State(app): State<Arc<App>>,
            caller: Caller,
            Path(slug): Path<String>,
            Body(body): Body<Reason>,
        ) -> Result<Tagged<Tenant>, Problem> {
            change(&app, &caller, &slug, TenantChange::$change, &body.reason).await
        }
    )*};
}

state_changes! {
    /// Suspends a tenant: it can be read, takes events, and can say no to plans; nothing else changes in it.
    suspend "/api/v1/tenants/{slug}/suspend" "suspend_tenant" Suspend;
    /// Resumes a suspended tenant.
    resume "/api/v1/tenants/{slug}/resume" "resume_tenant" Resume;
    /// Locks a tenant: nobody can sign in to it; it takes events.
    lock "/api/v1/tenants/{slug}/lock" "lock_tenant" Lock;
    /// Unlocks a locked tenant.
    unlock "/api/v1/tenants/{slug}/unlock" "unlock_tenant" Unlock;
    /// Calls off a deletion within its grace; the tenant is suspended then.
    cancel_deletion "/api/v1/tenants/{slug}/cancel-deletion" "cancel_tenant_deletion" CancelDeletion;
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeletionParams {
    reason: String,
    /// Hours until the key and the rows are destroyed: 168 unless told.
    #[param(minimum = 0, maximum = 2160)]
    grace_hours: Option<u64>,
    /// Undo what is in force on targets first; without it a tenant with live actions is not deleted.
    undo_first: Option<bool>,
    /// Go on without what could not be undone: it stays on its targets, and the installation's ledger lists it.
    leave_behind: Option<bool>,
}

/// A deletion that was begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct Deletion {
    tenant: Tenant,
    /// Actions that were undone first.
    undone: Vec<String>,
    /// What stays on targets, and why.
    cannot_be_undone: Vec<NotUndone>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct NotUndone {
    action: String,
    #[serde(skip)]
    id: ActionId,
    reason: String,
}

/// Deletes a tenant: nobody can enter it, and after the grace its key and rows are destroyed for ever.
#[utoipa::path(delete, path = "/api/v1/tenants/{slug}", operation_id = "delete_tenant", tag = "tenants", params(("slug" = String, Path), DeletionParams),
    responses((status = 200, body = Deletion), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(slug): Path<String>,
    Params(params): Params<DeletionParams>,
) -> Result<Json<Deletion>, Problem> {
    caller.recent()?;
    let tenant = by_slug(&app, &slug).await?;
    let expected = seen.expected(tenant.version)?;
    if app.store.tenants().await?.len() == 1 {
        return Err(Problem::new(
            Code::CONFLICT,
            "this is the last tenant of the installation: make another one first",
        ));
    }
    stays_in(&app, &caller, tenant.id).await?;
    let grace = match params.grace_hours {
        None => GRACE,
        Some(hours) if hours <= LONGEST_GRACE_H => Duration::from_secs(hours * 3_600),
        Some(_) => return Err(Problem::invalid(format!("`grace_hours` is 0 to {LONGEST_GRACE_H}"))),
    };
    if params.reason.trim().is_empty() || params.reason.len() > 1_000 {
        return Err(Problem::invalid("`reason` has 1 to 1,000 characters"));
    }
    let (undone, cannot_be_undone) = undo_all(&app, &caller, &tenant, &params).await?;
    if !cannot_be_undone.is_empty() {
        note_left(&caller, tenant.id, &cannot_be_undone).await?;
        if !params.leave_behind.unwrap_or_default() {
            return Err(left(&cannot_be_undone));
        }
        leave(&app, &caller, tenant.id, &cannot_be_undone).await?;
    }
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let deadline = Some(now.plus(grace));
    let schedule = TenantChange::ScheduleDeletion;
    let tenant = tenants::change_state(&mut tx, tenant.id, schedule, &params.reason, deadline, expected, now).await?;
    tx.commit(now).await?;
    tell(&app, now).await;
    Ok(Json(Deletion { tenant, undone, cannot_be_undone }))
}

/// Refuses an operator who would go with the tenant: a person ends with the last membership.
async fn stays_in(app: &App, caller: &Caller, but: TenantId) -> Result<(), Problem> {
    let own = app.store.memberships_of(caller.user()?, caller.now()).await?;
    let stays = own.iter().any(|one| {
        one.via_grant.is_none() && !one.disabled && one.tenant.id != but && one.tenant.state == TenantState::Active
    });
    if stays {
        return Ok(());
    }
    let detail =
        "your account would end with it, for you are a member of no other active tenant: be invited to one first";
    Err(Problem::new(Code::LAST_ADMINISTRATOR, detail))
}

/// Undoes what is in force where that is wanted, each action by its own permit. Answers what is undone now, and what is
/// not: also what failed before.
async fn undo_all(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    params: &DeletionParams,
) -> Result<(Vec<String>, Vec<NotUndone>), Problem> {
    let failed = tenants::not_undone_of(&app.store, tenant.id).await?;
    if !params.undo_first.unwrap_or_default() {
        let before = |action: &ActionId| NotUndone::new(*action, "its undo failed before");
        return Ok((Vec::new(), failed.iter().map(before).collect()));
    }
    let (engine, person) = (app.engine(tenant.id)?, caller.person()?);
    let live = tenants::live_actions_of(&app.store, tenant.id).await?;
    let report =
        engine.undo_many(UndoScope::Actions(live.into_iter().chain(failed).collect()), &person, &params.reason).await?;
    came_to(report)
}

/// What is undone now, and what is not. An undo that goes on is asked about again, unless it waits for nothing but hosts
/// that are away: it would do so each time.
fn came_to(report: UndoReport) -> Result<(Vec<String>, Vec<NotUndone>), Problem> {
    let turns = report.items.is_empty() || report.items.iter().any(|item| has_turn(item, &report.items));
    if report.goes_on && turns {
        let detail = "what is in force is being undone, and that is not through yet: ask again in a minute; the tenant was not deleted";
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    let (mut undone, mut not) = (Vec::new(), Vec::new());
    for item in report.items {
        // One that was tried and failed, or waits for somebody, is still in force.
        match item.state {
            ActionState::Undone | ActionState::Expired => undone.push(item.action_id.to_string()),
            _ => not.push(NotUndone::new(item.action_id, item.why.as_deref().unwrap_or("it is still in force"))),
        }
    }
    Ok((undone, not))
}

/// Whether the undo of an action is yet to come, on a target that answers.
fn has_turn(item: &UndoItem, all: &[UndoItem]) -> bool {
    let read = |one: &UndoItem| matches!(one.prospect, Prospect::Undo | Prospect::NeedsApproval);
    let answers = |one: &UndoItem| one.target == item.target && (read(one) || one.done == Some(true));
    item.done.is_none() && (read(item) || item.prospect == Prospect::Unknown && all.iter().any(answers))
}

impl NotUndone {
    fn new(action: ActionId, reason: &str) -> Self {
        Self { action: action.to_string(), id: action, reason: reason.to_owned() }
    }
}

/// In a transaction of its own: the entry stays, whatever becomes of the deletion.
async fn note_left(caller: &Caller, tenant: TenantId, not: &[NotUndone]) -> Result<(), Problem> {
    let mut tx = caller.scope.begin().await?;
    tx.record("tenant.not_undone", &[&tenant], not)?;
    Ok(tx.commit(caller.now()).await?)
}

/// The list comes before the choice to go on.
fn left(not: &[NotUndone]) -> Problem {
    let detail = format!(
        "{} of the tenant's actions could not be undone; the tenant was not deleted. Undo them by hand, or delete it with `leave_behind`",
        not.len()
    );
    let reason =
        |one: &NotUndone| Because { code: "not_undone".to_owned(), detail: format!("{}: {}", one.action, one.reason) };
    Problem { errors: not.iter().map(reason).collect(), ..Problem::new(Code::CONFLICT, detail) }
}

async fn leave(app: &App, caller: &Caller, tenant: TenantId, not: &[NotUndone]) -> Result<(), Problem> {
    let (desk, person) = (app.desk(tenant)?, caller.person()?);
    for one in not {
        desk.leave(one.id, &person, &one.reason).await?;
    }
    Ok(())
}

/// Invites a person to a tenant: how its first administrator comes in.
#[utoipa::path(post, path = "/api/v1/tenants/{slug}/invitations", operation_id = "invite_to_tenant", tag = "tenants", params(("slug" = String, Path)), request_body = NewInvitation,
    responses((status = 201, body = Link), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn invite(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(slug): Path<String>,
    Body(body): Body<NewInvitation>,
) -> Result<Response, Problem> {
    let tenant = by_slug(&app, &slug).await?;
    caller.recent()?;
    let person = app.store.get_person(caller.user()?).await?.ok_or_else(Problem::not_found)?;
    let scope = app.store.person_scope(tenant.id, &person)?;
    let (about, secret) = people::invite(&scope, &caller.rights, &body.name, &body.role).await?;
    Ok(invitations::link(&app, "invite", about, &secret))
}

/// What a tenant holds and sends.
#[utoipa::path(get, path = "/api/v1/tenants/{slug}/usage", operation_id = "get_tenant_usage", tag = "tenants", params(("slug" = String, Path), UsageParams),
    responses((status = 200, body = Usage), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(crate) async fn usage(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(slug): Path<String>,
    Params(params): Params<UsageParams>,
) -> Result<Json<Usage>, Problem> {
    let tenant = by_slug(&app, &slug).await?;
    let (from, to) = params.range(caller.now())?;
    let person = app
        .store
        .get_person(caller.user()?)
        .await?
        .ok_or_else(|| Problem::new(Code::FORBIDDEN, "only a person may do this"))?;
    let scope = app.store.person_scope(tenant.id, &person)?;
    Ok(Json(usage::of(&mut scope.read().await?, from, to).await?))
}

#[cfg(test)]
mod tests {
    use shieldops_model::{Id, TargetRef};

    use super::*;

    fn item(target: &str, prospect: Prospect, state: ActionState, done: Option<bool>) -> UndoItem {
        UndoItem {
            action_id: Id::from_bits(1),
            plan_id: Id::from_bits(2),
            capability: "linux.block_ip".to_owned(),
            target: TargetRef { kind: "linux_host".to_owned(), name: target.to_owned() },
            simulated: false,
            applied_at: None,
            prospect,
            why: None,
            undo: String::new(),
            state,
            done,
        }
    }

    /// How many are undone and how many not, of an undo that was not through in time.
    fn late(items: Vec<UndoItem>) -> Option<(usize, usize)> {
        let report = UndoReport {
            preview: false,
            undoable: 0,
            need_approval: 0,
            cannot: 0,
            not_read: 0,
            undone: 0,
            goes_on: true,
            items,
        };
        came_to(report).ok().map(|(undone, not)| (undone.len(), not.len()))
    }

    #[test]
    fn hosts_that_are_away_do_not_keep_their_tenant_for_ever_and_what_answers_is_undone_first() {
        let done = || item("web-1", Prospect::Undo, ActionState::Undone, Some(true));
        let in_vain = || item("web-2", Prospect::Unknown, ActionState::Verified, Some(false));
        let unread = || item("web-3", Prospect::Unknown, ActionState::Verified, None);
        let turn = || item("web-4", Prospect::Undo, ActionState::Verified, None);
        let slow = || item("web-1", Prospect::Unknown, ActionState::Verified, None);
        assert_eq!(late(vec![done(), in_vain(), unread()]), Some((1, 2)));
        assert_eq!(late(vec![done(), unread(), turn()]), None, "a host that answers");
        assert_eq!(late(vec![done(), slow()]), None, "there was no time to read it yet");
        assert_eq!(late(vec![]), None, "nothing is known yet");
    }
}
