//! Switching a rule off and on for the caller's tenant. The set of rules is everybody's; that it runs for others is no
//! business of this tenant.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use shieldops_store::rule_states;
use utoipa::ToSchema;

use super::{Own, RuleDetail};
use crate::{
    App, Problem,
    alerts::reason,
    auth::Caller,
    page::Body,
    precondition::{IfMatch, Tagged},
};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RulePatch {
    enabled: bool,
    /// Why. It stands in the ledger.
    reason: String,
}

/// Switches a rule on or off for this tenant, from the next batch of events on.
#[utoipa::path(patch, path = "/api/v1/rules/{id}", operation_id = "update_rule", tag = "rules", params(("id" = String, Path)), request_body = RulePatch,
    responses((status = 200, body = RuleDetail), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(id): Path<String>,
    Body(patch): Body<RulePatch>,
) -> Result<Tagged<RuleDetail>, Problem> {
    reason(&patch.reason)?;
    let book = app.pipeline.content.book();
    let entry = book.entries.get(&id).ok_or_else(Problem::not_found)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let before = rule_states::find(&mut tx, &id).await?;
    seen.check(before.map_or(0, |state| state.version))?;
    rule_states::set(&mut tx, &id, patch.enabled, &patch.reason, now).await?;
    tx.commit(now).await?;
    let own = Own::read(&caller).await?;
    Ok(Tagged(own.version(&id), RuleDetail::new(entry, &own)))
}
