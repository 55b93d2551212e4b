//! Which route takes what: the one table of authorisation. A route that is not here does not start.

use axum::http::Method;
use shieldops_identity::Permission::{
    self, ActionRead, ActionUndo, AlertRead, AlertWrite, AutomationRead, AutomationWrite, EventRead, EventWrite,
    IncidentRead, IncidentWrite, IngestRead, LedgerRead, MetricsRead, PlanApprove, PlanCreate, PlanRead, RuleRead,
    RuleWrite, TargetRead, TargetWrite, TokenRead, TokenWrite, UserRead, UserWrite,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nobody has to sign in.
    Public,
    /// Anybody who is signed in.
    SignedIn,
    Needs(Permission),
    /// This permission, or a connection from this machine.
    NeedsOrLoopback(Permission),
}

use Access::{Needs, NeedsOrLoopback, Public, SignedIn};

/// Method, path as the router has it, and what it takes.
pub const TABLE: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Public),
    ("GET", "/readyz", Public),
    ("GET", "/metrics", NeedsOrLoopback(MetricsRead)),
    ("GET", "/api/v1/openapi.json", Public),
    ("POST", "/api/v1/session", Public),
    ("POST", "/api/v1/session/claim", Public),
    ("DELETE", "/api/v1/session", SignedIn),
    ("GET", "/api/v1/me", SignedIn),
    ("GET", "/api/v1/overview", Needs(IncidentRead)),
    ("GET", "/api/v1/alerts", Needs(AlertRead)),
    ("POST", "/api/v1/alerts/bulk", Needs(AlertWrite)),
    ("GET", "/api/v1/alerts/{id}", Needs(AlertRead)),
    ("PATCH", "/api/v1/alerts/{id}", Needs(AlertWrite)),
    ("POST", "/api/v1/alerts/{id}/verdict", Needs(AlertWrite)),
    ("GET", "/api/v1/incidents", Needs(IncidentRead)),
    ("GET", "/api/v1/incidents/{id}", Needs(IncidentRead)),
    ("PATCH", "/api/v1/incidents/{id}", Needs(IncidentWrite)),
    ("POST", "/api/v1/incidents/{id}/verdict", Needs(IncidentWrite)),
    ("GET", "/api/v1/incidents/{id}/notes", Needs(IncidentRead)),
    ("POST", "/api/v1/incidents/{id}/notes", Needs(IncidentWrite)),
    ("POST", "/api/v1/incidents/{id}/merge", Needs(IncidentWrite)),
    ("GET", "/api/v1/incidents/{id}/investigation", Needs(IncidentRead)),
    ("GET", "/api/v1/incidents/{id}/export", Needs(IncidentRead)),
    ("GET", "/api/v1/incidents/{id}/ledger", Needs(LedgerRead)),
    ("GET", "/api/v1/events", Needs(EventRead)),
    ("POST", "/api/v1/events", Needs(EventWrite)),
    ("GET", "/api/v1/events/{id}", Needs(EventRead)),
    ("GET", "/api/v1/ingest/stats", Needs(IngestRead)),
    ("GET", "/api/v1/dead-letters", Needs(IngestRead)),
    ("GET", "/api/v1/rules", Needs(RuleRead)),
    ("POST", "/api/v1/rules/reload", Needs(RuleWrite)),
    ("GET", "/api/v1/rules/{id}", Needs(RuleRead)),
    ("POST", "/api/v1/rules/{id}/test", Needs(RuleRead)),
    ("GET", "/api/v1/plans", Needs(PlanRead)),
    ("POST", "/api/v1/plans", Needs(PlanCreate)),
    ("GET", "/api/v1/plans/{id}", Needs(PlanRead)),
    ("POST", "/api/v1/plans/{id}/approve", Needs(PlanApprove)),
    ("POST", "/api/v1/plans/{id}/reject", Needs(PlanApprove)),
    ("POST", "/api/v1/plans/{id}/execute", Needs(PlanApprove)),
    ("POST", "/api/v1/plans/{id}/replan", Needs(PlanCreate)),
    ("GET", "/api/v1/actions", Needs(ActionRead)),
    ("GET", "/api/v1/actions/{id}", Needs(ActionRead)),
    ("POST", "/api/v1/actions/{id}/undo", Needs(ActionUndo)),
    ("GET", "/api/v1/capabilities", Needs(PlanRead)),
    ("GET", "/api/v1/targets", Needs(TargetRead)),
    ("POST", "/api/v1/targets", Needs(TargetWrite)),
    ("PATCH", "/api/v1/targets/{id}", Needs(TargetWrite)),
    ("DELETE", "/api/v1/targets/{id}", Needs(TargetWrite)),
    ("GET", "/api/v1/targets/{id}/orphans", Needs(TargetRead)),
    ("POST", "/api/v1/targets/{id}/orphans/adopt", Needs(PlanCreate)),
    ("POST", "/api/v1/targets/{id}/orphans/undo", Needs(ActionUndo)),
    ("GET", "/api/v1/automation", Needs(AutomationRead)),
    ("POST", "/api/v1/automation/halt", Needs(AutomationWrite)),
    ("POST", "/api/v1/automation/resume", Needs(AutomationWrite)),
    ("GET", "/api/v1/tokens", Needs(TokenRead)),
    ("POST", "/api/v1/tokens", Needs(TokenWrite)),
    ("DELETE", "/api/v1/tokens/{id}", Needs(TokenWrite)),
    ("GET", "/api/v1/users", Needs(UserRead)),
    ("POST", "/api/v1/users", Needs(UserWrite)),
    ("PATCH", "/api/v1/users/{id}", Needs(UserWrite)),
    ("GET", "/api/v1/ledger", Needs(LedgerRead)),
    ("GET", "/api/v1/ledger/verify", Needs(LedgerRead)),
    ("GET", "/api/v1/ledger/export", Needs(LedgerRead)),
    ("GET", "/api/v1/live", SignedIn),
    // Senders that speak another protocol.
    ("POST", "/services/collector", Needs(EventWrite)),
    ("POST", "/services/collector/event", Needs(EventWrite)),
    ("POST", "/services/collector/event/1.0", Needs(EventWrite)),
    ("POST", "/services/collector/raw", Needs(EventWrite)),
    ("POST", "/services/collector/raw/1.0", Needs(EventWrite)),
    ("POST", "/services/collector/ack", Needs(EventWrite)),
    ("GET", "/services/collector/health", Public),
    ("GET", "/services/collector/health/1.0", Public),
    ("POST", "/_bulk", Needs(EventWrite)),
    ("POST", "/{index}/_bulk", Needs(EventWrite)),
    ("GET", "/_cat/health", Public),
    ("GET", "/_cluster/health", Public),
    ("GET", "/_license", Public),
];

/// What a route takes; nothing for one that is not declared. HEAD is GET without a body.
pub fn of(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    TABLE.iter().find(|(known, at, _)| *known == method && *at == path).map(|(_, _, access)| *access)
}
