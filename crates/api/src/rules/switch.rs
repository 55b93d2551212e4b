//! Setting a rule for the caller's tenant: draft, shadow, enabled or retired. The set of rules is everybody's; that it runs
//! for others is no business of this tenant.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde::Deserialize;
use shieldops_model::{Code, Reason};
use shieldops_pipeline::{NeededBy, Neighbours, RuleBook};
use shieldops_store::{
    StoreError, Tx,
    own_rules::{self, OwnRule, versions},
    rule_states::{self, State as RuleState},
};
use utoipa::ToSchema;

use super::{
    blocking, detail, proof,
    view::{RuleDetail, Subject},
    write::refused,
};
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
    /// One of `state` and `enabled`.
    state: Option<RuleState>,
    /// Short for `enabled` or `retired`.
    enabled: Option<bool>,
    /// The version of a tenant's own rule that is to run; the newest unless told.
    version: Option<i64>,
    /// Enable it though its tests or its backtest are missing, or take it out of use though correlations need it.
    #[serde(default)]
    r#override: bool,
    /// Set the rule that the tenant's own stands in for.
    #[serde(default)]
    below: bool,
    /// Why. It stands in the ledger.
    reason: String,
}

impl RulePatch {
    fn state(&self) -> Result<RuleState, Problem> {
        match (self.state, self.enabled) {
            (Some(state), None) => Ok(state),
            (None, Some(true)) => Ok(RuleState::Enabled),
            (None, Some(false)) => Ok(RuleState::Retired),
            _ => Err(Problem::invalid("one of `state` and `enabled` is needed")),
        }
    }
}

/// Sets what becomes of a rule's matches for this tenant, from the next batch of events on. A rule of the tenant is enabled
/// when its tests pass and its backtest has run on this version, or with `override` and a reason.
#[utoipa::path(patch, path = "/api/v1/rules/{id}", operation_id = "update_rule", tag = "rules", params(("id" = String, Path)), request_body = RulePatch,
    responses((status = 200, body = RuleDetail), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(id): Path<String>,
    Body(patch): Body<RulePatch>,
) -> Result<Tagged<RuleDetail>, Problem> {
    reason(&patch.reason)?;
    let state = patch.state()?;
    let book = app.pipeline.content.book();
    let prepared = prepare(&app, &caller, &id, (&patch, state)).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let own = own_rules::find(&mut tx, &id).await?;
    if let Some(row) = &own {
        seen.check(row.version)?;
    }
    match (own, prepared) {
        (Some(row), Some((at, subject))) if !patch.below => {
            if row.version != at {
                return Err(StoreError::Conflict.into());
            }
            own_rule(&mut tx, row, subject.as_ref(), &patch, state).await?;
        }
        (own, _) => {
            below(&book, &id, &patch)?;
            let before = rule_states::find(&mut tx, &id).await?;
            if own.is_none() {
                seen.check(before.map_or(0, |state| state.version))?;
            }
            let default = app.pipeline.content.default_state();
            rule_states::set(&mut tx, &id, (default, state), &patch.reason, now).await?;
        }
    }
    tx.commit(now).await?;
    detail(&app, &caller, id).await
}

/// The version that is to run, tried on its samples before anything is held; and how the row was then.
async fn prepare(
    app: &App,
    caller: &Caller,
    id: &str,
    (patch, state): (&RulePatch, RuleState),
) -> Result<Option<(i64, Option<Subject>)>, Problem> {
    let mut reader = caller.scope.read().await?;
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?;
    let Some(row) = own_rules::find(&mut reader, id).await?.filter(|_| !patch.below) else {
        let set = rule_states::find(&mut reader, id).await?.map(|set| set.state);
        let was = set.unwrap_or(app.pipeline.content.default_state());
        drop(reader);
        // The tenant's own rule of this id is what its correlations are about.
        if was == RuleState::Enabled && state != RuleState::Enabled && !patch.below {
            let id = id.to_owned();
            needed(&blocking(move || neighbours.breaks(&id, None)).await?, patch)?;
        }
        return Ok(None);
    };
    let number = patch.version.unwrap_or(row.head);
    let version = versions::find(&mut reader, id, number).await?;
    drop(reader);
    let version = version.ok_or_else(|| Problem::invalid(format!("`version` is 1 to {}", row.head)))?;
    let (at, was, id) = (row.version, row.state, id.to_owned());
    let prepared = move || {
        let kept = (state == RuleState::Enabled).then(|| version.written.text.clone());
        let broken = if was == RuleState::Enabled { neighbours.breaks(&id, kept.as_deref()) } else { Vec::new() };
        (Subject::of_version(&row, version, &neighbours), broken)
    };
    let (subject, broken) = blocking(prepared).await?;
    needed(&broken, patch)?;
    Ok(Some((at, subject)))
}

/// Refuses what would leave correlations without a rule that they need, unless the person takes that on themselves.
fn needed(broken: &[NeededBy], patch: &RulePatch) -> Result<(), Problem> {
    if broken.is_empty() || patch.r#override {
        return Ok(());
    }
    let reason = |by: &NeededBy| Reason {
        code: "needed_by".to_owned(),
        detail: format!("the correlation `{}` ({}) builds on it and would find nothing more", by.title, by.id),
    };
    let detail = "correlations that run need this rule: change them first, or send `override`";
    Err(Problem { errors: broken.iter().take(50).map(reason).collect(), ..Problem::new(Code::CONFLICT, detail) })
}

/// A rule of the book takes no version and no proof.
fn below(book: &RuleBook, id: &str, patch: &RulePatch) -> Result<(), Problem> {
    if !book.entries.contains_key(id) {
        return Err(Problem::not_found());
    }
    if patch.version.is_some() {
        return Err(Problem::invalid("`version` is for rules of the tenant: this one has the version that is loaded"));
    }
    Ok(())
}

async fn own_rule(
    tx: &mut Tx,
    row: OwnRule,
    subject: Option<&Subject>,
    patch: &RulePatch,
    state: RuleState,
) -> Result<(), Problem> {
    let number = patch.version.unwrap_or(row.head);
    let mut unproved = false;
    if state.runs() {
        let gone = || Problem::invalid(format!("version {number} is no rule any more: write it again"));
        let subject = subject.ok_or_else(gone)?;
        if !subject.usable {
            return Err(refused(&subject.diagnostics));
        }
        let proved = proof::check(tx, subject).await;
        unproved = state == RuleState::Enabled && proved.is_err();
        if unproved && !patch.r#override {
            return proved;
        }
    }
    let change = own_rules::Change { state, number, reason: &patch.reason, unproved };
    let now = tx.scope().store().clock().now();
    own_rules::change(tx, row, change, now).await?;
    Ok(())
}
