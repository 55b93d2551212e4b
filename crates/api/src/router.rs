//! The router: every handler, behind authorisation, limits and a catch for panics.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use shieldops_model::Code;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    App, Problem, account, actions, alerts, approvals, assets, auth, automation, autonomy, coverage, describe, events,
    evidence, exceptions, export, gate_changes, gate_settings, grants, idempotency, incidents, indicators, ingest,
    intake, invitations, jobs, keys, ledger, live, meta, notifications, orphans, overview, pipelines, plans, policies,
    roles, rules, session, sessions, standing_grants, targets, tenant_settings, tenants, tokens, undo, usage, users,
    value_lists,
};

const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ShieldOps",
        description = "Autonomous security operations: detect, investigate, respond, prove.",
        contact(name = "The authors of ShieldOps"),
        license(name = "Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Description;

fn documented() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Description::openapi()).merge(who()).merge(what()).merge(detection())
}

/// Who there is, and what they may do.
fn who() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(session::create, session::end))
        .routes(routes!(session::second_factor))
        .routes(routes!(session::begin_passkey))
        .routes(routes!(session::finish_passkey))
        .routes(routes!(session::reset))
        .routes(routes!(session::spend))
        .routes(routes!(session::me))
        .routes(routes!(account::permissions))
        .routes(routes!(account::change_password))
        .routes(routes!(account::reauthenticate))
        .routes(routes!(account::factors))
        .routes(routes!(account::begin_totp, account::remove_totp))
        .routes(routes!(account::confirm_totp))
        .routes(routes!(account::recovery_codes))
        .routes(routes!(account::passkeys))
        .routes(routes!(account::begin_passkey))
        .routes(routes!(account::finish_passkey))
        .routes(routes!(account::remove_passkey))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::revoke))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::show, users::update, users::remove))
        .routes(routes!(users::reset))
        .routes(routes!(users::remove_factors))
        .routes(routes!(invitations::list, invitations::create))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::revoke))
        .routes(routes!(roles::list, roles::create))
        .routes(routes!(roles::show, roles::update, roles::remove))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::show, keys::update, keys::revoke))
        .routes(routes!(keys::rotate))
        .routes(routes!(grants::list, grants::create))
        .routes(routes!(grants::revoke))
        .routes(routes!(jobs::list))
        .routes(routes!(jobs::show))
        .routes(routes!(tenant_settings::show, tenant_settings::update))
        .routes(routes!(tenant_settings::versions))
        .routes(routes!(tenant_settings::rollback))
        .routes(routes!(notifications::show, notifications::update))
        .routes(routes!(notifications::test))
        .routes(routes!(notifications::letters))
        .routes(routes!(usage::show))
        .routes(routes!(tenants::list, tenants::create))
        .routes(routes!(tenants::show, tenants::update, tenants::remove))
        .routes(routes!(tenants::suspend))
        .routes(routes!(tenants::resume))
        .routes(routes!(tenants::lock))
        .routes(routes!(tenants::unlock))
        .routes(routes!(tenants::cancel_deletion))
        .routes(routes!(tenants::invite))
        .routes(routes!(tenants::usage))
}

/// What happens, and what is done about it.
fn what() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(overview::show))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::bulk::update))
        .routes(routes!(alerts::show, alerts::update))
        .routes(routes!(alerts::judge))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::show, incidents::update))
        .routes(routes!(incidents::judge))
        .routes(routes!(incidents::list_notes, incidents::add_note))
        .routes(routes!(incidents::merge))
        .routes(routes!(incidents::investigation))
        .routes(routes!(export::incident))
        .routes(routes!(incidents::entries))
        .routes(routes!(events::search, intake::events))
        .routes(routes!(events::show))
        .routes(routes!(ingest::show))
        .routes(routes!(ingest::letters))
        .routes(routes!(plans::list, plans::create))
        .routes(routes!(plans::show))
        .routes(routes!(plans::approve))
        .routes(routes!(plans::reject))
        .routes(routes!(plans::execute))
        .routes(routes!(plans::replan))
        .routes(routes!(actions::list))
        .routes(routes!(actions::show))
        .routes(routes!(evidence::list))
        .routes(routes!(evidence::download))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::break_glass))
        .routes(routes!(plans::explanation))
        .routes(routes!(actions::undo))
        .routes(routes!(undo::many))
        .routes(routes!(actions::capabilities))
        .routes(routes!(targets::list, targets::create))
        .routes(routes!(targets::update, targets::remove))
        .routes(routes!(orphans::list))
        .routes(routes!(orphans::adopt))
        .routes(routes!(orphans::undo))
        .routes(routes!(automation::show))
        .routes(routes!(automation::halt))
        .routes(routes!(automation::resume))
        .merge(gate())
        .merge(policy())
        .routes(routes!(ledger::list))
        .routes(routes!(ledger::verify))
        .routes(routes!(ledger::export))
        .routes(routes!(ledger::installation::list))
        .routes(routes!(ledger::installation::verify))
        .routes(routes!(ledger::installation::export))
}

