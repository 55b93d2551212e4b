//! Events read back: one by id, and search.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use shieldops_ingest::normalise;
use shieldops_model::{AlertId, Entity, Event, EventId, LogSource, Ocsf, TimeQuality, Timestamp, id};
use shieldops_pipeline::{EventQuery, events};
use shieldops_store::{Access, alerts};
use utoipa::{IntoParams, ToSchema};

use crate::{
    App, Problem,
    alerts::entity,
    auth::Caller,
    page::{Filter, ListQuery, PathId, parse},
};

/// An event as people read it.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    id: EventId,
    time: Timestamp,
    ingested_at: Timestamp,
    source: String,
    format: String,
    time_quality: TimeQuality,
    demo: bool,
    /// The bytes as text; where they are not UTF-8, a replacement character stands for each wrong part.
    raw: String,
    /// The very bytes, only where they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    log_source: LogSource,
    /// The source's own fields, as rules read them.
    #[schema(value_type = Object)]
    fields: BTreeMap<String, serde_json::Value>,
    ocsf: Ocsf,
    entities: Vec<Entity>,
    /// The alerts it raised.
    alerts: Vec<AlertId>,
}

async fn view(access: &mut impl Access, event: Event) -> Result<EventView, Problem> {
    let seen = normalise(&event);
    let alerts = alerts::of_event(access, event.id).await?;
    let text = std::str::from_utf8(&event.raw);
    Ok(EventView {
        id: event.id,
        time: event.time,
        ingested_at: event.ingested_at,
        raw_base64: text.is_err().then(|| STANDARD.encode(&event.raw)),
        raw: String::from_utf8_lossy(&event.raw).into_owned(),
        source: event.source,
        format: event.format,
        time_quality: event.time_quality,
        demo: event.demo,
        log_source: seen.log_source,
        fields: serde_json::from_str(&seen.flat).unwrap_or_default(),
        ocsf: seen.ocsf,
        entities: seen.entities,
        alerts,
    })
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventFilter {
    /// `kind:value`, as in `ip:203.0.113.66`.
    entity: Option<String>,
    #[param(value_type = Option<Timestamp>)]
    from: Option<String>,
    #[param(value_type = Option<Timestamp>)]
    to: Option<String>,
    /// Text anywhere in the event, without regard to ASCII case.
    q: Option<String>,
    source: Option<String>,
}

impl Filter for EventFilter {
    const SORTS: &'static [&'static str] = &["-id"];
}

type SearchQuery = ListQuery<EventFilter>;

/// A page of events, and how far the search looked.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventList {
    items: Vec<EventView>,
    next_cursor: Option<String>,
    searched: Searched,
}

#[derive(Serialize, ToSchema)]
struct Searched {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// Events looked at for this page.
    events: u64,
    /// False when a limit ended the search before the end of the range: more may be found with the cursor.
    complete: bool,
}

/// Searches events, newest first.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "list_events", tag = "events", params(SearchQuery), responses((status = 200, body = EventList)))]
pub(crate) async fn search(
    State(app): State<Arc<App>>,
    caller: Caller,
    asked: SearchQuery,
) -> Result<Json<EventList>, Problem> {
    let (page, params) = (asked.page(), &asked.filter);
    if params.q.as_ref().is_some_and(|text| text.len() > 1_024) {
        return Err(Problem::invalid("`q` has at most 1,024 bytes"));
    }
    let query = EventQuery {
        entity: params.entity.as_deref().map(entity).transpose()?,
        from: parse("from", params.from.as_ref())?,
        to: parse("to", params.to.as_ref())?,
        text: params.q.clone(),
        source: params.source.clone(),
        before: parse("cursor", page.cursor.as_ref())?,
        limit: page.limit(),
    };
    let found = events::search(&app.pipeline, &caller.scope, query).await?;
    let mut reader = caller.scope.read().await?;
    let mut items = Vec::with_capacity(found.events.len());
    for event in found.events {
        items.push(view(&mut reader, event).await?);
    }
    let looked = found.looked;
    let searched = Searched { from: looked.from, to: looked.to, events: looked.events, complete: looked.complete };
    Ok(Json(EventList { items, next_cursor: asked.seal(found.next.map(|id| id.to_string()).as_deref()), searched }))
}

/// One event: from the log, or the copy kept because it is cited.
#[utoipa::path(get, path = "/api/v1/events/{id}", operation_id = "get_event", tag = "events", params(("id" = EventId, Path)),
    responses((status = 200, body = EventView), (status = 404, body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::EventKind>,
) -> Result<Json<EventView>, Problem> {
    let event = events::find(&app.pipeline, &caller.scope, id).await?.ok_or_else(Problem::not_found)?;
    Ok(Json(view(&mut caller.scope.read().await?, event).await?))
}
