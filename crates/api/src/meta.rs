//! Health, readiness, metrics and the description of the API.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use shieldops_model::TenantId;
use shieldops_store::{Job, bookkeeping, dead_letters, outbox};

use crate::{App, auth::Caller, metrics::Scraped};

pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// Ready when the state answers.
pub(crate) async fn readyz(State(app): State<Arc<App>>) -> Response {
    match app.store.answers().await {
        Ok(()) if !app.stop.is_cancelled() => "ready\n".into_response(),
        Ok(()) => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the state does not answer\n").into_response(),
    }
}

/// The installation's for a connection from this machine and for its operator; anybody else's tenant's.
pub(crate) async fn metrics(State(app): State<Arc<App>>, caller: Option<Caller>) -> Response {
    let one = caller.filter(|caller| !caller.rights.is_operator()).map(|caller| caller.principal.tenant);
    let mut scraped =
        Scraped { rules: u64::try_from(app.pipeline.content.book().set.len()).unwrap_or(0), ..Scraped::default() };
    for tenant in one.map_or_else(|| app.tenants.running(), |tenant| vec![tenant]) {
        let stats = app.pipeline.stats(tenant);
        scraped.stored += stats.accepted;
        scraped.lag += stats.lag_events;
        scraped.log_bytes += stats.bytes;
        scraped.add_correlations(app.pipeline.correlation_counters(tenant));
        scraped.letters_dropped += dropped(&app, tenant).await.unwrap_or(0);
        let (queued, dead) = letters(&app, tenant).await.unwrap_or_default();
        (scraped.letters_queued, scraped.letters_dead) = (scraped.letters_queued + queued, scraped.letters_dead + dead);
    }
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], app.metrics.render(scraped, one.is_none())).into_response()
}

async fn dropped(app: &App, tenant: TenantId) -> shieldops_store::Result<u64> {
    let mut reader = app.store.job(tenant, Job::Pipeline)?.read().await?;
    bookkeeping::counter(&mut reader, dead_letters::DROPPED).await
}

/// Notices and letters that wait, and letters that were given up.
async fn letters(app: &App, tenant: TenantId) -> shieldops_store::Result<(u64, u64)> {
    outbox::tally(&mut app.store.job(tenant, Job::Response)?.read().await?).await
}

pub(crate) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(crate::openapi())
}
