//! Orphans of a target: effects that carry our mark and that no live action wants. Listed as they are now; adopted or
//! undone by a plan.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use shieldops_identity::Permission;
use shieldops_model::{ActionId, Orphan, Plan, TargetId, id};
use shieldops_respond::OrphanRef;
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PathId, PlainQuery},
    plans, reach,
};

/// Orphans of a target, read from it now.
#[utoipa::path(get, path = "/api/v1/targets/{id}/orphans", operation_id = "list_orphans", tag = "targets", params(("id" = TargetId, Path), PlainQuery),
    responses((status = 200, body = List<Orphan>), (status = 404, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::TargetKindId>,
    query: PlainQuery,
) -> Result<Json<List<Orphan>>, Problem> {
    let found = app.engine(caller.principal.tenant)?.orphans(id).await?;
    query.of(found, |orphan| format!("{}/{}/{}", orphan.capability, orphan.key, orphan.action_id)).map(Json)
}

/// One orphan as it was listed, and why it is adopted or undone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrphanWish {
    capability: String,
    key: String,
    /// The action that its mark names.
    action_id: ActionId,
    reason: String,
}

impl OrphanWish {
    fn split(self) -> Result<(OrphanRef, String), Problem> {
        crate::alerts::reason(&self.reason)?;
        let seen = OrphanRef { capability: self.capability, key: self.key, action_id: self.action_id };
        Ok((seen, self.reason))
    }
}

/// Plans to take an orphan over as it stands: with the plan's approval it has an owner again.
#[utoipa::path(post, path = "/api/v1/targets/{id}/orphans/adopt", operation_id = "adopt_orphan", tag = "targets", params(("id" = TargetId, Path)), request_body = OrphanWish,
    responses((status = 201, body = Plan), (status = 409, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn adopt(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::TargetKindId>,
    Body(body): Body<OrphanWish>,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    let (seen, reason) = body.split()?;
    reach::target(&caller, Permission::PlanCreate, id).await?;
    let plan = app.engine(caller.principal.tenant)?.adopt(id, seen, &caller.person()?, &reason).await?;
    Ok((StatusCode::CREATED, Json(plan)))
}

/// Plans to take an orphan away: exactly the effect with this mark, read back afterwards.
#[utoipa::path(post, path = "/api/v1/targets/{id}/orphans/undo", operation_id = "undo_orphan", tag = "targets", params(("id" = TargetId, Path)), request_body = OrphanWish,
    responses((status = 201, body = Plan), (status = 409, body = Problem), (status = 502, body = Problem)))]
pub(crate) async fn undo(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::TargetKindId>,
    Body(body): Body<OrphanWish>,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    let (seen, reason) = body.split()?;
    reach::target(&caller, Permission::ActionUndo, id).await?;
    let engine = app.engine(caller.principal.tenant)?;
    let plan = engine.undo_orphan(id, seen, &caller.person()?, &reason).await?;
    Ok((StatusCode::CREATED, plans::settled(&engine, plan).await?))
}
