//! Backtests of a rule: what it would have found in the events that are still there. The work is a job.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shieldops_identity::{IdentityError, Permission, makers};
use shieldops_model::{Code, JobId, Timestamp, id};
use shieldops_pipeline::{
    Result as PipelineResult,
    backtest::{self, Asker},
};
use shieldops_store::{
    StoreError, TenantScope,
    backtests::{self, Backtest},
    jobs::{self, BulkJob, JobState},
    own_rules,
};
use utoipa::ToSchema;

use super::{
    view::{self, Subject},
    write::refused,
};
use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PlainQuery},
};

const KIND: &str = "rules.backtest";
/// Backtests of one tenant that run or wait.
const AT_ONCE: usize = 4;
const LONGEST: Duration = Duration::from_hours(24 * 400);
/// A backtest's progress is in per cent.
const WHOLE: u32 = 100;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestBody {
    from: Timestamp,
    /// Now unless told.
    to: Option<Timestamp>,
    /// The version of a tenant's own rule; the newest unless told.
    version: Option<i64>,
}

/// Tries a rule on every event of a window that is still there, as a job whose progress is in per cent. It raises no alert.
#[utoipa::path(post, path = "/api/v1/rules/{id}/backtest", operation_id = "backtest_rule", tag = "rules", params(("id" = String, Path)), request_body = BacktestBody,
    responses((status = 202, description = "Begun: ask `Location` how far it is", body = BulkJob), (status = 404, body = Problem), (status = 409, body = Problem), (status = 421, body = Problem)))]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<BacktestBody>,
) -> Result<Response, Problem> {
    let subject = subject(&app, &caller, &id, body.version).await?;
    if !subject.usable {
        return Err(refused(&subject.diagnostics));
    }
    app.pipeline.bus()?;
    let now = caller.now();
    let (from, to) = (body.from, body.to.unwrap_or(now).min(now));
    if from >= to || to.since(from) > LONGEST {
        return Err(Problem::invalid("`from` is before `to` and before now, and the window is at most 400 days"));
    }
    let (job, test) = planned(&caller.scope, &subject, (from, to), now);
    let mut tx = caller.scope.begin().await?;
    let running = jobs::running(&mut tx).await?;
    if running.iter().filter(|job| job.kind == KIND).count() >= AT_ONCE {
        return Err(Problem::new(
            Code::CONFLICT,
            format!("{AT_ONCE} backtests run or wait already: let one end first"),
        ));
    }
    jobs::create(&mut tx, &job).await?;
    backtests::insert(&mut tx, &test).await?;
    tx.commit(now).await?;
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    let answer = (StatusCode::ACCEPTED, location, Json(job.clone())).into_response();
    let work = backtest::Backtest {
        rule: subject.rule.as_ref().clone(),
        options: subject.options.as_ref().clone(),
        case: subject.case.clone(),
        from,
        to,
    };
    app.tasks.spawn(run(Arc::clone(&app), Work { scope: caller.scope, job, test }, work));
    Ok(answer)
}

async fn subject(app: &App, caller: &Caller, id: &str, number: Option<i64>) -> Result<Subject, Problem> {
    let mut reader = caller.scope.read().await?;
    let Some(number) = number else {
        return view::find(&mut reader, &app.pipeline.content, id).await;
    };
    let row = own_rules::find(&mut reader, id).await?.ok_or_else(Problem::not_found)?;
    view::version(&mut reader, &app.pipeline.content, row, number).await
}

fn planned(
    scope: &TenantScope,
    subject: &Subject,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> (BulkJob, Backtest) {
    let id: JobId = id::mint(now, &mut rand::rng());
    let by = scope.actor().id.clone();
    let job = BulkJob { subject: Some(subject.rule.id.clone()), ..BulkJob::begun(id, KIND, WHOLE, &by, now) };
    let (rule_id, version) = (subject.rule.id.clone(), subject.rule.version.clone());
    let test = Backtest { id, rule_id, version, from, to, state: JobState::Running, at: now, by, report: None };
    (job, test)
}

/// A job on its way, with what it is about.
struct Work {
    scope: TenantScope,
    job: BulkJob,
    test: Backtest,
}

impl Asker for Work {
    async fn progress(&mut self, percent: u32) -> PipelineResult<()> {
        self.job.done = percent.min(WHOLE - 1);
        self.job.updated_at = self.scope.store().clock().now();
        let mut tx = self.scope.begin().await?;
        let gone = |gone: IdentityError| StoreError::Refused { detail: gone.to_string() };
        makers::still(&mut tx, Permission::RuleWrite).await.map_err(gone)?;
        jobs::progress(&mut tx, &self.job).await?;
        tx.commit(self.job.updated_at).await?;
        Ok(())
    }
}

async fn run(app: Arc<App>, mut work: Work, test: backtest::Backtest) {
    let scope = work.scope.clone();
    match backtest::run(&app.pipeline, &scope, test, &mut work, &app.stop).await {
        Ok(report) => {
            (work.job.state, work.job.done) = (JobState::Done, WHOLE);
            (work.test.state, work.test.report) = (JobState::Done, Some(report));
        }
        Err(error) => {
            tracing::error!(job.id = %work.job.id, rule.id = %work.test.rule_id, %error, "a backtest did not come to its end");
            (work.job.state, work.test.state) = (JobState::Failed, JobState::Failed);
            work.job.why = Some(Problem::from(error).detail);
        }
    }
    if let Err(error) = end(&mut work).await {
        tracing::error!(job.id = %work.job.id, %error, "the end of a backtest could not be noted");
    }
}

async fn end(work: &mut Work) -> Result<(), StoreError> {
    work.job.updated_at = work.scope.store().clock().now();
    let mut tx = work.scope.begin().await?;
    jobs::finish(&mut tx, &work.job).await?;
    backtests::finish(&mut tx, &work.test).await?;
    tx.commit(work.job.updated_at).await
}

/// Backtests of a rule, newest first.
#[utoipa::path(get, path = "/api/v1/rules/{id}/backtests", operation_id = "list_backtests", tag = "rules", params(("id" = String, Path), PlainQuery),
    responses((status = 200, body = List<Backtest>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    query: PlainQuery,
) -> Result<Json<List<Backtest>>, Problem> {
    let mut reader = caller.scope.read().await?;
    view::find(&mut reader, &app.pipeline.content, &id).await?;
    Ok(Json(query.answer(backtests::of_rule(&mut reader, &id, query.page()).await?)))
}

/// One backtest, with its report once it has ended.
#[utoipa::path(get, path = "/api/v1/rules/{id}/backtests/{job}", operation_id = "get_backtest", tag = "rules", params(("id" = String, Path), ("job" = JobId, Path)),
    responses((status = 200, body = Backtest), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, Path((id, job)): Path<(String, String)>) -> Result<Json<Backtest>, Problem> {
    let job: JobId = job.parse().map_err(|_no_id| Problem::not_found())?;
    let found = backtests::find(&mut caller.scope.read().await?, &id, job).await?;
    found.map(Json).ok_or_else(Problem::not_found)
}
