//! What names a value, what a list holds, and what was seen.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use shieldops_detect::{IndicatorEntry, IndicatorKind, IndicatorValue, Indicators, ListFacts};
use shieldops_model::{Code, Entity, EntityKind, IndicatorListId};
use shieldops_pipeline::indicators::{provenance, read_block};
use shieldops_store::{
    Reader,
    indicators::{
        self, IndicatorList, blocks,
        hits::{self, Hit, Provenance},
    },
};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, List, Problem,
    auth::Caller,
    page::{Filter, ListQuery, parse},
};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct IndicatorFilter {
    /// What names this address, network, domain, URL, hash or e-mail address: itself, the networks that hold it, the domains
    /// above it.
    value: Option<String>,
    /// The entries of a list, in its order.
    list: Option<String>,
    /// `ip`, `cidr`, `domain`, `hash`, `url` or `email`.
    kind: Option<String>,
}

impl Filter for IndicatorFilter {
    const SORTS: &'static [&'static str] = &["line"];
}

type IndicatorQuery = ListQuery<IndicatorFilter>;

#[derive(Serialize, ToSchema)]
pub(crate) struct IndicatorView {
    /// `ip`, `cidr`, `domain`, `hash`, `url` or `email`.
    kind: &'static str,
    /// In canonical form.
    indicator: String,
    /// It is on an allow-list.
    allow: bool,
    provenance: Provenance,
}

impl IndicatorView {
    fn new(list: &ListFacts, entry: &IndicatorEntry) -> Self {
        Self {
            kind: entry.value.kind().as_str(),
            indicator: entry.value.to_string(),
            allow: list.allow,
            provenance: provenance(list, entry),
        }
    }
}

/// Indicators: what names a `value`, or the entries of a `list`.
#[utoipa::path(get, path = "/api/v1/indicators", operation_id = "list_indicators", tag = "indicators", params(IndicatorQuery),
    responses((status = 200, body = List<IndicatorView>), (status = 400, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    query: IndicatorQuery,
) -> Result<Json<List<IndicatorView>>, Problem> {
    let wrong = || Problem::invalid("`kind` is ip, cidr, domain, hash, url or email");
    let kind = query.filter.kind.as_deref().map(|word| IndicatorKind::parse(word).ok_or_else(wrong)).transpose()?;
    let id = parse::<IndicatorListId>("list", query.filter.list.as_ref())?;
    let Some(value) = &query.filter.value else {
        let id = id.ok_or_else(|| Problem::invalid("`value` or `list` says what is looked for"))?;
        return of_list(&caller, &query, id, kind).await.map(Json);
    };
    let tables = shieldops_pipeline::indicators::current(&app.pipeline, caller.scope.tenant()).await?;
    let not_loaded = || Problem {
        retry_after_s: Some(1),
        ..Problem::new(Code::BACK_PRESSURE, "the lists of indicators are being loaded")
    };
    let found = naming(&tables.ok_or_else(not_loaded)?, value, &caller)?;
    let wanted = |(list, entry): &(Arc<ListFacts>, IndicatorEntry)| {
        kind.is_none_or(|kind| entry.value.kind() == kind) && id.is_none_or(|id| list.id == id.to_string())
    };
    let found: Vec<_> = found.into_iter().filter(wanted).collect();
    let page = query.of(found, |(list, entry)| format!("{}.{}.{}", list.id, entry.line, entry.value))?;
    let items = page.items.iter().map(|(list, entry)| IndicatorView::new(list, entry)).collect();
    Ok(Json(List { items, next_cursor: page.next_cursor }))
}

/// Everything that names a value.
fn naming(tables: &Indicators, text: &str, caller: &Caller) -> Result<Vec<(Arc<ListFacts>, IndicatorEntry)>, Problem> {
    let wrong = || Problem::invalid("`value` is no address, network, domain, URL, hash or e-mail address");
    let value = IndicatorValue::parse(text.trim()).ok_or_else(wrong)?;
    let (kind, value) = match &value {
        IndicatorValue::Ip(_) => (EntityKind::Ip, value.to_string()),
        IndicatorValue::Cidr(net) => (EntityKind::Ip, net.addr().to_string()),
        IndicatorValue::Domain(_) => (EntityKind::Domain, value.to_string()),
        IndicatorValue::Hash(_) => (EntityKind::Hash, value.to_string()),
        IndicatorValue::Url(_) => (EntityKind::Url, value.to_string()),
        IndicatorValue::Email(_) => (EntityKind::User, value.to_string()),
    };
    Ok(tables.naming(&Entity::new(kind, value), caller.now()))
}

/// A page of a list's entries. The cursor is the block and the place in it.
async fn of_list(
    caller: &Caller,
    query: &IndicatorQuery,
    id: IndicatorListId,
    kind: Option<IndicatorKind>,
) -> Result<List<IndicatorView>, Problem> {
    let mut reader = caller.scope.read().await?;
    let list = indicators::get(&mut reader, id).await?;
    let (mut block, mut skip) = place(query.page().cursor.as_deref())?;
    let ids = blocks::ids(&mut reader, list.id, list.revision).await?;
    let facts = facts(&list);
    let limit = query.page().limit();
    let mut items = Vec::new();
    while let Some(name) = ids.get(block) {
        for (at, entry) in entries(&mut reader, &list, *name).await?.iter().enumerate().skip(skip) {
            if items.len() == limit {
                let next_cursor = query.seal(Some(&format!("{block}.{at}")));
                return Ok(List { items, next_cursor });
            }
            if kind.is_none_or(|kind| entry.value.kind() == kind) {
                items.push(IndicatorView::new(&facts, entry));
            }
        }
        (block, skip) = (block + 1, 0);
    }
    Ok(List { items, next_cursor: None })
}

async fn entries(
    reader: &mut Reader,
    list: &IndicatorList,
    name: blocks::BlockId,
) -> Result<Vec<IndicatorEntry>, Problem> {
    Ok(read_block(reader, list, name).await?.entries().collect())
}

fn place(cursor: Option<&str>) -> Result<(usize, usize), Problem> {
    let Some(cursor) = cursor else { return Ok((0, 0)) };
    let read = || {
        let (block, at) = cursor.split_once('.')?;
        Some((block.parse().ok()?, at.parse().ok()?))
    };
    Ok(read().ok_or(shieldops_store::StoreError::InvalidCursor)?)
}

fn facts(list: &IndicatorList) -> ListFacts {
    ListFacts {
        id: list.id.to_string(),
        name: list.about.name.clone(),
        source: list.about.source.clone(),
        allow: list.allow,
        confidence: list.about.confidence,
        severity: list.about.severity,
        shared: false,
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct HitFilter {
    /// Of this list: its id, or the name of a file of the installation.
    list: Option<String>,
    /// Those that an allow-list made no alerts, or those that are.
    allowed: Option<bool>,
}

impl Filter for HitFilter {
    const SORTS: &'static [&'static str] = &["-last_seen"];
}

type HitQuery = ListQuery<HitFilter>;

/// What was seen of what is listed, last seen first.
#[utoipa::path(get, path = "/api/v1/indicators/hits", operation_id = "list_indicator_hits", tag = "indicators", params(HitQuery), responses((status = 200, body = List<Hit>)))]
pub(crate) async fn list_hits(caller: Caller, query: HitQuery) -> Result<Json<List<Hit>>, Problem> {
    let filter = hits::Filter { list_id: query.filter.list.clone(), allowed: query.filter.allowed };
    let page = hits::list(&mut caller.scope.read().await?, &filter, query.page()).await?;
    Ok(Json(query.answer(page)))
}
