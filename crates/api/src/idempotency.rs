//! `Idempotency-Key`: a POST that creates or acts is done once, however often it is sent.
//!
//! Source: draft-ietf-httpapi-idempotency-key-header-07. The answer is kept a day for the principal, the tenant and the
//! operation. An answer that did nothing (not a success) is not kept: the same key may try again.

use std::{panic::AssertUnwindSafe, sync::Arc};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shieldops_model::Code;
use shieldops_store::{
    TenantScope,
    idempotency::{self, Answer, Begun, Claim},
};

use crate::{App, Problem, auth::Caller};

const HEADER: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Bytes of a request that is remembered, and of the answer.
const REQUEST_BYTES: usize = 2 * 1024 * 1024;
const ANSWER_BYTES: usize = 1024 * 1024;
/// Characters of a key.
const KEY_CHARS: usize = 128;

/// Members of an answer that are shown once: a repeated answer is without them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShownOnce(pub(crate) &'static [&'static str]);

/// Whether a route does something that must not be done twice. What only opens a session, answers a question, or takes
/// events (they have their own marks) is not asked for a key.
pub(crate) fn wanted(method: &Method, path: &str) -> bool {
    const FREE: [&str; 15] = [
        "/api/v1/events",
        // Sent again, it stages and puts to use the same list again.
        "/api/v1/indicators/lists/{id}/import",
        "/api/v1/pipelines/check",
        "/api/v1/policies/check",
        "/api/v1/rules/check",
        "/api/v1/rules/{id}/explain",
        "/api/v1/rules/{id}/test",
        "/api/v1/invitations/accept",
        "/api/v1/me/reauthenticate",
        "/api/v1/me/password",
        "/api/v1/me/totp",
        "/api/v1/me/totp/confirm",
        "/api/v1/me/passkeys/begin",
        "/api/v1/me/passkeys/finish",
        "/api/v1/session",
    ];
    method == Method::POST
        && path.starts_with("/api/v1/")
        && !path.starts_with("/api/v1/session/")
        && !FREE.contains(&path)
}

/// Runs between authorisation and the handler.
pub(crate) async fn once(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if !wanted(request.method(), path) {
        return next.run(request).await;
    }
    let Some(caller) = request.extensions().get::<Caller>().cloned() else { return next.run(request).await };
    let outcome = run(&app, &caller, request, next).await;
    outcome.unwrap_or_else(IntoResponse::into_response)
}

async fn run(app: &App, caller: &Caller, request: Request, next: Next) -> Result<Response, Problem> {
    let key = key(request.headers())?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, REQUEST_BYTES)
        .await
        .map_err(|_long| Problem::new(Code::BODY_TOO_LARGE, format!("this body has at most {REQUEST_BYTES} bytes")))?;
    let target = parts.uri.path_and_query().map_or_else(|| parts.uri.path(), |target| target.as_str());
    let claim = Claim {
        principal: caller.principal.subject(),
        operation: format!("{} {target}", parts.method),
        key,
        body_hash: Sha256::digest(&body).into(),
    };
    let now = || app.store.clock().now();
    match idempotency::begin(&caller.scope, &claim, now()).await? {
        Begun::First => {
            let response = whole(next.run(Request::from_parts(parts, Body::from(body)))).await;
            keep(&caller.scope, &claim, response, now).await
        }
        Begun::Replay(answer) => Ok(replay(answer)),
        Begun::Conflict => Err(Problem::new(Code::IDEMPOTENCY_CONFLICT, Code::IDEMPOTENCY_CONFLICT.help)),
        Begun::InFlight { .. } => Err(Problem {
            retry_after_s: Some(1),
            ..Problem::new(Code::IDEMPOTENCY_IN_FLIGHT, Code::IDEMPOTENCY_IN_FLIGHT.help)
        }),
    }
}

/// A handler that panics is a failure of ours as any other: its key must not stay claimed.
async fn whole(work: impl Future<Output = Response>) -> Response {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_panic| {
        tracing::error!("a handler panicked");
        Problem::new(Code::INTERNAL, Code::INTERNAL.help).into_response()
    })
}

