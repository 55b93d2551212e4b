//! What a process answers that lacks a role: the door for events, and the API, may be in different processes.

use axum::{
    extract::Request,
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use shieldops_api::Problem;
use shieldops_model::Code;

/// For a process without the role `api`: health, figures and the door for events.
pub(crate) async fn only_events(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if is_health(path) || is_door(request.method(), path) {
        return next.run(request).await;
    }
    Problem::new(Code::ROLE_NOT_HERE, "this process has no role api").into_response()
}

fn is_health(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/metrics")
}

/// Senders, in the protocols that they speak, and what they ask before they send.
fn is_door(method: &Method, path: &str) -> bool {
    let sends = method == Method::POST && (path == "/api/v1/events" || path.ends_with("/_bulk"));
    sends
        || path.starts_with("/services/collector")
        || matches!(path, "/_cat/health" | "/_cluster/health" | "/_license")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_for_senders_and_nothing_else() {
        for path in ["/api/v1/events", "/_bulk", "/logs/_bulk", "/services/collector/event"] {
            assert!(is_door(&Method::POST, path), "{path}");
        }
        assert!(!is_door(&Method::GET, "/api/v1/events"));
        assert!(!is_door(&Method::POST, "/api/v1/session") && !is_door(&Method::GET, "/"));
    }
}