/// What a tenant decides about its gate.
fn gate() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(gate_settings::show, gate_settings::draft))
        .routes(routes!(gate_settings::difference))
        .routes(routes!(gate_settings::effects::list))
        .routes(routes!(gate_settings::versions))
        .routes(routes!(gate_settings::version))
        .routes(routes!(gate_settings::activate))
        .routes(routes!(gate_settings::rollback))
        .routes(routes!(autonomy::show, autonomy::set))
        .routes(routes!(autonomy::restore))
        .routes(routes!(gate_changes::list))
        .routes(routes!(gate_changes::show))
        .routes(routes!(gate_changes::confirm))
        .routes(routes!(gate_changes::withdraw))
        .routes(routes!(standing_grants::list, standing_grants::create))
        .routes(routes!(standing_grants::revoke))
}

/// What decides whether something may be done.
fn policy() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(policies::show))
        .routes(routes!(policies::list_built_in))
        .routes(routes!(policies::check))
        .routes(routes!(policies::versions, policies::create))
        .routes(routes!(policies::version))
        .routes(routes!(policies::activate))
        .routes(routes!(policies::deactivate))
        .routes(routes!(policies::diff::difference))
        .routes(routes!(policies::replays::list, policies::replays::begin))
        .routes(routes!(policies::replays::show))
}

/// What is looked for, and how well.
fn detection() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(rules::list, rules::write::create))
        .routes(routes!(rules::reload))
        .routes(routes!(rules::write::check))
        .routes(routes!(rules::bundle::import))
        .routes(routes!(rules::show, rules::switch::update, rules::write::revise))
        .routes(routes!(rules::test))
        .routes(routes!(rules::explain::explain))
        .routes(routes!(rules::backtests::begin))
        .routes(routes!(rules::backtests::list))
        .routes(routes!(rules::backtests::show))
        .routes(routes!(rules::versions::list))
        .routes(routes!(rules::versions::show))
        .routes(routes!(rules::versions::diff))
        .routes(routes!(rules::matches::list))
        .routes(routes!(rules::bundle::export))
        .routes(routes!(rules::throttle::show, rules::throttle::set))
        .routes(routes!(value_lists::list, value_lists::create))
        .routes(routes!(value_lists::show, value_lists::revise, value_lists::remove))
        .routes(routes!(value_lists::versions))
        .routes(routes!(value_lists::version))
        .routes(routes!(pipelines::list, pipelines::create))
        .routes(routes!(pipelines::check))
        .routes(routes!(pipelines::show, pipelines::revise, pipelines::update, pipelines::remove))
        .routes(routes!(pipelines::versions))
        .routes(routes!(pipelines::version))
        .routes(routes!(coverage::log::show))
        .routes(routes!(coverage::attack::show))
        .routes(routes!(coverage::attack::navigator))
        .routes(routes!(coverage::fields::show))
        .routes(routes!(exceptions::list, exceptions::create))
        .routes(routes!(indicators::search::list))
        .routes(routes!(indicators::search::list_hits))
        .routes(routes!(indicators::list, indicators::create))
        .routes(routes!(indicators::show, indicators::update, indicators::remove))
        .routes(routes!(indicators::import::import))
        .routes(routes!(exceptions::show, exceptions::update, exceptions::remove))
}

/// Routes that are no part of our own API's description.
fn undocumented() -> Router<Arc<App>> {
    Router::new()
        .route("/healthz", get(meta::healthz))
        .route("/readyz", get(meta::readyz))
        .route("/metrics", get(meta::metrics))
        .route("/api/v1/openapi.json", get(meta::openapi))
        .route("/api/v1/live", get(live::connect))
        .route("/services/collector", post(intake::hec_event))
        .route("/services/collector/event", post(intake::hec_event))
        .route("/services/collector/event/1.0", post(intake::hec_event))
        .route("/services/collector/raw", post(intake::hec_raw))
        .route("/services/collector/raw/1.0", post(intake::hec_raw))
        .route("/services/collector/ack", post(intake::hec_ack))
        .route("/services/collector/health", get(intake::hec_health))
        .route("/services/collector/health/1.0", get(intake::hec_health))
        .route("/_bulk", post(intake::bulk))
        .route("/{index}/_bulk", post(intake::bulk_into))
        .route("/_cat/health", get(intake::cat_health))
        .route("/_cluster/health", get(intake::cluster_health))
        .route("/_license", get(intake::license))
}