/// The key of the request: a structured string or the bare text.
fn key(headers: &HeaderMap) -> Result<String, Problem> {
    let mut sent = headers.get_all(HEADER).iter();
    let Some(value) = sent.next() else {
        return Err(Problem::new(Code::IDEMPOTENCY_KEY_REQUIRED, Code::IDEMPOTENCY_KEY_REQUIRED.help));
    };
    if sent.next().is_some() {
        return Err(Problem::invalid("two Idempotency-Key headers"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let printable = bare.chars().all(|character| character.is_ascii_graphic() && character != '"');
    if printable && (1..=KEY_CHARS).contains(&bare.len()) {
        return Ok(bare.to_owned());
    }
    Err(Problem::invalid(format!(
        "an Idempotency-Key has 1 to {KEY_CHARS} printable ASCII characters without blanks and quotes; it may stand in quotes"
    )))
}

/// Keeps the answer of a success; lets the key go where nothing was done.
async fn keep(
    scope: &TenantScope,
    claim: &Claim,
    response: Response,
    now: impl Fn() -> shieldops_model::Timestamp,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        if let Err(error) = idempotency::abandon(scope, claim, now()).await {
            tracing::error!(%error, "an idempotency key stays claimed");
        }
        return Ok(response);
    }
    let once = response.extensions().get::<ShownOnce>().copied();
    let (parts, body) = response.into_parts();
    // An answer of a change is small; were it not, the change would still have been made.
    let body = to_bytes(body, usize::MAX).await.map_err(|_broken| Problem::new(Code::INTERNAL, Code::INTERNAL.help))?;
    let headers = [header::CONTENT_TYPE, header::ETAG, header::LOCATION];
    let headers = headers.iter().filter_map(|name| {
        let value = parts.headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let kept = Answer { status: parts.status.as_u16(), headers: headers.collect(), body: kept(&body, once) };
    // It was done, and may hold a secret that is shown once: whoever asked is told, though no repetition will be.
    if let Err(error) = idempotency::finish(scope, claim, &kept, now()).await {
        tracing::error!(%error, "an answer could not be kept for its idempotency key");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// The body as it will be repeated: without what is shown once, and not without end.
fn kept(body: &Bytes, once: Option<ShownOnce>) -> Vec<u8> {
    if body.len() > ANSWER_BYTES {
        return json!({"omitted": "the answer was too large to be kept; it was done"}).to_string().into_bytes();
    }
    let Some(ShownOnce(members)) = once else { return body.to_vec() };
    let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else { return Vec::new() };
    for member in members {
        object.remove(*member);
    }
    object.insert("secret_shown".to_owned(), Value::Bool(false));
    Value::Object(object).to_string().into_bytes()
}

fn replay(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

/// An answer that holds a secret: it is never repeated.
pub(crate) fn shown_once(members: &'static [&'static str], response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    response.extensions_mut().insert(ShownOnce(members));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_key_is_one_printable_text() {
        assert_eq!(key(&headers(&["\"8e03978e\""])).unwrap(), "8e03978e");
        assert_eq!(key(&headers(&["8e03978e"])).unwrap(), "8e03978e");
        assert_eq!(key(&headers(&[])).unwrap_err().code, "idempotency_key_required");
        for bad in [&["a", "b"][..], &[""], &["\"\""], &["a\"b"], &["\"a"], &["a b"], &[&"x".repeat(129)]] {
            assert_eq!(key(&headers(bad)).unwrap_err().code, "invalid_request", "{bad:?}");
        }
    }

    /// A claim that somebody is at.
    async fn begun() -> (tempfile::TempDir, TenantScope, Claim) {
        let dir = tempfile::tempdir().unwrap();
        let options = shieldops_store::Options { data_dir: dir.path().to_owned(), ..Default::default() };
        let clock = shieldops_model::FixedClock::at(shieldops_model::Timestamp::from_secs(1_790_000_000));
        let store = shieldops_store::Store::open(&options, Arc::new(clock)).await.unwrap();
        let tenant = store.first().await.unwrap().id;
        let scope = store.job(tenant, shieldops_store::Job::Cli).unwrap();
        let claim = Claim { principal: [1; 16], operation: "POST /x".into(), key: "k".into(), body_hash: [2; 32] };
        assert_eq!(idempotency::begin(&scope, &claim, store.clock().now()).await.unwrap(), Begun::First);
        (dir, scope, claim)
    }

    /// What a repetition of the same claim finds after this answer.
    async fn after(response: impl Future<Output = Response>) -> Begun {
        let (_dir, scope, claim) = begun().await;
        let now = || scope.store().clock().now();
        let answered = whole(response).await;
        keep(&scope, &claim, answered, now).await.unwrap();
        idempotency::begin(&scope, &claim, now()).await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_of_ours_that_failed_is_not_repeated_and_its_key_is_free_again() {
        for status in [500, 503, 504, 400, 409, 429] {
            let failed = async move { StatusCode::from_u16(status).unwrap().into_response() };
            assert_eq!(after(failed).await, Begun::First, "{status}");
        }
        assert_eq!(after(async { panic!("a handler's fault") }).await, Begun::First);
        let done = after(async { (StatusCode::CREATED, "made").into_response() }).await;
        assert!(matches!(done, Begun::Replay(answer) if answer.status == 201 && answer.body == b"made"));
    }

    #[tokio::test]
    async fn what_was_done_is_told_though_its_answer_cannot_be_kept() {
        let (_dir, scope, claim) = begun().await;
        scope.store().close().await;
        for status in [StatusCode::CREATED, StatusCode::CONFLICT] {
            let now = || scope.store().clock().now();
            let told = keep(&scope, &claim, (status, "a secret").into_response(), now).await.unwrap();
            assert_eq!(told.status(), status);
        }
    }

    #[test]
    fn what_is_shown_once_is_not_kept() {
        let body = Bytes::from(r#"{"id":"key_1","secret":"sko_x"}"#);
        let kept: Value = serde_json::from_slice(&kept(&body, Some(ShownOnce(&["secret"])))).unwrap();
        assert_eq!(kept, json!({"id": "key_1", "secret_shown": false}));
    }

    #[test]
    fn what_creates_or_acts_wants_a_key_and_what_asks_does_not() {
        for (method, path, is) in [
            (Method::POST, "/api/v1/plans", true),
            (Method::POST, "/api/v1/plans/{id}/approve", true),
            (Method::POST, "/api/v1/keys/{id}/rotate", true),
            (Method::POST, "/api/v1/events", false),
            (Method::POST, "/api/v1/session/second-factor", false),
            (Method::POST, "/_bulk", false),
            (Method::PATCH, "/api/v1/alerts/{id}", false),
        ] {
            assert_eq!(wanted(&method, path), is, "{method} {path}");
        }
    }
}
