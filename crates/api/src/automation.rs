//! The one switch that halts all automation and pending runs. Only people resume.

use std::sync::Arc;

use axum::{Json, extract::State};
use shieldops_store::facts::{self, Automation};

use crate::{App, Problem, auth::Caller, page::Body, plans::ReasonBody};

/// Whether automation is halted.
#[utoipa::path(get, path = "/api/v1/automation", operation_id = "get_automation", tag = "automation", responses((status = 200, body = Automation)))]
pub(crate) async fn show(caller: Caller) -> Result<Json<Automation>, Problem> {
    Ok(Json(facts::automation(&mut caller.scope.read().await?).await?))
}

/// Halts automation: no new run starts, running ones pause at their next journal point.
#[utoipa::path(post, path = "/api/v1/automation/halt", operation_id = "halt_automation", tag = "automation", request_body = ReasonBody, responses((status = 200, body = Automation)))]
pub(crate) async fn halt(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<ReasonBody>,
) -> Result<Json<Automation>, Problem> {
    crate::alerts::reason(&body.reason)?;
    // Whoever may: a machine that sees something wrong may stop it, and a person looks before it goes on.
    let by = caller.principal.actor();
    app.desk(caller.principal.tenant)?.halt((&by.id, &by.name), &body.reason).await?;
    show(caller).await
}

/// Resumes automation.
#[utoipa::path(post, path = "/api/v1/automation/resume", operation_id = "resume_automation", tag = "automation", request_body = ReasonBody, responses((status = 200, body = Automation)))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<ReasonBody>,
) -> Result<Json<Automation>, Problem> {
    crate::alerts::reason(&body.reason)?;
    app.engine(caller.principal.tenant)?.resume(&caller.person()?, &body.reason).await?;
    show(caller).await
}
