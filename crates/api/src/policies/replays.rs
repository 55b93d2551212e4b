//! What other policies would have decided of the questions of the last days. The work is a job.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{IdentityError, Permission, makers};
use shieldops_model::{Code, JobId, Timestamp, id};
use shieldops_policy::{Asked, Policy, ReplayReport};
use shieldops_store::{
    StoreError, TenantScope,
    gate::{
        inputs::{self, Kept, Place, REPLAYED},
        replays::{self, Replay},
    },
    jobs::{self, BulkJob, JobState},
};
use utoipa::ToSchema;

use super::{
    built_in, content_of, live,
    texts::{PolicyText, refused, tried},
};
use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Body, PathId, PlainQuery},
    rules::blocking,
};

const KIND: &str = "policies.replay";
/// Replays of one tenant that run or wait.
const AT_ONCE: usize = 2;
/// Questions of one piece, and of one replay; and how long it asks. A piece may take a quarter of a second for each.
const PIECE: u32 = 50;
const MOST: u64 = 20_000;
const LONGEST: Duration = Duration::from_mins(2);
/// Progress is in per cent.
const WHOLE: u32 = 100;

/// What became of a replay.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct PolicyReplayReport {
    #[serde(flatten)]
    compared: ReplayReport,
    /// Decisions of the window in all.
    decisions: u64,
    /// The oldest of them, which were not looked at: there are more than 20,000, or it took more than two minutes.
    not_reached: u64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct PolicyReplay {
    /// The job's.
    id: JobId,
    /// The version that was tried; 0: what is no version.
    number: i64,
    /// Of all policies that were tried, hex.
    policy_hash: String,
    from: Timestamp,
    to: Timestamp,
    state: JobState,
    at: Timestamp,
    by: String,
    /// Absent until it has ended.
    report: Option<PolicyReplayReport>,
}

