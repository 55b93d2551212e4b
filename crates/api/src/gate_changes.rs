//! Changes of the gate that wait for a second person: how far automation may go, rows of targets, and policies that are
//! taken out of force.

use axum::Json;
use serde::Deserialize;
use shieldops_identity::{Permission, decide, may_still};
use shieldops_model::{Code, GateChangeId, id};
use shieldops_store::gate::{
    autonomy::Wish,
    changes::{self, Change, Kind, State},
};
use utoipa::IntoParams;

use crate::{
    List, Problem,
    alerts::reason,
    auth::Caller,
    autonomy,
    page::{Body, Filter, ListQuery, PathId},
    plans::ReasonBody,
    policies, targets,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChangeFilter {
    /// Those that wait, not those that were confirmed, withdrawn or forgotten.
    active: Option<bool>,
}

impl Filter for ChangeFilter {}

type ChangeQuery = ListQuery<ChangeFilter>;

/// Changes that take two people, newest first.
#[utoipa::path(get, path = "/api/v1/gate-changes", operation_id = "list_gate_changes", tag = "gate", params(ChangeQuery), responses((status = 200, body = List<Change>)))]
pub(crate) async fn list(caller: Caller, query: ChangeQuery) -> Result<Json<List<Change>>, Problem> {
    let (now, pending) = (caller.now(), query.filter.active.unwrap_or_default());
    Ok(Json(query.answer(changes::list(&mut caller.scope.read().await?, pending, query.page(), now).await?)))
}

/// One change.
#[utoipa::path(get, path = "/api/v1/gate-changes/{id}", operation_id = "get_gate_change", tag = "gate", params(("id" = GateChangeId, Path)),
    responses((status = 200, body = Change), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::GateChangeKind>) -> Result<Json<Change>, Problem> {
    let found = changes::find(&mut caller.scope.read().await?, id, caller.now()).await?;
    found.map(Json).ok_or_else(Problem::not_found)
}

fn needs(kind: Kind) -> Permission {
    match kind {
        Kind::Autonomy | Kind::Lowered | Kind::Policies => Permission::SettingsWrite,
        Kind::Target => Permission::TargetWrite,
    }
}

/// Whoever could have asked for it may confirm it.
fn may(caller: &Caller, kind: Kind) -> Result<(), Problem> {
    Ok(decide::authorise(&caller.rights, needs(kind), None).check()?)
}

/// Two people who may agree: the word of one who may not any more is none.
async fn still_asked(caller: &Caller, change: &Change) -> Result<(), Problem> {
    let Ok(author) = change.by.parse() else { return Ok(()) };
    if may_still(&caller.scope, author, needs(change.kind), &[]).await? {
        return Ok(());
    }
    let detail = "whoever asked for this change may not ask for it any more: withdraw it and ask for it yourself";
    Err(Problem::new(Code::CONFLICT, detail))
}

/// Confirms a change that another person asked for: it holds at once.
#[utoipa::path(post, path = "/api/v1/gate-changes/{id}/confirm", operation_id = "confirm_gate_change", tag = "gate", params(("id" = GateChangeId, Path)),
    responses((status = 200, body = Change), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn confirm(caller: Caller, PathId(id): PathId<id::GateChangeKind>) -> Result<Json<Change>, Problem> {
    caller.recent()?;
    let person = caller.person()?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let mut change = changes::find(&mut tx, id, now).await?.ok_or_else(Problem::not_found)?;
    may(&caller, change.kind)?;
    waits(&change)?;
    still_asked(&caller, &change).await?;
    if change.by == person.user.to_string() {
        let detail = "you asked for this change: another person must confirm it";
        return Err(Problem::new(Code::SECOND_PERSON_REQUIRED, detail));
    }
    let wish = Wish {
        by: change.by.clone(),
        by_name: change.by_name.clone(),
        reason: change.reason.clone(),
        confirmed_by: Some(person.user.to_string()),
    };
    match change.kind {
        Kind::Target => targets::confirmed(&mut tx, &caller, &change, now).await?,
        Kind::Policies => policies::confirmed(&mut tx, &change, now).await?,
        Kind::Autonomy | Kind::Lowered => autonomy::confirmed(&mut tx, &change, wish, now).await?,
    }
    changes::confirm(&mut tx, &mut change, now).await?;
    tx.commit(now).await?;
    Ok(Json(change))
}

/// Takes a change back before it is confirmed: whoever asked for it, or could confirm it.
#[utoipa::path(post, path = "/api/v1/gate-changes/{id}/withdraw", operation_id = "withdraw_gate_change", tag = "gate", params(("id" = GateChangeId, Path)), request_body = ReasonBody,
    responses((status = 200, body = Change), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn withdraw(
    caller: Caller,
    PathId(id): PathId<id::GateChangeKind>,
    Body(body): Body<ReasonBody>,
) -> Result<Json<Change>, Problem> {
    let person = caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let mut change = changes::find(&mut tx, id, now).await?.ok_or_else(Problem::not_found)?;
    if change.by != person.user.to_string() {
        may(&caller, change.kind)?;
    }
    waits(&change)?;
    changes::withdraw(&mut tx, &mut change, &body.reason, now).await?;
    tx.commit(now).await?;
    Ok(Json(change))
}

fn waits(change: &Change) -> Result<(), Problem> {
    let how = match (change.state, change.replaced_by) {
        (State::Pending, _) => return Ok(()),
        (State::Confirmed, _) => "it was confirmed already".to_owned(),
        (State::Withdrawn, Some(newer)) => format!("it was withdrawn: a newer request, {newer}, took its place"),
        (State::Withdrawn, None) => "it was withdrawn".to_owned(),
        (State::Expired, _) => "nobody confirmed it in time: ask again".to_owned(),
    };
    Err(Problem::new(Code::CONFLICT, how))
}
