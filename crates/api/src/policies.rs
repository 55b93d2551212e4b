//! A tenant's own policies: what decides now, versions of them, and how one comes into force. Whoever wrote a version never
//! activates it, and it shows first that its tests pass and what it would have decided.

pub(crate) mod diff;
pub(crate) mod replays;
mod texts;

use axum::{
    Json,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shieldops_model::{Code, Reason, Timestamp};
use shieldops_policy::{Policy, PolicyError, Shipped, shipped, suite::SuiteReport};
use shieldops_store::{
    Access, Page, StoreError, Tx,
    gate::{
        changes::{self, Change, Kind, New},
        policies::{self, Content, Version},
        replays::proof,
        settings::Activated,
    },
};
use utoipa::ToSchema;

use self::{
    replays::PolicyReplay,
    texts::{PolicyText, Tried, refused, tried},
};
use crate::{
    List, Problem,
    alerts::reason,
    auth::Caller,
    page::{Body, PlainQuery},
    plans::ReasonBody,
    precondition::Tagged,
    rules::blocking,
};

/// What a change of the gate that takes the policies out of force is about.
const SUBJECT: &str = "policies";

/// What decides now.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoliciesView {
    /// The version of the tenant's own that is in force; 0: none, and only the built-in policies decide.
    number: i64,
    /// Of all that decide together, hex. Absent while they cannot be used.
    policy_hash: Option<String>,
    built_in_hash: String,
    /// Whether the version in force can be used. While it cannot, everything but an undo is denied.
    loads: bool,
    errors: Vec<PolicyError>,
    /// What came into force last; where `number` is 0, what took them out.
    activated: Option<Activated>,
    /// The newest version, in force or not.
    newest: Option<PolicyVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyVersionState {
    /// It was never in force.
    Draft,
    InForce,
    /// It was in force, and can be again.
    Superseded,
}

/// A version, without its files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyVersion {
    number: i64,
    state: PolicyVersionState,
    at: Timestamp,
    by: String,
    by_name: String,
    reason: String,
    /// SHA-256 of its files, hex.
    hash: String,
    /// Of all policies that decided with it when it was written, hex.
    policy_hash: String,
    files: u32,
    /// Of its tests, as they were when it was written.
    tests_passed: u32,
    tests_failed: u32,
    /// The last time that it came into force.
    activated: Option<Activated>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyVersionDetail {
    #[serde(flatten)]
    version: PolicyVersion,
    /// Its files, tests among them. Absent in the answer to a change.
    texts: Option<Vec<PolicyText>>,
    tests: SuiteReport,
    /// The newest replay of exactly these policies that came to its end.
    replay: Option<PolicyReplay>,
    /// It may be activated, by another person than its author.
    ready: bool,
    /// What it has yet to show: `tests_missing`, `tests_failed`, `replay_missing`.
    missing: Vec<String>,
}

fn brief(version: Version, live: i64) -> PolicyVersion {
    let state = match &version.activated {
        _ if version.number == live => PolicyVersionState::InForce,
        Some(_) => PolicyVersionState::Superseded,
        None => PolicyVersionState::Draft,
    };
    PolicyVersion {
        number: version.number,
        state,
        at: version.at,
        by: version.by,
        by_name: version.by_name,
        reason: version.reason,
        hash: version.hash,
        policy_hash: version.policy_hash,
        files: version.files,
        tests_passed: version.tests_passed,
        tests_failed: version.tests_failed,
        activated: version.activated,
    }
}

async fn live(access: &mut impl Access) -> Result<i64, Problem> {
    Ok(policies::in_force(access).await?.map_or(0, |live| live.number))
}

pub(crate) async fn content_of(access: &mut impl Access, number: i64) -> Result<Content, Problem> {
    policies::content(access, number).await?.ok_or_else(Problem::not_found)
}

fn tests_of(content: &Content) -> Result<SuiteReport, Problem> {
    serde_json::from_value(content.tests.clone())
        .map_err(|error| StoreError::Damaged { detail: format!("tests of a policy: {error}") }.into())
}

fn built_in() -> Result<Policy, Problem> {
    Policy::built_in().map_err(|error| {
        tracing::error!(%error, "the built-in policies do not load");
        Problem::new(Code::INTERNAL, Code::INTERNAL.help)
    })
}

/// With `policy_hash` of all that would decide with it now: the built-in policies may be of another release.
async fn detail(
    access: &mut impl Access,
    (version, content): (Version, Content),
    policy_hash: &str,
    texts: bool,
    now: Timestamp,
) -> Result<PolicyVersionDetail, Problem> {
    let tests = tests_of(&content)?;
    let live = live(access).await?;
    let replay = proof(access, policy_hash, now).await?.map(PolicyReplay::of).transpose()?;
    let missing = missing(&tests, replay.is_some());
    let texts = texts.then(|| content.files.into_iter().map(|(path, text)| PolicyText { path, text }).collect());
    Ok(PolicyVersionDetail {
        version: brief(version, live),
        texts,
        tests,
        replay,
        ready: missing.is_empty(),
        missing: missing.into_iter().map(|reason| reason.code).collect(),
    })
}

/// What a version has yet to show.
fn missing(tests: &SuiteReport, replayed: bool) -> Vec<Reason> {
    let reason = |code: &str, detail: String| Reason { code: code.to_owned(), detail };
    let failed = tests.tests.iter().filter(|test| !test.passed).count();
    let mut missing = Vec::new();
    if tests.tests.is_empty() {
        missing.push(reason("tests_missing", "no rule `test_…` in a file `…_test.rego` proves it".to_owned()));
    }
    if failed > 0 {
        missing.push(reason("tests_failed", format!("{failed} of {} tests do not pass", tests.tests.len())));
    }
    if !replayed {
        let detail = "no replay of exactly these policies over the last 30 days has come to its end in the last 24 hours: \
                      `POST /api/v1/policies/replays` without `from` and `to`";
        missing.push(reason("replay_missing", detail.to_owned()));
    }
    missing
}

/// What decides now: the built-in policies, with a version of the tenant's own or without.
#[utoipa::path(get, path = "/api/v1/policies", operation_id = "get_policies", tag = "policies", responses((status = 200, body = PoliciesView)))]
pub(crate) async fn show(caller: Caller) -> Result<Tagged<PoliciesView>, Problem> {
    let mut reader = caller.scope.read().await?;
    let last = policies::last(&mut reader).await?;
    let number = live(&mut reader).await?;
    let page = shieldops_store::PageRequest { limit: Some(1), cursor: None };
    let newest = policies::versions(&mut reader, &page).await?.items.into_iter().next();
    let files = if number == 0 { Vec::new() } else { content_of(&mut reader, number).await?.files };
    drop(reader);
    let built_in_hash = built_in()?.hash().to_owned();
    let (policy_hash, errors) = match blocking(move || Policy::with_tenant(&files)).await? {
        _ if number == 0 => (Some(built_in_hash.clone()), Vec::new()),
        Ok(policy) => (Some(policy.hash().to_owned()), Vec::new()),
        Err(errors) => (None, errors),
    };
    let sequence = last.as_ref().map_or(0, |last| last.sequence);
    let view = PoliciesView {
        number,
        policy_hash,
        built_in_hash,
        loads: errors.is_empty(),
        errors,
        activated: last.map(|last| last.activated),
        newest: newest.map(|version| brief(version, number)),
    };
    Ok(Tagged(sequence, view))
}

/// The policies that every tenant has, with their tests. They can be read, and not changed; their numbers are settings.
#[utoipa::path(get, path = "/api/v1/policies/built-in", operation_id = "list_built_in_policies", tag = "policies", params(PlainQuery), responses((status = 200, body = List<Shipped>)))]
pub(crate) async fn list_built_in(query: PlainQuery) -> Result<Json<List<Shipped>>, Problem> {
    query.of(shipped(), |file| file.path.clone()).map(Json)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFiles {
    /// At most 50, of 64 KiB each and 512 KiB together; tests are in files that end in `_test.rego`.
    files: Vec<PolicyText>,
}

/// What is thought of files.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyCheck {
    /// Of all policies that would decide with them, hex. Absent where they cannot be used.
    policy_hash: Option<String>,
    errors: Vec<PolicyError>,
    /// Absent where they cannot be used.
    tests: Option<SuiteReport>,
}

/// Reads policies as they are being written, and runs their tests. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/policies/check", operation_id = "check_policies", tag = "policies", request_body = PolicyFiles, responses((status = 200, body = PolicyCheck)))]
pub(crate) async fn check(Body(body): Body<PolicyFiles>) -> Result<Json<PolicyCheck>, Problem> {
    Ok(Json(match tried(body.files).await? {
        Ok(tried) => PolicyCheck { policy_hash: Some(tried.policy_hash), errors: Vec::new(), tests: Some(tried.tests) },
        Err(errors) => PolicyCheck { policy_hash: None, errors, tests: None },
    }))
}

/// Versions, newest first.
#[utoipa::path(get, path = "/api/v1/policies/versions", operation_id = "list_policy_versions", tag = "policies", params(PlainQuery), responses((status = 200, body = List<PolicyVersion>)))]
pub(crate) async fn versions(caller: Caller, query: PlainQuery) -> Result<Json<List<PolicyVersion>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let live = live(&mut reader).await?;
    let page = policies::versions(&mut reader, query.page()).await?;
    let items = page.items.into_iter().map(|version| brief(version, live)).collect();
    Ok(Json(query.answer(Page { items, next_cursor: page.next_cursor })))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPolicyVersion {
    /// All files of the version: at most 50, of 64 KiB each and 512 KiB together.
    files: Vec<PolicyText>,
    /// Why. It stands in the ledger.
    reason: String,
}

/// Writes a version. It decides nothing until another person activates it. Tests that fail are kept with it.
#[utoipa::path(post, path = "/api/v1/policies/versions", operation_id = "create_policy_version", tag = "policies", request_body = NewPolicyVersion,
    responses((status = 201, body = PolicyVersionDetail), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<NewPolicyVersion>) -> Result<Response, Problem> {
    caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let tried = tried(body.files).await?.map_err(|errors| refused(&errors))?;
    let new = new_version(&tried, body.reason)?;
    let content = new.content.clone();
    let mut tx = caller.scope.begin().await?;
    let version = policies::write(&mut tx, new, now).await?;
    let answer = detail(&mut tx, (version, content), &tried.policy_hash, false, now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

fn new_version(tried: &Tried, reason: String) -> Result<policies::New, Problem> {
    let count = |passed: bool| {
        let tests = tried.tests.tests.iter().filter(|test| test.passed == passed).count();
        u32::try_from(tests).unwrap_or(u32::MAX)
    };
    let tests = serde_json::to_value(&tried.tests).map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(policies::New {
        hash: tried.hash.clone(),
        policy_hash: tried.policy_hash.clone(),
        tests_passed: count(true),
        tests_failed: count(false),
        reason,
        content: Content { files: tried.files.clone(), tests },
    })
}

/// One version with its files, what its tests showed and what it would have decided.
#[utoipa::path(get, path = "/api/v1/policies/versions/{number}", operation_id = "get_policy_version", tag = "policies", params(("number" = i64, Path)),
    responses((status = 200, body = PolicyVersionDetail), (status = 404, body = Problem)))]
pub(crate) async fn version(caller: Caller, Path(number): Path<String>) -> Result<Json<PolicyVersionDetail>, Problem> {
    let number = numbered(&number)?;
    let mut reader = caller.scope.read().await?;
    let version = policies::find(&mut reader, number).await?.ok_or_else(Problem::not_found)?;
    let content = content_of(&mut reader, number).await?;
    let files = content.files.clone();
    // One that cannot be used any more has no replay either.
    let policy_hash = blocking(move || Policy::with_tenant(&files).map(|policy| policy.hash().to_owned())).await?;
    let now = caller.now();
    Ok(Json(detail(&mut reader, (version, content), &policy_hash.unwrap_or_default(), true, now).await?))
}

fn numbered(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_no_number| Problem::not_found())
}