impl PolicyReplay {
    pub(super) fn of(replay: Replay) -> Result<Self, Problem> {
        let report = replay.report.map(serde_json::from_value).transpose();
        let damaged = |error: serde_json::Error| StoreError::Damaged { detail: format!("report of a replay: {error}") };
        Ok(Self {
            id: replay.id,
            number: replay.number,
            policy_hash: replay.policy_hash,
            from: replay.from,
            to: replay.to,
            state: replay.state,
            at: replay.at,
            by: replay.by,
            report: report.map_err(damaged)?,
        })
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// A version. Without it and without `files`: what decides now.
    version: Option<i64>,
    /// Files that are no version yet.
    files: Option<Vec<PolicyText>>,
    /// 30 days before `to` unless told, and no longer.
    from: Option<Timestamp>,
    /// Now unless told.
    to: Option<Timestamp>,
}

/// Asks policies what was asked in the last days, as a job whose progress is in per cent. It changes nothing.
#[utoipa::path(post, path = "/api/v1/policies/replays", operation_id = "replay_policies", tag = "policies", request_body = ReplayBody,
    responses((status = 202, description = "Begun: ask `Location` how far it is", body = BulkJob), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<ReplayBody>,
) -> Result<Response, Problem> {
    let now = caller.now();
    let to = body.to.unwrap_or(now).min(now);
    let from = body.from.unwrap_or_else(|| to.minus(REPLAYED));
    if from >= to || to.since(from) > REPLAYED {
        return Err(Problem::invalid("`from` is before `to` and before now, and the window is at most 30 days"));
    }
    let (number, policy) = subject(&caller, body.version, body.files).await?;
    let (job, replay) = planned(&caller.scope, number, &policy, (from, to), now);
    let mut tx = caller.scope.begin().await?;
    let running = jobs::running(&mut tx).await?;
    if running.iter().filter(|job| job.kind == KIND).count() >= AT_ONCE {
        let detail = format!("{AT_ONCE} replays run already: let one end first");
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    jobs::create(&mut tx, &job).await?;
    replays::insert(&mut tx, &replay).await?;
    tx.commit(now).await?;
    let location = [(header::LOCATION, format!("/api/v1/jobs/{}", job.id))];
    let answer = (StatusCode::ACCEPTED, location, Json(job.clone())).into_response();
    app.tasks.spawn(run(Work { scope: caller.scope, job, replay, policy: Arc::new(policy), app: Arc::clone(&app) }));
    Ok(answer)
}

/// The policies that are tried, and the number of their version.
async fn subject(
    caller: &Caller,
    version: Option<i64>,
    files: Option<Vec<PolicyText>>,
) -> Result<(i64, Policy), Problem> {
    let (number, files) = match (version, files) {
        (Some(_), Some(_)) => return Err(Problem::invalid("`version` or `files`, not both")),
        (None, Some(files)) => (0, tried(files).await?.map_err(|errors| refused(&errors))?.files),
        (version, None) => {
            let mut reader = caller.scope.read().await?;
            let number = match version {
                Some(number) => number,
                None => live(&mut reader).await?,
            };
            if number == 0 {
                return Ok((0, built_in()?));
            }
            (number, content_of(&mut reader, number).await?.files)
        }
    };
    let policy = blocking(move || Policy::with_tenant(&files)).await?.map_err(|errors| refused(&errors))?;
    Ok((number, policy))
}

fn planned(
    scope: &TenantScope,
    number: i64,
    policy: &Policy,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> (BulkJob, Replay) {
    let id: JobId = id::mint(now, &mut rand::rng());
    let by = scope.actor().id.clone();
    let job = BulkJob { subject: Some(number.to_string()), ..BulkJob::begun(id, KIND, WHOLE, &by, now) };
    let policy_hash = policy.hash().to_owned();
    (job, Replay { id, number, policy_hash, from, to, state: JobState::Running, at: now, by, report: None })
}

/// A job on its way, with what it is about.
struct Work {
    scope: TenantScope,
    job: BulkJob,
    replay: Replay,
    policy: Arc<Policy>,
    app: Arc<App>,
}

async fn run(mut work: Work) {
    let written =
        |report| serde_json::to_value(report).map_err(|error| Problem::new(Code::INTERNAL, error.to_string()));
    match ask_all(&mut work).await.and_then(written) {
        Ok(report) => {
            (work.job.state, work.job.done) = (JobState::Done, WHOLE);
            work.replay.state = JobState::Done;
            work.replay.report = Some(report);
        }
        Err(error) => {
            tracing::error!(job.id = %work.job.id, error = error.detail, "a replay of policies did not come to its end");
            (work.job.state, work.replay.state) = (JobState::Failed, JobState::Failed);
            work.job.why = Some(error.detail);
        }
    }
    if let Err(error) = end(&mut work).await {
        tracing::error!(job.id = %work.job.id, %error, "the end of a replay could not be noted");
    }
}

async fn ask_all(work: &mut Work) -> Result<PolicyReplayReport, Problem> {
    let window = (work.replay.from, work.replay.to);
    let decisions = inputs::count(&mut work.scope.read().await?, window.0, window.1).await?;
    let (begun, mut looked_at) = (Instant::now(), 0_u64);
    let mut compared = ReplayReport::of(&work.policy);
    let mut behind: Option<Place> = None;
    while looked_at < MOST && begun.elapsed() < LONGEST {
        if work.app.stop.is_cancelled() {
            return Err(Problem::new(Code::INTERNAL, "the server stops"));
        }
        let piece = inputs::between(&mut work.scope.read().await?, window, behind, PIECE).await?;
        let Some(last) = piece.last() else { break };
        behind = Some(last.place);
        looked_at += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        let policy = Arc::clone(&work.policy);
        compared = blocking(move || ask(&policy, compared, piece)).await?;
        progress(work, looked_at, decisions).await?;
    }
    Ok(PolicyReplayReport { compared, decisions, not_reached: decisions.saturating_sub(looked_at) })
}

fn ask(policy: &Policy, mut compared: ReplayReport, piece: Vec<Kept>) -> ReplayReport {
    for kept in piece {
        compared.ask(policy, question(kept));
    }
    compared
}

fn question(kept: Kept) -> Asked {
    let question = kept.asked.and_then(|(input, decided)| {
        let read = serde_json::from_value(input).map(|input| (input, decided));
        read.map_err(|error| format!("it is a question of another release: {error}"))
    });
    Asked { name: kept.place.plan.to_string(), question }
}

async fn progress(work: &mut Work, looked_at: u64, decisions: u64) -> Result<(), StoreError> {
    let whole = u64::from(WHOLE);
    let percent = (looked_at * whole).checked_div(decisions.min(MOST)).unwrap_or(whole).min(whole - 1);
    let percent = u32::try_from(percent).unwrap_or(WHOLE - 1);
    if percent <= work.job.done {
        return Ok(());
    }
    work.job.done = percent;
    work.job.updated_at = work.scope.store().clock().now();
    let mut tx = work.scope.begin().await?;
    let gone = |gone: IdentityError| StoreError::Refused { detail: gone.to_string() };
    makers::still(&mut tx, Permission::SettingsWrite).await.map_err(gone)?;
    jobs::progress(&mut tx, &work.job).await?;
    tx.commit(work.job.updated_at).await
}

async fn end(work: &mut Work) -> Result<(), StoreError> {
    work.job.updated_at = work.scope.store().clock().now();
    let mut tx = work.scope.begin().await?;
    jobs::finish(&mut tx, &work.job).await?;
    replays::finish(&mut tx, &work.replay).await?;
    tx.commit(work.job.updated_at).await
}

/// Replays, newest first.
#[utoipa::path(get, path = "/api/v1/policies/replays", operation_id = "list_policy_replays", tag = "policies", params(PlainQuery), responses((status = 200, body = List<PolicyReplay>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<PolicyReplay>>, Problem> {
    let page = replays::list(&mut caller.scope.read().await?, query.page()).await?;
    let items = page.items.into_iter().map(PolicyReplay::of).collect::<Result<_, _>>()?;
    Ok(Json(query.answer(shieldops_store::Page { items, next_cursor: page.next_cursor })))
}

/// One replay, with its report once it has ended.
#[utoipa::path(get, path = "/api/v1/policies/replays/{id}", operation_id = "get_policy_replay", tag = "policies", params(("id" = JobId, Path)),
    responses((status = 200, body = PolicyReplay), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, PathId(id): PathId<id::JobKind>) -> Result<Json<PolicyReplay>, Problem> {
    let found = replays::find(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    PolicyReplay::of(found).map(Json)
}
