//! Many alerts with one reason: at once for up to 1,000, or as a job for whoever prefers an answer before it is done.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{Permission, makers};
use shieldops_model::{AlertId, AlertStatus, Code, JobId, UserId, Verdict, id};
use shieldops_store::{
    StoreError, TenantScope, Tx,
    jobs::{self, BulkJob, ItemResult, JobState},
};
use utoipa::ToSchema;

use super::{AlertPatch, Change, Judged, Patch, VerdictBody, change};
use crate::{App, Problem, auth::Caller, page::Body};

/// Alerts in one request, and in one job.
const AT_ONCE: usize = 1_000;
const IN_A_JOB: usize = 10_000;
/// Alerts that are changed in one transaction: on SQLite everybody else's writes wait for it.
const STEP: usize = 100;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bulk {
    /// At most 1,000; as a job at most 10,000.
    ids: Vec<AlertId>,
    status: Option<AlertStatus>,
    #[serde(default)]
    #[schema(value_type = Option<UserId>)]
    assignee: Patch<UserId>,
    /// Null takes the verdict back.
    #[serde(default)]
    #[schema(value_type = Option<Verdict>)]
    verdict: Patch<Verdict>,
    reason: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BulkAnswer {
    /// One for each id, in their order: as those of a job.
    results: Vec<ItemResult>,
}

impl Bulk {
    fn split(self, most: usize) -> Result<(Vec<AlertId>, Change), Problem> {
        if self.ids.is_empty() {
            return Err(Problem::invalid("`ids` is empty"));
        }
        if self.ids.len() > most {
            let detail = format!(
                "`ids` holds at most {AT_ONCE} ids, or {IN_A_JOB} with `Prefer: respond-async`, and this is {}",
                self.ids.len()
            );
            return Err(Problem::new(Code::TOO_MANY_ITEMS, detail));
        }
        if self.status.is_none() && matches!((self.assignee, self.verdict), (Patch::Keep, Patch::Keep)) {
            return Err(Problem::invalid("there is nothing to change: give `status`, `assignee` or `verdict`"));
        }
        let judged: Option<Judged> = match (self.verdict, &self.reason) {
            (Patch::Keep, _) => None,
            (verdict, Some(reason)) => Some(VerdictBody { verdict, reason: reason.clone() }.judged()?),
            (Patch::Set(_), None) => return Err(Problem::invalid("a verdict needs a `reason`")),
        };
        let patch = AlertPatch { status: self.status, assignee: self.assignee, severity: None, reason: self.reason };
        Ok((self.ids, Change { patch, judged }))
    }
}

/// Whether the caller prefers an answer before the work is done. Source: RFC 7240 section 4.1.
pub(crate) struct RespondAsync(bool);

impl<S: Send + Sync> FromRequestParts<S> for RespondAsync {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
        Ok(Self(lines.flat_map(|line| line.split(',')).any(|word| word.trim().eq_ignore_ascii_case("respond-async"))))
    }
}

