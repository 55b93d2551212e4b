//! The door for events: our own route, Splunk HEC, and Elasticsearch `_bulk`.

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_ingest::{
    Hints,
    formats::{bulk, hec},
};
use shieldops_pipeline::Answer;
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, Problem,
    auth::Caller,
    bodies::{self, Taken, beside},
    limits,
    page::Params,
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct IntakeParams {
    /// What the lines are, where their shape does not say: `sshd`, `nginx`, `auditd`, …
    source: Option<String>,
}

/// What became of each line. `accepted` means durable.
#[derive(Serialize, ToSchema)]
pub(crate) struct IntakeAnswer {
    accepted: u64,
    rejected: u64,
    errors: Vec<IntakeError>,
}

#[derive(Serialize, ToSchema)]
struct IntakeError {
    /// 1-based.
    line: u64,
    code: &'static str,
    detail: String,
}

impl From<Answer> for IntakeAnswer {
    fn from(answer: Answer) -> Self {
        let error = |refused: shieldops_pipeline::RefusedLine| IntakeError {
            line: refused.line,
            code: refused.code,
            detail: refused.detail,
        };
        Self {
            accepted: answer.accepted,
            rejected: answer.rejected,
            errors: answer.errors.into_iter().map(error).collect(),
        }
    }
}

/// Takes events: NDJSON, or text lines. The body may be compressed with gzip or zstd.
#[utoipa::path(post, path = "/api/v1/events", operation_id = "send_events", tag = "events", params(IntakeParams),
    request_body(content((String = "application/x-ndjson"), (String = "text/plain"))),
    responses((status = 200, body = IntakeAnswer), (status = 413, body = Problem), (status = 415, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn events(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<IntakeParams>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<IntakeAnswer>, Problem> {
    let source = source(params.source, &caller)?;
    let taken = take(&app, &caller, &headers, body).await?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let answer =
        app.intake.accept(caller.principal.tenant, taken.bytes.clone(), source.as_deref(), content_type, false).await?;
    app.metrics.took(answer.accepted, answer.rejected);
    Ok(Json(answer.into()))
}

/// Reads and unpacks a body, and counts it as what it came to.
async fn take(app: &App, caller: &Caller, headers: &HeaderMap, body: Body) -> Result<Taken, Problem> {
    let taken = bodies::take(app, headers, body).await?;
    let bytes = f64::from(u32::try_from(taken.bytes.len()).unwrap_or(u32::MAX));
    let declared = limits::declared_bytes(headers, app.settings.max_body_bytes);
    app.limits.owe(&caller.scope, caller.payer(), bytes - declared).await?;
    Ok(taken)
}

/// The source of the request, else the token's own.
fn source(given: Option<String>, caller: &Caller) -> Result<Option<String>, Problem> {
    let source = given.or_else(|| caller.principal.source.clone());
    source.map(|text| name("source", text)).transpose()
}

/// A name that a sender gives: of a source, of an index.
pub(crate) fn name(what: &str, text: String) -> Result<String, Problem> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-/:".contains(character);
    if (1..=64).contains(&text.len()) && text.chars().all(fits) {
        return Ok(text);
    }
    Err(Problem::invalid(format!("`{what}` is 1 to 64 letters, digits or ._-/:")))
}

/// Splunk HEC, JSON events.
pub(crate) async fn hec_event(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<IntakeParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    hec_take(&app, &caller, params, &headers, body, hec::Endpoint::Event).await
}

/// Splunk HEC, raw lines.
pub(crate) async fn hec_raw(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<IntakeParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    hec_take(&app, &caller, params, &headers, body, hec::Endpoint::Raw).await
}

pub(crate) async fn hec_health() -> Response {
    Json(json!({"text": "HEC is healthy", "code": 17})).into_response()
}

/// Whether indexed events can be asked after: not here, where an answer of success means durable already. Code 14 of HEC.
pub(crate) async fn hec_ack() -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"text": "ACK is disabled", "code": 14}))).into_response()
}

