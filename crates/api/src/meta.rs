//! Health, readiness, metrics and the description of the API.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{App, metrics::Scraped};

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready when the state answers.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.store.first().await {
        Ok(_) if !app.stop.is_cancelled() => "ready\n".into_response(),
        Ok(_) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the state does not answer\n").into_response(),
    }
}

pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut scraped =
        Scraped { rules: u64::try_from(app.pipeline.content.book().set.len()).unwrap_or(0), ..Scraped::default() };
    for tenant in app.tenants.running() {
        let stats = app.pipeline.stats(tenant);
        scraped.stored += stats.accepted;
        scraped.lag += stats.lag_events;
        scraped.log_bytes += stats.bytes;
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], app.metrics.render(scraped)).into_response()
}

pub(crate) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(crate::openapi())
}
