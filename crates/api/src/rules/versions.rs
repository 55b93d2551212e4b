//! Versions of a tenant's rule: who wrote what and when, and what differs between two.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use serde::{Deserialize, Serialize};
use shieldops_bus::Stop;
use shieldops_model::Timestamp;
use shieldops_pipeline::Neighbours;
use shieldops_store::{
    Access,
    own_rules::{self, OwnRule, Version, versions},
};
use utoipa::{IntoParams, ToSchema};

use super::{
    TestAnswer, blocking,
    diff::{DiffLine, lines, unified},
    trying::trying,
};
use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Params, PlainQuery},
};

#[derive(Serialize, ToSchema)]
pub(crate) struct VersionView {
    number: i64,
    /// The hash that alerts name.
    version: String,
    at: Timestamp,
    by: String,
    by_name: String,
    note: String,
    /// It runs, or ran last.
    live: bool,
    /// It is the newest.
    head: bool,
}

impl VersionView {
    fn new(row: &OwnRule, version: &Version) -> Self {
        Self {
            number: version.number,
            version: version.written.hash.clone(),
            at: version.at,
            by: version.by.clone(),
            by_name: version.by_name.clone(),
            note: version.written.note.clone(),
            live: row.live == Some(version.number),
            head: row.head == version.number,
        }
    }
}

async fn row(access: &mut impl Access, id: &str) -> Result<OwnRule, Problem> {
    own_rules::find(access, id).await?.ok_or_else(Problem::not_found)
}

/// Versions of a rule of the tenant, newest first.
#[utoipa::path(get, path = "/api/v1/rules/{id}/versions", operation_id = "list_rule_versions", tag = "rules", params(("id" = String, Path), PlainQuery),
    responses((status = 200, body = List<VersionView>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Path(id): Path<String>,
    query: PlainQuery,
) -> Result<Json<List<VersionView>>, Problem> {
    let mut reader = caller.scope.read().await?;
    let row = row(&mut reader, &id).await?;
    let versions = versions::of_rule(&mut reader, &id).await?;
    let views = versions.iter().map(|version| VersionView::new(&row, version)).collect();
    Ok(Json(query.of(views, |view: &VersionView| view.number.to_string())?))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct VersionDetail {
    #[serde(flatten)]
    version: VersionView,
    text: String,
    #[serde(rename = "match")]
    matches: Vec<String>,
    miss: Vec<String>,
    tests: TestAnswer,
}

/// One version of a rule of the tenant, tried on its samples.
#[utoipa::path(get, path = "/api/v1/rules/{id}/versions/{number}", operation_id = "get_rule_version", tag = "rules", params(("id" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = VersionDetail), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path((id, number)): Path<(String, String)>,
) -> Result<Json<VersionDetail>, Problem> {
    let number: i64 = number.parse().map_err(|_no_number| Problem::not_found())?;
    let mut reader = caller.scope.read().await?;
    let row = row(&mut reader, &id).await?;
    let version = versions::find(&mut reader, &id, number).await?.ok_or_else(Problem::not_found)?;
    let neighbours = Neighbours::read(&mut reader, &app.pipeline.content).await?;
    drop(reader);
    let shown = move |stop: &Stop| {
        let written = &version.written;
        let samples = (written.matches.as_slice(), written.misses.as_slice());
        let tests = match neighbours.rule(&written.text).0 {
            Some(own) => TestAnswer::of_own(&own, &neighbours, samples, stop)?,
            None => TestAnswer::none(),
        };
        let view = VersionView::new(&row, &version);
        let (text, matches, miss) = (version.written.text, version.written.matches, version.written.misses);
        Some(VersionDetail { version: view, text, matches, miss, tests })
    };
    Ok(Json(trying(caller.scope.tenant(), shown).await?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuery {
    /// A number, `live`, or `base` for the rule that everybody has; `live` unless told, and `base` while nothing ran.
    from: Option<String>,
    /// A number or `head`; `head` unless told.
    to: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Difference {
    from: String,
    to: String,
    /// As `diff -u` writes it; empty when they are equal.
    text: String,
    lines: Vec<DiffLine>,
}

/// What differs between two versions of a rule.
#[utoipa::path(get, path = "/api/v1/rules/{id}/diff", operation_id = "diff_rule", tag = "rules", params(("id" = String, Path), DiffQuery),
    responses((status = 200, body = Difference), (status = 404, body = Problem)))]
pub(crate) async fn diff(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<String>,
    Params(query): Params<DiffQuery>,
) -> Result<Json<Difference>, Problem> {
    let mut reader = caller.scope.read().await?;
    let row = row(&mut reader, &id).await?;
    let from = query.from.unwrap_or_else(|| if row.live.is_some() { "live" } else { "base" }.to_owned());
    let to = query.to.unwrap_or_else(|| "head".to_owned());
    let mut texts = Vec::new();
    for name in [&from, &to] {
        texts.push(match name.as_str() {
            "base" => {
                let book = app.pipeline.content.book();
                (name.clone(), book.entries.get(&id).map_or_else(String::new, |entry| entry.rule.text.clone()))
            }
            name => {
                let version = named(&mut reader, &row, name).await?;
                (version.number.to_string(), version.written.text)
            }
        });
    }
    drop(reader);
    let shown = move || {
        let [(from, old), (to, new)] = <[_; 2]>::try_from(texts).unwrap_or_default();
        let lines = lines(&old, &new);
        Difference { text: unified(&lines, &from, &to), from, to, lines }
    };
    Ok(Json(blocking(shown).await?))
}

async fn named(access: &mut impl Access, row: &OwnRule, name: &str) -> Result<Version, Problem> {
    let number = match name {
        "live" => row.live.ok_or_else(|| Problem::invalid("no version of it ever ran"))?,
        "head" => row.head,
        number => number
            .parse()
            .map_err(|_no_number| Problem::invalid("`from` and `to` are numbers, `live`, `head` or `base`"))?,
    };
    let version = versions::find(access, &row.rule_id, number).await?;
    version.ok_or_else(|| Problem::invalid(format!("there is no version {number}: they are 1 to {}", row.head)))
}