async fn hec_take(
    app: &App,
    caller: &Caller,
    params: IntakeParams,
    headers: &HeaderMap,
    body: Body,
    endpoint: hec::Endpoint,
) -> Response {
    match hec_answer(app, caller, params, headers, body, endpoint).await {
        Ok(None) => (StatusCode::BAD_REQUEST, Json(json!({"text": "No data", "code": 5}))).into_response(),
        Ok(Some(answer)) if answer.rejected == 0 => Json(json!({"text": "Success", "code": 0})).into_response(),
        Ok(Some(answer)) => {
            let first = answer.errors.first();
            let detail = first.map(|error| error.detail.clone()).unwrap_or_default();
            let at = first.map(|error| error.line.saturating_sub(1));
            let body = json!({"text": "Invalid data format", "code": 6, "invalid-event-number": at, "detail": detail, "accepted": answer.accepted, "rejected": answer.rejected});
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        // The codes of HEC: 9 is "server is busy".
        Err(problem) if problem.status == 429 => {
            let mut response =
                (StatusCode::TOO_MANY_REQUESTS, Json(json!({"text": "Server is busy", "code": 9}))).into_response();
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

async fn hec_answer(
    app: &App,
    caller: &Caller,
    params: IntakeParams,
    headers: &HeaderMap,
    body: Body,
    endpoint: hec::Endpoint,
) -> Result<Option<Answer>, Problem> {
    let source = source(params.source, caller)?;
    let taken = take(app, caller, headers, body).await?;
    let body = &taken.bytes;
    if body.trim_ascii().is_empty() {
        return Ok(None);
    }
    let received = app.store.clock().now();
    let hints = Hints { source: source.as_deref(), content_type: None };
    let batch = beside(body.len(), || hec::parse(body, endpoint, hints, received, &app.intake.limits));
    let answer = app.intake.take(caller.principal.tenant, batch.prepared, false, received).await?;
    app.metrics.took(answer.accepted, answer.rejected);
    Ok(Some(answer))
}

pub(crate) async fn bulk(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<IntakeParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    bulk_take(&app, &caller, (None, params.source), &headers, body).await.unwrap_or_else(IntoResponse::into_response)
}

pub(crate) async fn bulk_into(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(index): Path<String>,
    Params(params): Params<IntakeParams>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    bulk_take(&app, &caller, (Some(index), params.source), &headers, body)
        .await
        .unwrap_or_else(IntoResponse::into_response)
}

async fn bulk_take(
    app: &App,
    caller: &Caller,
    (index, given): (Option<String>, Option<String>),
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let index = index.map(|index| name("index", index)).transpose()?;
    let source = source(given, caller)?;
    let taken = take(app, caller, headers, body).await?;
    let body = &taken.bytes;
    let received = app.store.clock().now();
    let (index, source) = (index.as_deref(), source.as_deref());
    let batch = beside(body.len(), || bulk::parse(body, index, source, received, &app.intake.limits));
    if let Some(error) = batch.malformed {
        // Nothing after such a line can be told apart: the protocol refuses the whole body, and nothing of it is stored.
        let reason = format!("line {}: {}", error.line, error.detail);
        let body = json!({"error": {"type": "illegal_argument_exception", "reason": reason}, "status": 400});
        return Ok((StatusCode::BAD_REQUEST, Json(body)).into_response());
    }
    let answer = app.intake.take(caller.principal.tenant, batch.prepared, false, received).await?;
    app.metrics.took(answer.accepted, answer.rejected);
    let errors = batch.items.iter().any(|item| item.result.is_err());
    let items: Vec<_> = batch.items.iter().map(bulk_item).collect();
    Ok(Json(json!({"took": 0, "errors": errors, "items": items})).into_response())
}

/// One item's result, as the bulk protocol names it.
fn bulk_item(item: &bulk::Item) -> serde_json::Value {
    let action = match item.action {
        bulk::Action::Create => "create",
        bulk::Action::Index => "index",
        bulk::Action::Delete => "delete",
        bulk::Action::Update => "update",
    };
    let result = match &item.result {
        Ok(()) => json!({"_index": item.index, "_id": item.id, "status": 201, "result": "created"}),
        Err(error) => {
            json!({"_index": item.index, "_id": item.id, "status": 400, "error": {"type": error.code, "reason": error.detail}})
        }
    };
    json!({action: result})
}

/// What Elasticsearch senders ask before they send.
pub(crate) async fn cat_health() -> &'static str {
    "shieldops green\n"
}

pub(crate) async fn cluster_health() -> Response {
    Json(json!({"cluster_name": "shieldops", "status": "green", "timed_out": false})).into_response()
}

pub(crate) async fn license() -> Response {
    Json(json!({"license": {"status": "active", "type": "basic"}})).into_response()
}
