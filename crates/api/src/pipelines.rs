//! Processing pipelines of a tenant: what is done to its own rules before they are compiled. The rules that everybody has are
//! compiled once for all tenants, so these change nothing there.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_detect::{CompileOptions, Diagnostic, Pipeline};
use shieldops_model::{Code, Timestamp};
use shieldops_pipeline::Neighbours;
use shieldops_store::{
    Access,
    rule_parts::{self, Kind, Part},
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    alerts::reason,
    auth::Caller,
    page::{Body, PlainQuery},
    precondition::{IfMatch, Tagged},
    rules::{blocking, view::DiagnosticView, write::refused},
    value_lists::{PartVersionView, named, noted},
};

const TEXT_BYTES: usize = 256 * 1024;
const SAID: usize = 200;

#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineView {
    name: String,
    /// The newest version.
    head: i64,
    /// The version in use; absent while it is not in use.
    live: Option<i64>,
    active: bool,
    bytes: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    by: String,
    by_name: String,
    /// Why it was last changed.
    reason: String,
    /// What its ETag says.
    version: i64,
}

impl From<Part> for PipelineView {
    fn from(part: Part) -> Self {
        Self {
            name: part.name,
            head: part.head,
            live: part.live,
            active: part.live.is_some(),
            bytes: part.bytes,
            created_at: part.created_at,
            updated_at: part.updated_at,
            by: part.by,
            by_name: part.by_name,
            reason: part.reason,
            version: part.version,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineDetail {
    #[serde(flatten)]
    pipeline: PipelineView,
    /// The newest version.
    text: String,
    diagnostics: Vec<DiagnosticView>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPipeline {
    /// A letter, then letters, digits, `_`, `-` and `.`; at most 64.
    name: String,
    /// pySigma's YAML, at most 256 KiB.
    text: String,
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineText {
    /// pySigma's YAML, at most 256 KiB.
    text: String,
    /// What this version is for.
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelinePatch {
    /// Whether it is applied to the tenant's rules.
    active: bool,
    /// The version to use; the newest unless told.
    version: Option<i64>,
    /// Why. It stands in the ledger.
    reason: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineCheck {
    /// It can be used, and the tenant's rules that run can be compiled with it.
    usable: bool,
    diagnostics: Vec<DiagnosticView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PipelineVersion {
    #[serde(flatten)]
    version: PartVersionView,
    text: String,
}

/// The pipeline of a text.
///
/// # Errors
/// `invalid_rule` with what is wrong.
async fn read(text: &str) -> Result<(Pipeline, Vec<Diagnostic>), Problem> {
    if text.len() > TEXT_BYTES {
        return Err(Problem::invalid(format!("`text` has {} bytes, and at most {TEXT_BYTES} are taken", text.len())));
    }
    let text = text.to_owned();
    let (pipeline, said) = blocking(move || Pipeline::parse(&text, "pipeline.yml")).await?;
    let pipeline = pipeline.ok_or_else(|| refused(&said))?;
    Ok((pipeline, said))
}

/// What is wrong with the tenant's rules that run once this pipeline stands in for the one of its name, and was not before.
async fn tried(app: &App, caller: &Caller, name: &str, pipeline: Pipeline) -> Result<Vec<Diagnostic>, Problem> {
    let neighbours = Neighbours::read(&mut caller.scope.read().await?, &app.pipeline.content).await?;
    let file = format!("pipeline {name}");
    let work = move || {
        let mut options = CompileOptions::clone(neighbours.options());
        options.pipelines.retain(|other| other.file != file);
        options.pipelines.push(pipeline);
        let before = neighbours.problems();
        let mut problems = neighbours.with_options(options).problems();
        problems.retain(|problem| !before.contains(problem));
        problems
    };
    blocking(work).await
}

async fn part(access: &mut impl Access, name: &str) -> Result<Part, Problem> {
    rule_parts::find(access, Kind::Pipeline, name).await?.ok_or_else(Problem::not_found)
}

async fn detail(caller: &Caller, name: &str) -> Result<Tagged<PipelineDetail>, Problem> {
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, name).await?;
    let head = rule_parts::version(&mut reader, Kind::Pipeline, name, part.head).await?;
    let text = head.map(|head| head.text).unwrap_or_default();
    let (version, read) = (part.version, text.clone());
    let said = blocking(move || Pipeline::parse(&read, "pipeline.yml").1).await?;
    let diagnostics = said.iter().take(SAID).map(DiagnosticView::from).collect();
    Ok(Tagged(version, PipelineDetail { pipeline: part.into(), text, diagnostics }))
}

/// Pipelines of the tenant, by name.
#[utoipa::path(get, path = "/api/v1/pipelines", operation_id = "list_pipelines", tag = "rules", params(PlainQuery), responses((status = 200, body = List<PipelineView>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<PipelineView>>, Problem> {
    let all = rule_parts::all(&mut caller.scope.read().await?, Kind::Pipeline).await?;
    let views = all.into_iter().map(PipelineView::from).collect();
    Ok(Json(query.of(views, |view: &PipelineView| view.name.clone())?))
}

/// Makes a pipeline. It is in use when it is activated.
#[utoipa::path(post, path = "/api/v1/pipelines", operation_id = "create_pipeline", tag = "rules", request_body = NewPipeline,
    responses((status = 201, body = PipelineDetail), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<NewPipeline>) -> Result<Response, Problem> {
    named(&body.name)?;
    noted(&body.note)?;
    read(&body.text).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    rule_parts::create(&mut tx, Kind::Pipeline, &body.name, (&body.text, &body.note), now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, detail(&caller, &body.name).await?).into_response())
}

/// Reads a pipeline as it is being written, and tries it on the tenant's rules that run. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/pipelines/check", operation_id = "check_pipeline", tag = "rules", request_body = NewPipeline, responses((status = 200, body = PipelineCheck)))]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewPipeline>,
) -> Result<Json<PipelineCheck>, Problem> {
    named(&body.name)?;
    noted(&body.note)?;
    if body.text.len() > TEXT_BYTES {
        return Err(Problem::invalid(format!("`text` has at most {TEXT_BYTES} bytes")));
    }
    let text = body.text;
    let (pipeline, mut said) = blocking(move || Pipeline::parse(&text, "pipeline.yml")).await?;
    let mut usable = pipeline.is_some();
    if let Some(pipeline) = pipeline {
        let problems = tried(&app, &caller, &body.name, pipeline).await?;
        usable = problems.is_empty();
        said.extend(problems);
    }
    Ok(Json(PipelineCheck { usable, diagnostics: said.iter().take(SAID).map(DiagnosticView::from).collect() }))
}

/// One pipeline, with its newest text.
#[utoipa::path(get, path = "/api/v1/pipelines/{name}", operation_id = "get_pipeline", tag = "rules", params(("name" = String, Path)),
    responses((status = 200, body = PipelineDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, Path(name): Path<String>) -> Result<Tagged<PipelineDetail>, Problem> {
    detail(&caller, &name).await
}

/// Writes a pipeline again, as a new version. The one in use stays.
#[utoipa::path(put, path = "/api/v1/pipelines/{name}", operation_id = "revise_pipeline", tag = "rules", params(("name" = String, Path)), request_body = PipelineText,
    responses((status = 200, body = PipelineDetail), (status = 404, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revise(
    caller: Caller,
    seen: IfMatch,
    Path(name): Path<String>,
    Body(body): Body<PipelineText>,
) -> Result<Tagged<PipelineDetail>, Problem> {
    noted(&body.note)?;
    part(&mut caller.scope.read().await?, &name).await?;
    read(&body.text).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let part = part(&mut tx, &name).await?;
    seen.check(part.version)?;
    rule_parts::revise(&mut tx, part, (&body.text, &body.note), now).await?;
    tx.commit(now).await?;
    detail(&caller, &name).await
}

/// Puts a version of a pipeline to use, or takes it out of use, from the next batch of events on. One with which a rule of
/// the tenant that runs could not be compiled is refused.
#[utoipa::path(patch, path = "/api/v1/pipelines/{name}", operation_id = "update_pipeline", tag = "rules", params(("name" = String, Path)), request_body = PipelinePatch,
    responses((status = 200, body = PipelineDetail), (status = 404, body = Problem), (status = 412, body = Problem), (status = 422, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    caller: Caller,
    seen: IfMatch,
    Path(name): Path<String>,
    Body(patch): Body<PipelinePatch>,
) -> Result<Tagged<PipelineDetail>, Problem> {
    reason(&patch.reason)?;
    let live = wanted(&app, &caller, &name, &patch).await?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let part = part(&mut tx, &name).await?;
    seen.check(part.version)?;
    rule_parts::set(&mut tx, part, live, &patch.reason, now).await?;
    tx.commit(now).await?;
    detail(&caller, &name).await
}

/// The version that is to be used, tried.
async fn wanted(app: &App, caller: &Caller, name: &str, patch: &PipelinePatch) -> Result<Option<i64>, Problem> {
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, name).await?;
    if !patch.active {
        return Ok(None);
    }
    let number = patch.version.unwrap_or(part.head);
    let version = rule_parts::version(&mut reader, Kind::Pipeline, name, number).await?;
    drop(reader);
    let version = version.ok_or_else(|| Problem::invalid(format!("there is no version {number}")))?;
    let (pipeline, _) = read(&version.text).await?;
    let problems = tried(app, caller, name, pipeline).await?;
    if problems.is_empty() { Ok(Some(number)) } else { Err(refused(&problems)) }
}

/// Takes a pipeline away with its versions. It is taken out of use first.
#[utoipa::path(delete, path = "/api/v1/pipelines/{name}", operation_id = "delete_pipeline", tag = "rules", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(caller: Caller, seen: IfMatch, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let part = part(&mut tx, &name).await?;
    seen.check(part.version)?;
    if part.live.is_some() {
        return Err(Problem::new(Code::CONFLICT, "it is in use: deactivate it first"));
    }
    rule_parts::delete(&mut tx, &part).await?;
    tx.commit(now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Versions of a pipeline, newest first; the newest 200 are kept.
#[utoipa::path(get, path = "/api/v1/pipelines/{name}/versions", operation_id = "list_pipeline_versions", tag = "rules", params(("name" = String, Path), PlainQuery),
    responses((status = 200, body = List<PartVersionView>), (status = 404, body = Problem)))]
pub(crate) async fn versions(
    caller: Caller,
    Path(name): Path<String>,
    query: PlainQuery,
) -> Result<Json<List<PartVersionView>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, &name).await?;
    let versions = rule_parts::versions(&mut reader, Kind::Pipeline, &name).await?;
    let views = versions.iter().map(|version| PartVersionView::new(&part, version)).collect();
    Ok(Json(query.of(views, |view: &PartVersionView| view.number().to_string())?))
}

/// One version of a pipeline, with its text.
#[utoipa::path(get, path = "/api/v1/pipelines/{name}/versions/{number}", operation_id = "get_pipeline_version", tag = "rules", params(("name" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = PipelineVersion), (status = 404, body = Problem)))]
pub(crate) async fn version(
    caller: Caller,
    Path((name, number)): Path<(String, String)>,
) -> Result<Json<PipelineVersion>, Problem> {
    let number: i64 = number.parse().map_err(|_no_number| Problem::not_found())?;
    let mut reader = caller.scope.read().await?;
    let part = part(&mut reader, &name).await?;
    let found = rule_parts::version(&mut reader, Kind::Pipeline, &name, number).await?;
    let version = found.ok_or_else(Problem::not_found)?;
    Ok(Json(PipelineVersion { version: PartVersionView::new(&part, &version), text: version.text }))
}
