//! Indicators: lists of addresses, networks, domains, URLs, hashes and e-mail addresses; their import, their search, and what
//! was seen of them.

pub(crate) mod import;
pub(crate) mod search;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_model::{IndicatorListId, Severity, Timestamp, id};
use shieldops_store::{
    TenantScope,
    indicators::{self, About, IndicatorList},
};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    alerts::severity,
    auth::Caller,
    page::{Body, PathId, PlainQuery},
    precondition::{IfMatch, Tagged},
};

const NAME_BYTES: usize = 128;
const TEXT_BYTES: usize = 1_024;
/// Days for which entries may count: ten years.
const VALID_DAYS: u32 = 3_653;

#[derive(Serialize, ToSchema)]
pub(crate) struct IndicatorListView {
    id: IndicatorListId,
    name: String,
    description: String,
    /// Who made it, or where it is published.
    source: String,
    /// What it names is never a hit, whatever other lists say.
    allow: bool,
    /// Of the alerts.
    severity: Severity,
    /// Of entries that say nothing themselves; 0 to 100.
    confidence: Option<u8>,
    /// Entries count for so long from their import, unless they say themselves when they expire.
    valid_days: Option<u32>,
    /// Whether events are looked up in it.
    enabled: bool,
    entries: u64,
    /// Lines of the last request of its last import that were no indicator.
    refused: u64,
    imported_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    by: String,
    version: i64,
    /// `in_use`; `loading` while events are not checked against its newest import; `empty`; `disabled`.
    state: &'static str,
}

impl IndicatorListView {
    fn new(list: IndicatorList, loaded: bool) -> Self {
        let state = match () {
            () if !list.about.enabled => "disabled",
            () if list.revision == 0 => "empty",
            () if loaded => "in_use",
            () => "loading",
        };
        let about = list.about;
        Self {
            id: list.id,
            name: about.name,
            description: about.description,
            source: about.source,
            allow: list.allow,
            severity: about.severity,
            confidence: about.confidence,
            valid_days: about.valid_days,
            enabled: about.enabled,
            entries: list.entries,
            refused: list.refused,
            imported_at: list.imported_at,
            created_at: list.created_at,
            updated_at: list.updated_at,
            by: list.by,
            version: list.version,
            state,
        }
    }
}

/// Whether the tables of this process are those of the tenant's newest lists; asks for them when they are not.
pub(crate) async fn loaded(app: &App, scope: &TenantScope) -> Result<bool, Problem> {
    let stamp = indicators::stamp(&mut scope.read().await?).await?;
    let there = shieldops_pipeline::indicators::current(&app.pipeline, scope.tenant()).await?.is_some();
    Ok(there && app.pipeline.indicators.is_of(scope.tenant(), stamp))
}

/// Lists of indicators, in the order in which they were made.
#[utoipa::path(get, path = "/api/v1/indicators/lists", operation_id = "list_indicator_lists", tag = "indicators", params(PlainQuery), responses((status = 200, body = List<IndicatorListView>)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: PlainQuery,
) -> Result<Json<List<IndicatorListView>>, Problem> {
    let all = indicators::all(&mut caller.scope.read().await?).await?;
    let page = query.of(all, |list| list.id.to_string())?;
    let loaded = loaded(&app, &caller.scope).await?;
    let items = page.items.into_iter().map(|list| IndicatorListView::new(list, loaded)).collect();
    Ok(Json(List { items, next_cursor: page.next_cursor }))
}