/// Changes many alerts with one reason; each has its own result. With `Prefer: respond-async` it becomes a job.
#[utoipa::path(post, path = "/api/v1/alerts/bulk", operation_id = "update_alerts", tag = "alerts", request_body = Bulk,
    params(("Prefer" = Option<String>, Header, description = "`respond-async`: answer with a job, and go on.")),
    responses((status = 200, body = BulkAnswer), (status = 202, description = "Begun: ask `Location` how far it is", body = BulkJob), (status = 413, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    RespondAsync(later): RespondAsync,
    Body(body): Body<Bulk>,
) -> Result<Response, Problem> {
    if later {
        return begin(&app, caller.scope, body).await;
    }
    let (ids, wanted) = body.split(AT_ONCE)?;
    let mut results = Vec::with_capacity(ids.len());
    for ids in ids.chunks(STEP) {
        match at_once(&caller.scope, ids, &wanted).await {
            Ok(done) => results.extend(done),
            // What went before it stays done, and is said.
            Err(error) if !results.is_empty() => {
                let failed = Problem::from(error);
                results.extend(ids.iter().map(|id| result(*id, Some(&failed))));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(BulkAnswer { results }).into_response())
}

async fn at_once(scope: &TenantScope, ids: &[AlertId], wanted: &Change) -> Result<Vec<ItemResult>, StoreError> {
    let mut tx = scope.begin().await?;
    let results = change_all(&mut tx, ids, wanted).await;
    tx.commit(scope.store().clock().now()).await?;
    Ok(results)
}

async fn change_all(tx: &mut Tx, ids: &[AlertId], wanted: &Change) -> Vec<ItemResult> {
    let mut results = Vec::with_capacity(ids.len());
    for id in ids {
        results.push(result(*id, change(tx, *id, wanted).await.err().as_ref()));
    }
    results
}

fn result(id: AlertId, refused: Option<&Problem>) -> ItemResult {
    ItemResult {
        id: id.to_string(),
        status: refused.map_or(200, |problem| problem.status),
        code: refused.map(|problem| problem.code.clone()),
        detail: refused.map(|problem| problem.detail.clone()),
    }
}

async fn begin(app: &Arc<App>, scope: TenantScope, body: Bulk) -> Result<Response, Problem> {
    let (ids, wanted) = body.split(IN_A_JOB)?;
    let now = scope.store().clock().now();
    let id: JobId = id::mint(now, &mut rand::rng());
    let total = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let job = BulkJob::begun(id, "alerts.update", total, &scope.actor().id, now);
    let mut tx = scope.begin().await?;
    jobs::create(&mut tx, &job).await?;
    tx.commit(now).await?;
    app.tasks.spawn(run(Arc::clone(app), scope, job.clone(), (ids, wanted)));
    let location = [(header::LOCATION, format!("/api/v1/jobs/{id}"))];
    Ok((StatusCode::ACCEPTED, location, Json(job)).into_response())
}

/// Goes through the alerts step by step, as long as whoever began it may change them; a server that drains says that it did
/// not come to the end.
async fn run(app: Arc<App>, scope: TenantScope, mut job: BulkJob, (ids, wanted): (Vec<AlertId>, Change)) {
    let mut outcome = Ok(());
    for ids in ids.chunks(STEP) {
        if app.stop.is_cancelled() {
            break;
        }
        outcome = step(&scope, &mut job, ids, &wanted).await;
        if let Err(problem) = &outcome {
            tracing::error!(job.id = %job.id, problem.detail, "a job ends before every item was tried");
            job.why = Some(problem.detail.clone());
            break;
        }
    }
    job.state = if outcome.is_ok() && job.done == job.total { JobState::Done } else { JobState::Failed };
    if let Err(error) = end(&scope, &mut job).await {
        tracing::error!(job.id = %job.id, %error, "the end of a job could not be noted");
    }
}

async fn step(scope: &TenantScope, job: &mut BulkJob, ids: &[AlertId], wanted: &Change) -> Result<(), Problem> {
    let mut tx = scope.begin().await?;
    makers::still(&mut tx, Permission::AlertWrite).await?;
    let results = change_all(&mut tx, ids, wanted).await;
    job.done += u32::try_from(results.len()).unwrap_or(u32::MAX);
    job.failed += u32::try_from(results.iter().filter(|one| one.code.is_some()).count()).unwrap_or(u32::MAX);
    job.results.extend(results);
    job.updated_at = scope.store().clock().now();
    jobs::progress(&mut tx, job).await?;
    Ok(tx.commit(job.updated_at).await?)
}

async fn end(scope: &TenantScope, job: &mut BulkJob) -> Result<(), StoreError> {
    job.updated_at = scope.store().clock().now();
    let mut tx = scope.begin().await?;
    jobs::finish(&mut tx, job).await?;
    tx.commit(job.updated_at).await
}
