//! Actions: list, show with their journal, undo; and the capabilities there are.

use std::sync::Arc;

use axum::{Json, body::Bytes, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_identity::Permission;
use shieldops_model::{Action, ActionId, ActionState, id};
use shieldops_store::actions::{self, Step};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Filter, ListQuery, PathId, PlainQuery, enums, parse},
    reach,
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActionFilter {
    plan_id: Option<String>,
    /// By its whole name: `linux.block_ip`.
    capability: Option<String>,
    target_id: Option<String>,
    /// Of the plans that were made for an incident.
    incident_id: Option<String>,
    /// One state, or several between commas.
    state: Option<String>,
}

impl Filter for ActionFilter {}

type ActionQuery = ListQuery<ActionFilter>;

/// Actions, newest first.
#[utoipa::path(get, path = "/api/v1/actions", operation_id = "list_actions", tag = "actions", params(ActionQuery), responses((status = 200, body = List<Action>)))]
pub(crate) async fn list(caller: Caller, query: ActionQuery) -> Result<Json<List<Action>>, Problem> {
    let filter = actions::Filter {
        plan: parse("plan_id", query.filter.plan_id.as_ref())?,
        capability: query.filter.capability.clone(),
        target: parse("target_id", query.filter.target_id.as_ref())?,
        incident: parse("incident_id", query.filter.incident_id.as_ref())?,
        state: enums::<ActionState>("state", query.filter.state.as_ref())?,
    };
    Ok(Json(query.answer(actions::list(&mut caller.scope.read().await?, &filter, query.page()).await?)))
}

/// An action and every step of its journal.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionDetail {
    #[serde(flatten)]
    action: Action,
    journal: Vec<Step>,
}

/// One action.
#[utoipa::path(get, path = "/api/v1/actions/{id}", operation_id = "get_action", tag = "actions", params(("id" = ActionId, Path)),
    responses((status = 200, body = ActionDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::ActionKind>) -> Result<Json<ActionDetail>, Problem> {
    let mut reader = caller.scope.read().await?;
    let action = actions::get(&mut reader, id).await?;
    let journal = actions::journal_of(&mut reader, id).await?;
    Ok(Json(ActionDetail { action, journal }))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    #[serde(default)]
    reason: Option<String>,
}

/// Undoes an action: planned, permitted and verified like any other.
#[utoipa::path(post, path = "/api/v1/actions/{id}/undo", operation_id = "undo_action", tag = "actions", params(("id" = ActionId, Path)), request_body = Option<Undo>,
    responses((status = 200, body = Action), (status = 409, body = Problem)))]
pub(crate) async fn undo(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::ActionKind>,
    body: Bytes,
) -> Result<Json<Action>, Problem> {
    // The body is optional: an undo without a reason is an undo.
    let body: Undo = if body.is_empty() {
        Undo::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))?
    };
    let reason = body.reason.unwrap_or_default();
    if !reason.is_empty() {
        crate::alerts::reason(&reason)?;
    }
    reach::action(&caller, Permission::ActionUndo, id).await?;
    Ok(Json(app.engine(caller.principal.tenant)?.undo(id, &caller.person()?, &reason).await?))
}

/// A thing that can be done to a kind of target.
#[utoipa::path(get, path = "/api/v1/capabilities", operation_id = "list_capabilities", tag = "actions", params(PlainQuery), responses((status = 200, body = List<Object>)))]
pub(crate) async fn capabilities(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: PlainQuery,
) -> Result<Json<List<serde_json::Value>>, Problem> {
    let described = app.desk(caller.principal.tenant)?.registry().describe();
    let items =
        described.into_iter().map(|description| serde_json::to_value(description).unwrap_or_default()).collect();
    query.of(items, |item| item["name"].as_str().unwrap_or_default().to_owned()).map(Json)
}