/// One list.
#[utoipa::path(get, path = "/api/v1/indicators/lists/{id}", operation_id = "get_indicator_list", tag = "indicators", params(("id" = IndicatorListId, Path)),
    responses((status = 200, body = IndicatorListView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::IndicatorListKind>,
) -> Result<Tagged<IndicatorListView>, Problem> {
    let list = indicators::get(&mut caller.scope.read().await?, id).await?;
    let loaded = loaded(&app, &caller.scope).await?;
    Ok(Tagged(list.version, IndicatorListView::new(list, loaded)))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewIndicatorList {
    /// 1 to 128 bytes, of no other list.
    name: String,
    /// What it names is never a hit. It stays as it is made.
    #[serde(default)]
    allow: bool,
    description: Option<String>,
    /// Who made it, or where it is published.
    source: Option<String>,
    /// Of its alerts.
    #[schema(value_type = Option<Severity>)]
    severity: Option<String>,
    /// Of entries that say nothing themselves.
    #[schema(maximum = 100)]
    confidence: Option<u8>,
    /// Entries count for so long from their import, unless they say themselves when they expire.
    #[schema(minimum = 1, maximum = 3653)]
    valid_days: Option<u32>,
    /// Whether events are looked up in it.
    enabled: Option<bool>,
}

/// What is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IndicatorListPatch {
    name: Option<String>,
    description: Option<String>,
    /// Who made it, or where it is published.
    source: Option<String>,
    /// Of its alerts.
    #[schema(value_type = Option<Severity>)]
    severity: Option<String>,
    /// Of entries that say nothing themselves.
    #[schema(maximum = 100)]
    confidence: Option<u8>,
    /// Entries count for so long from their import, unless they say themselves when they expire.
    #[schema(minimum = 1, maximum = 3653)]
    valid_days: Option<u32>,
    /// Whether events are looked up in it.
    enabled: Option<bool>,
}

impl From<NewIndicatorList> for IndicatorListPatch {
    fn from(new: NewIndicatorList) -> Self {
        let NewIndicatorList { name, description, source, severity, confidence, valid_days, enabled, .. } = new;
        Self { name: Some(name), description, source, severity, confidence, valid_days, enabled }
    }
}

/// Puts what a body says over what there is.
fn over(mut about: About, body: IndicatorListPatch) -> Result<About, Problem> {
    about.name = body.name.unwrap_or(about.name);
    about.description = body.description.unwrap_or(about.description);
    about.source = body.source.unwrap_or(about.source);
    about.severity = severity(body.severity.as_ref())?.unwrap_or(about.severity);
    about.confidence = body.confidence.or(about.confidence);
    about.valid_days = body.valid_days.or(about.valid_days);
    about.enabled = body.enabled.unwrap_or(about.enabled);
    if about.name.trim().is_empty() || about.name.len() > NAME_BYTES || about.name.chars().any(char::is_control) {
        return Err(Problem::invalid(format!("`name` is 1 to {NAME_BYTES} bytes without control characters")));
    }
    if about.description.len() > TEXT_BYTES || about.source.len() > TEXT_BYTES {
        return Err(Problem::invalid(format!("`description` and `source` have at most {TEXT_BYTES} bytes each")));
    }
    if about.confidence.is_some_and(|value| value > 100) {
        return Err(Problem::invalid("`confidence` is 0 to 100"));
    }
    if about.valid_days.is_some_and(|days| days == 0 || days > VALID_DAYS) {
        return Err(Problem::invalid(format!("`valid_days` is 1 to {VALID_DAYS}")));
    }
    Ok(about)
}

/// Makes a list, without entries.
#[utoipa::path(post, path = "/api/v1/indicators/lists", operation_id = "create_indicator_list", tag = "indicators", request_body = NewIndicatorList,
    responses((status = 201, body = IndicatorListView), (status = 400, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn create(caller: Caller, Body(body): Body<NewIndicatorList>) -> Result<Response, Problem> {
    let empty = About {
        name: String::new(),
        description: String::new(),
        source: String::new(),
        confidence: None,
        severity: Severity::High,
        valid_days: None,
        enabled: true,
    };
    let allow = body.allow;
    let about = over(empty, body.into())?;
    let now = caller.now();
    let id = id::mint(now, &mut rand::rng());
    let mut tx = caller.scope.begin().await?;
    let list = indicators::create(&mut tx, id, about, allow, now).await?;
    tx.commit(now).await?;
    let view = Tagged(list.version, IndicatorListView::new(list, false));
    Ok((StatusCode::CREATED, view).into_response())
}

/// Changes what is said of a list.
#[utoipa::path(patch, path = "/api/v1/indicators/lists/{id}", operation_id = "update_indicator_list", tag = "indicators", params(("id" = IndicatorListId, Path)), request_body = IndicatorListPatch,
    responses((status = 200, body = IndicatorListView), (status = 404, body = Problem), (status = 409, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn update(
    caller: Caller,
    PathId(id): PathId<id::IndicatorListKind>,
    seen: IfMatch,
    Body(patch): Body<IndicatorListPatch>,
) -> Result<Tagged<IndicatorListView>, Problem> {
    let now = caller.now();
    let mut tx = caller.scope.begin().await?;
    let list = indicators::get(&mut tx, id).await?;
    seen.check(list.version)?;
    let about = over(list.about.clone(), patch)?;
    let list = indicators::update(&mut tx, list, about, now).await?;
    tx.commit(now).await?;
    Ok(Tagged(list.version, IndicatorListView::new(list, false)))
}

/// Deletes a list with its entries. What was seen of it stays among the hits.
#[utoipa::path(delete, path = "/api/v1/indicators/lists/{id}", operation_id = "delete_indicator_list", tag = "indicators", params(("id" = IndicatorListId, Path)),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem), (status = 412, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove(
    caller: Caller,
    PathId(id): PathId<id::IndicatorListKind>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut tx = caller.scope.begin().await?;
    let list = indicators::get(&mut tx, id).await?;
    seen.check(list.version)?;
    indicators::delete(&mut tx, &list).await?;
    tx.commit(caller.now()).await?;
    Ok(StatusCode::NO_CONTENT)
}
