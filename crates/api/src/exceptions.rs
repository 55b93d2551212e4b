//! Exceptions from rules: Sigma filters with an owner, a reason and an end.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_detect::{Diagnostic, DiagnosticSeverity, Filter as SigmaFilter, FilterRules, Rule, parse};
use shieldops_model::{ExceptionId, Timestamp, id};
use shieldops_store::exceptions::{self, Exception};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    alerts::reason,
    auth::Caller,
    page::{Body, Filter, ListQuery, PathId},
    precondition::{IfMatch, Tagged},
    rules::{
        blocking,
        view::{self, DiagnosticView},
        write::refused,
    },
};

/// Bytes of a filter, and of an owner's name.
const FILTER_BYTES: usize = 64 * 1024;
const OWNER_BYTES: usize = 256;
/// An exception is looked at again once a year.
const LONGEST: Duration = Duration::from_hours(24 * 366);

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewException {
    /// One Sigma filter, at most 64 KiB. An event that it takes out raises no alert.
    filter: String,
    /// Who answers for it: a person, a team or a ticket, in free text that is not looked up. Who made it is `by`.
    owner: String,
    reason: String,
    /// Events from this time on are not excepted; at most a year from now.
    pub(crate) expires_at: Timestamp,
}

impl From<Exception> for NewException {
    fn from(exception: Exception) -> Self {
        let Exception { filter, owner, reason, expires_at, .. } = exception;
        Self { filter, owner, reason, expires_at }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ExceptionView {
    id: ExceptionId,
    title: String,
    filter: String,
    /// Rules by id or name, or `any`.
    rules: Vec<String>,
    owner: String,
    reason: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    expires_at: Timestamp,
    /// It has not ended.
    active: bool,
    by: String,
    by_name: String,
    version: i64,
    diagnostics: Vec<DiagnosticView>,
}

impl ExceptionView {
    fn new(exception: Exception, now: Timestamp) -> Self {
        let (_, said) = read(&exception.filter);
        let any = exception.rules.is_empty();
        Self {
            id: exception.id,
            title: exception.title,
            filter: exception.filter,
            rules: if any { vec!["any".to_owned()] } else { exception.rules },
            owner: exception.owner,
            reason: exception.reason,
            created_at: exception.created_at,
            updated_at: exception.updated_at,
            active: exception.expires_at > now,
            expires_at: exception.expires_at,
            by: exception.by,
            by_name: exception.by_name,
            version: exception.version,
            diagnostics: said.iter().map(DiagnosticView::from).collect(),
        }
    }
}

/// Whether it names the rule, by its id or its name.
pub(crate) fn names(exception: &Exception, rule: &Rule) -> bool {
    exception.rules.iter().any(|name| *name == rule.id || !rule.name.is_empty() && *name == rule.name)
}

/// The one filter that a text is, and what is wrong with it.
fn read(text: &str) -> (Option<SigmaFilter>, Vec<Diagnostic>) {
    let (mut found, mut said) = parse(text, "exception.yml");
    let failed = |said: &[Diagnostic]| said.iter().any(|said| said.severity == DiagnosticSeverity::Error);
    if !failed(&said) && (found.filters.len() != 1 || !found.rules.is_empty() || !found.correlations.is_empty()) {
        said.push(Diagnostic {
            severity: DiagnosticSeverity::Error,
            code: "not-one-filter",
            file: "exception.yml".to_owned(),
            line: 0,
            column: 0,
            message: format!("this is {} filters and {} rules", found.filters.len(), found.rules.len()),
            fix: "Write one filter: `logsource`, and `filter` with `rules`, selections and a condition.".to_owned(),
        });
    }
    let filter = if failed(&said) { None } else { found.filters.pop() };
    (filter, said)
}

/// An exception as it will be stored.
pub(crate) async fn ready(caller: &Caller, new: NewException) -> Result<Exception, Problem> {
    if new.filter.len() > FILTER_BYTES {
        return Err(Problem::invalid(format!("`filter` has at most {FILTER_BYTES} bytes")));
    }
    owned(&new.owner)?;
    reason(&new.reason)?;
    let now = caller.now();
    ends(new.expires_at, now)?;
    let text = new.filter.clone();
    let (filter, said) = blocking(move || read(&text)).await?;
    let filter = filter.ok_or_else(|| refused(&said))?;
    let rules = match &filter.rules {
        FilterRules::All => Vec::new(),
        FilterRules::Listed(listed) => listed.iter().map(|named| named.name.clone()).collect(),
    };
    let actor = caller.scope.actor();
    Ok(Exception {
        id: id::mint(now, &mut rand::rng()),
        title: filter.header.title,
        filter: new.filter,
        rules,
        owner: new.owner,
        reason: new.reason,
        created_at: now,
        updated_at: now,
        expires_at: new.expires_at,
        by: actor.id.clone(),
        by_name: actor.name.clone(),
        version: 1,
    })
}

fn owned(owner: &str) -> Result<(), Problem> {
    if owner.trim().is_empty() || owner.len() > OWNER_BYTES {
        return Err(Problem::invalid(format!("`owner` is 1 to {OWNER_BYTES} bytes: who answers for the exception")));
    }
    Ok(())
}

fn ends(at: Timestamp, now: Timestamp) -> Result<(), Problem> {
    if at <= now || at > now.plus(LONGEST) {
        return Err(Problem::invalid("`expires_at` is in the future, and at most 366 days from now"));
    }
    Ok(())
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExceptionFilter {
    /// Those that name this rule, by its id or name, or any.
    rule_id: Option<String>,
    /// Those that have not ended, or those that have.
    active: Option<bool>,
}

impl Filter for ExceptionFilter {}

type ExceptionQuery = ListQuery<ExceptionFilter>;

/// Exceptions, newest first, ended ones included.
#[utoipa::path(get, path = "/api/v1/exceptions", operation_id = "list_exceptions", tag = "rules", params(ExceptionQuery), responses((status = 200, body = List<ExceptionView>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: ExceptionQuery,
) -> Result<Json<List<ExceptionView>>, Problem> {
    let now = caller.now();
    let mut reader = caller.scope.read().await?;
    let all = exceptions::all(&mut reader).await?;
    let asked = &query.filter;
    // An exception may outlive its rule: then its id is all that there is.
    let rule = match &asked.rule_id {
        Some(id) => view::find(&mut reader, &app.pipeline.content, id).await.ok().map(|subject| subject.rule),
        None => None,
    };
    drop(reader);
    let of_rule = |exception: &Exception| {
        let named =
            |id: &String| exception.rules.contains(id) || rule.as_ref().is_some_and(|rule| names(exception, rule));
        asked.rule_id.as_ref().is_none_or(|id| exception.rules.is_empty() || named(id))
    };
    let wanted = all.into_iter().filter(|exception| {
        of_rule(exception) && asked.active.is_none_or(|active| active == (exception.expires_at > now))
    });
    let page = query.of(wanted.collect(), |exception: &Exception| exception.id.to_string())?;
    let items = page.items.into_iter().map(|exception| ExceptionView::new(exception, now)).collect();
    Ok(Json(List { items, next_cursor: page.next_cursor }))
}

/// Makes an exception. It holds from the next batch of events on, and ends by itself.
#[utoipa::path(post, path = "/api/v1/exceptions", operation_id = "create_exception", tag = "rules", request_body = NewException,
    responses((status = 201, body = ExceptionView), (status = 422, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<NewException>) -> Result<Response, Problem> {
    let exception = ready(&caller, body).await?;
    let mut tx = caller.scope.begin().await?;
    exceptions::insert(&mut tx, &exception).await?;
    tx.commit(exception.created_at).await?;
    let view = Tagged(exception.version, ExceptionView::new(exception, caller.now()));
    Ok((StatusCode::CREATED, view).into_response())
}

/// One exception.
#[utoipa::path(get, path = "/api/v1/exceptions/{id}", operation_id = "get_exception", tag = "rules", params(("id" = ExceptionId, Path)),
    responses((status = 200, body = ExceptionView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    PathId(id): PathId<id::ExceptionKind>,
) -> Result<Tagged<ExceptionView>, Problem> {
    let found = exceptions::find(&mut caller.scope.read().await?, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Tagged(found.version, ExceptionView::new(found, caller.now())))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExceptionPatch {
    owner: Option<String>,
    expires_at: Option<Timestamp>,
    /// Why it is there, from now on.
    reason: String,
}

/// Changes who answers for an exception, or when it ends. What it excepts is another exception.
#[utoipa::path(patch, path = "/api/v1/exceptions/{id}", operation_id = "update_exception", tag = "rules", params(("id" = ExceptionId, Path)), request_body = ExceptionPatch,
    responses((status = 200, body = ExceptionView), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    PathId(id): PathId<id::ExceptionKind>,
    seen: IfMatch,
    Body(patch): Body<ExceptionPatch>,
) -> Result<Tagged<ExceptionView>, Problem> {
    reason(&patch.reason)?;
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let mut exception = exceptions::find(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    seen.check(exception.version)?;
    if let Some(owner) = patch.owner {
        owned(&owner)?;
        exception.owner = owner;
    }
    if let Some(at) = patch.expires_at {
        ends(at, now)?;
        exception.expires_at = at;
    }
    (exception.reason, exception.updated_at) = (patch.reason, now);
    exceptions::update(&mut tx, &mut exception).await?;
    tx.commit(now).await?;
    Ok(Tagged(exception.version, ExceptionView::new(exception, now)))
}

/// Takes an exception back: its events raise alerts again, from the next batch on.
#[utoipa::path(delete, path = "/api/v1/exceptions/{id}", operation_id = "delete_exception", tag = "rules", params(("id" = ExceptionId, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    PathId(id): PathId<id::ExceptionKind>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut tx = caller.scope.begin().await?;
    let exception = exceptions::find(&mut tx, id).await?.ok_or_else(Problem::not_found)?;
    seen.check(exception.version)?;
    exceptions::delete(&mut tx, &exception).await?;
    tx.commit(caller.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
