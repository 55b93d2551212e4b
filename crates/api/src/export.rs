//! An incident as one document: JSON, or a self-contained page.

use std::sync::Arc;

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use shieldops_investigate::{Export, ExportEvent, LedgerRow, render_html};
use shieldops_model::{EventId, IncidentId, id};
use shieldops_pipeline::events;
use shieldops_store::{alerts, incidents, investigations, ledger, notes, plans};
use utoipa::IntoParams;

use crate::{
    App, Problem,
    alerts::first_page,
    auth::Caller,
    exports::Exports,
    incidents::about,
    page::{Params, PathId},
};

static EXPORTS: Exports = Exports::new();
/// Events whose text goes into an export.
const EVENTS: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// `json` or `html`.
    format: Option<String>,
}

/// Exports an incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/export", operation_id = "export_incident", tag = "incidents", params(("id" = IncidentId, Path), ExportParams),
    responses((status = 200, description = "The document", content((Object = "application/json"), (String = "text/html"))), (status = 404, body = Problem)))]
pub(crate) async fn incident(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId<id::IncidentKind>,
    Params(params): Params<ExportParams>,
) -> Result<Response, Problem> {
    let format = params.format.as_deref().unwrap_or("json");
    if !["json", "html"].contains(&format) {
        return Err(Problem::invalid("`format` is json or html"));
    }
    let export = gather(&app, &caller, id).await?;
    let now = caller.scope.store().clock().now();
    let record = async {
        let mut tx = caller.scope.begin().await?;
        tx.record("incident.exported", &[&id], serde_json::json!({"format": format}))?;
        tx.commit(now).await
    };
    EXPORTS.once(&caller.scope.actor().id, &format!("{id} {format}"), now, record).await?;
    let (body, content_type) = match format {
        "json" => {
            (serde_json::to_string(&export).map_err(|error| Problem::invalid(error.to_string()))?, "application/json")
        }
        _ => (render_html(&export), "text/html; charset=utf-8"),
    };
    let name = format!("attachment; filename=\"incident-{}.{format}\"", id.short());
    // The page carries its own styles and nothing else: it may run no script and fetch nothing.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_DISPOSITION, name.as_str()),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    Ok((headers, body).into_response())
}

async fn gather(app: &App, caller: &Caller, id: IncidentId) -> Result<Export, Problem> {
    let mut reader = caller.scope.read().await?;
    let incident = incidents::get(&mut reader, id).await?;
    let alerts = alerts::of_incident(&mut reader, id).await?;
    let investigation = investigations::find(&mut reader, id, None).await?;
    let plans =
        plans::list(&mut reader, &plans::Filter { incident: Some(id), ..plans::Filter::default() }, &first_page(200))
            .await?
            .items;
    let notes = notes::list(&mut reader, id, &first_page(200)).await?.items;
    let ledger = about(&mut reader, id).await?.into_iter().map(row).collect();
    drop(reader);
    let mut cited: Vec<EventId> = alerts.iter().flat_map(|alert| alert.event_ids.clone()).collect();
    cited.sort_unstable();
    cited.dedup();
    let mut found = Vec::new();
    for event_id in cited.into_iter().take(EVENTS) {
        if let Some(event) = events::find(&app.pipeline, &caller.scope, event_id).await? {
            let raw = String::from_utf8_lossy(&event.raw).into_owned();
            found.push(ExportEvent { id: event.id, time: event.time, source: event.source, raw });
        }
    }
    let generated_at = caller.scope.store().clock().now();
    let product = format!("ShieldOps {}", app.settings.version);
    Ok(Export {
        version: 1,
        generated_at,
        product,
        incident,
        alerts,
        investigation,
        plans,
        notes,
        events: found,
        ledger,
    })
}

fn row(entry: ledger::Entry) -> LedgerRow {
    let summary = entry.payload.get("reason").and_then(|reason| reason.as_str()).unwrap_or_default().to_owned();
    LedgerRow { seq: entry.seq, time: entry.time, kind: entry.kind, actor: entry.actor_name, hash: entry.hash, summary }
}