/// The description of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    describe::complete(documented().into_openapi())
}

/// The whole service.
///
/// # Errors
/// The documented routes that have no line in the table of access.
pub fn router(app: Arc<App>) -> Result<Router, Vec<String>> {
    let (documented, description) = documented().split_for_parts();
    let missing = undeclared(&description);
    if !missing.is_empty() {
        return Err(missing);
    }
    let limit = DefaultBodyLimit::max(app.settings.max_body_bytes);
    let behind_authorisation = documented
        .merge(undocumented())
        .route_layer(from_fn_with_state(Arc::clone(&app), idempotency::once))
        .route_layer(from_fn_with_state(Arc::clone(&app), auth::authorise));
    Ok(behind_authorisation
        .fallback(fallback)
        .method_not_allowed_fallback(wrong_method)
        .layer(limit)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&app), outermost))
        .with_state(app))
}

/// Operations of the description that the table of access does not know.
pub(crate) fn undeclared(description: &utoipa::openapi::OpenApi) -> Vec<String> {
    let mut missing = Vec::new();
    for (path, item) in &description.paths.paths {
        let operations = [
            (Method::GET, &item.get),
            (Method::POST, &item.post),
            (Method::PATCH, &item.patch),
            (Method::PUT, &item.put),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in operations {
            if operation.is_some() && crate::access::of(&method, path).is_none() {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    missing
}

async fn fallback(State(app): State<Arc<App>>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    assets::serve(app.settings.assets, &method, &uri, &headers)
}

async fn wrong_method() -> Problem {
    Problem::new(Code::METHOD_NOT_ALLOWED, "this path does not take this method")
}

fn panicked(_cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::INTERNAL, Code::INTERNAL.help).into_response()
}

/// Counts answers, bounds their time, and adds the headers that every answer carries.
async fn outermost(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let mut response = in_time(next.run(request)).await;
    if let Some(problem) = framework_refusal(&app, &response) {
        response = problem.into_response();
    }
    app.metrics.answered(response.status().as_u16());
    assets::harden(response.headers_mut());
    response
}

/// A request that was begun and is not done in its time is answered all the same.
async fn in_time(answer: impl Future<Output = Response>) -> Response {
    let answered = tokio::time::timeout(REQUEST_TIMEOUT, answer).await;
    answered.unwrap_or_else(|_late| Problem::new(Code::TIMEOUT, Code::TIMEOUT.help).into_response())
}

/// Refusals of the framework are plain text: they are told in the same language as our own.
fn framework_refusal(app: &App, response: &Response) -> Option<Problem> {
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or("text/plain");
    if !kind.starts_with("text/plain") {
        return None;
    }
    let problem = match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Code::BODY_TOO_LARGE, format!("a body has at most {} bytes", app.settings.max_body_bytes))
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Problem::new(Code::UNSUPPORTED_MEDIA_TYPE, Code::UNSUPPORTED_MEDIA_TYPE.help)
        }
        StatusCode::BAD_REQUEST | StatusCode::UPGRADE_REQUIRED => Problem::invalid(
            "the request cannot be read: its path, its body or its headers are not what this route takes",
        ),
        _ => return None,
    };
    Some(problem)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_over_its_time_is_answered_with_504_and_one_within_it_is_not() {
        let after = |wait: Duration| async move {
            tokio::time::sleep(wait).await;
            StatusCode::OK.into_response()
        };
        assert_eq!(in_time(after(REQUEST_TIMEOUT.saturating_sub(Duration::from_millis(1)))).await.status(), 200);
        let late = in_time(after(REQUEST_TIMEOUT + Duration::from_millis(1))).await;
        assert_eq!(
            (late.status(), late.headers()["content-type"].to_str().unwrap()),
            (StatusCode::GATEWAY_TIMEOUT, "application/problem+json")
        );
    }

    #[test]
    fn every_operation_declares_its_authorisation() {
        assert_eq!(undeclared(&openapi()), Vec::<String>::new());
    }

    #[test]
    fn no_line_of_the_table_is_without_a_route() {
        let description = openapi();
        let other: BTreeSet<&str> = ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json", "/api/v1/live"].into();
        for (method, path, _) in crate::access::TABLE {
            let sender = path.starts_with("/_") || path.starts_with("/services/") || path.starts_with("/{index}");
            assert!(sender || other.contains(path) || description.paths.paths.contains_key(*path), "{method} {path}");
        }
    }
}