/// Puts a version in force, a first time or again: it holds for the next decision on every node. Another person than its author
/// does, once its tests pass and a replay of exactly these policies was made.
#[utoipa::path(post, path = "/api/v1/policies/versions/{number}/activate", operation_id = "activate_policy_version", tag = "policies", params(("number" = i64, Path)), request_body = ReasonBody,
    responses((status = 200, body = PolicyVersionDetail), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn activate(
    caller: Caller,
    Path(number): Path<String>,
    Body(body): Body<ReasonBody>,
) -> Result<Json<PolicyVersionDetail>, Problem> {
    caller.recent()?;
    caller.person()?;
    reason(&body.reason)?;
    let number = numbered(&number)?;
    let mut reader = caller.scope.read().await?;
    let version = policies::find(&mut reader, number).await?.ok_or_else(Problem::not_found)?;
    let content = content_of(&mut reader, number).await?;
    drop(reader);
    if version.by == caller.scope.actor().id {
        let detail = "you wrote this version of the policies: another person must activate it";
        return Err(Problem::new(Code::SECOND_PERSON_REQUIRED, detail));
    }
    // As they are with the built-in policies of this release, which may be another than it was written for.
    let tried = texts::tried_again(content.files.clone()).await?.map_err(|errors| refused(&errors))?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    if live(&mut tx).await? == number {
        return Err(Problem::new(Code::CONFLICT, "the version is in force already"));
    }
    let errors = missing(&tried.tests, proof(&mut tx, &tried.policy_hash, now).await?.is_some());
    if !errors.is_empty() {
        return Err(Problem { errors, ..Problem::new(Code::POLICY_NOT_PROVED, Code::POLICY_NOT_PROVED.help) });
    }
    let version = policies::activate(&mut tx, number, &body.reason, now).await?;
    let answer = detail(&mut tx, (version, content), &tried.policy_hash, false, now).await?;
    tx.commit(now).await?;
    Ok(Json(answer))
}

/// Asks that only the built-in policies decide from then on. Nothing changes until another person confirms it.
#[utoipa::path(post, path = "/api/v1/policies/deactivate", operation_id = "deactivate_policies", tag = "policies", request_body = ReasonBody,
    responses((status = 202, description = "It waits for another person: confirm it under `/api/v1/gate-changes`", body = Change), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn deactivate(caller: Caller, Body(body): Body<ReasonBody>) -> Result<Response, Problem> {
    caller.person()?;
    reason(&body.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let number = live(&mut tx).await?;
    if number == 0 {
        return Err(Problem::new(Code::CONFLICT, "no policies of your own are in force"));
    }
    let new = New {
        kind: Kind::Policies,
        subject: SUBJECT.to_owned(),
        reason: body.reason,
        before: json!({"number": number}),
        after: json!({"number": 0}),
    };
    let change = changes::ask(&mut tx, new, now).await?;
    tx.commit(now).await?;
    Ok((StatusCode::ACCEPTED, Json(change)).into_response())
}

/// Carries out a deactivation that was confirmed, unless another version came into force since it was asked for.
pub(crate) async fn confirmed(tx: &mut Tx, change: &Change, now: Timestamp) -> Result<(), Problem> {
    let number = live(tx).await?;
    if change.before["number"].as_i64() != Some(number) {
        let detail = format!("version {number} is in force by now: ask again");
        return Err(Problem::new(Code::CONFLICT, detail));
    }
    Ok(policies::deactivate(tx, &change.by, &change.reason, now).await?)
}
