//! Undo of many: a plan, or everything that a rule, a person or automation did in a time.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::Deserialize;
use shieldops_identity::Permission;
use shieldops_model::{ActionId, PlanId, Timestamp, UserId};
use shieldops_respond::{By, UndoReport, UndoScope};
use utoipa::ToSchema;

use crate::{App, Problem, auth::Caller, page::Body, reach};

/// Who did what is to be undone: exactly one of these.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Whose {
    /// Investigations, for incidents that alerts of this rule are in: its Sigma id.
    Rule(String),
    /// This person.
    User(UserId),
    /// Automation, any of it: `true`.
    Automation(bool),
}

/// A plan, an effect, or a time and whose actions of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoMany {
    plan_id: Option<PlanId>,
    /// An action: all that want its effect, whoever asked for it. Refused where nobody wants it.
    effect_of: Option<ActionId>,
    by: Option<Whose>,
    /// From this time on.
    from: Option<Timestamp>,
    /// Before this time.
    to: Option<Timestamp>,
    /// Say only what would be undone, and what cannot be.
    #[serde(default)]
    preview: bool,
    /// Why. It stands in the ledger; a preview needs none.
    reason: Option<String>,
}

impl UndoMany {
    fn scope(&self) -> Result<UndoScope, Problem> {
        let want = "want `plan_id`, `effect_of`, or `by` with `from` and `to`";
        match (self.plan_id, self.effect_of, &self.by, self.from, self.to) {
            (Some(plan), None, None, None, None) => Ok(UndoScope::Plan(plan)),
            (None, Some(action), None, None, None) => Ok(UndoScope::Effect(action)),
            (None, None, Some(by), Some(from), Some(to)) => Ok(UndoScope::Time { by: whose(by)?, from, to }),
            _ => Err(Problem::invalid(want)),
        }
    }
}

fn whose(by: &Whose) -> Result<By, Problem> {
    match by {
        Whose::Rule(rule) if rule.is_empty() || rule.len() > 128 => {
            Err(Problem::invalid("by.rule: want the id of a rule"))
        }
        Whose::Rule(rule) => Ok(By::Rule(rule.clone())),
        Whose::User(user) => Ok(By::User(*user)),
        Whose::Automation(true) => Ok(By::Automation),
        Whose::Automation(false) => Err(Problem::invalid("by.automation: want `true`")),
    }
}

/// Undoes many actions, newest first; what cannot be undone is named before anything is touched.
#[utoipa::path(post, path = "/api/v1/undo", operation_id = "undo_many", tag = "actions", request_body = UndoMany,
    responses((status = 200, body = UndoReport), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn many(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<UndoMany>,
) -> Result<Json<UndoReport>, Problem> {
    let scope = body.scope()?;
    let engine = app.engine(caller.principal.tenant)?;
    // From the rows alone: an undo does not wait for a target that is away.
    let touched = engine.targets_of(&scope).await?;
    reach::targets(&caller, Permission::ActionUndo, touched.iter()).await?;
    if body.preview {
        return Ok(Json(engine.preview_undo(&scope, &caller.person()?).await?));
    }
    let reason = body.reason.unwrap_or_default();
    crate::alerts::reason(&reason)?;
    Ok(Json(engine.undo_many(scope, &caller.person()?, &reason).await?))
}
