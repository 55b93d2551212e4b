//! Open sessions: one's own, and for administrators the tenant's.

use axum::{Json, http::StatusCode};
use serde::Deserialize;
use shieldops_identity::{Permission, decide, sessions as identity};
use shieldops_model::{SessionId, id};
use shieldops_store::sessions::Session;
use utoipa::IntoParams;

use crate::{
    List, Problem,
    auth::Caller,
    page::{Filter, ListQuery, PathId},
    precondition::IfMatch,
};

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SessionFilter {
    /// Everybody's of the tenant, not only one's own; this needs `session.read`.
    all: Option<bool>,
}

impl Filter for SessionFilter {}

type SessionQuery = ListQuery<SessionFilter>;

/// Open sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "session", params(SessionQuery), responses((status = 200, body = List<Session>), (status = 403, body = Problem)))]
pub(crate) async fn list(caller: Caller, query: SessionQuery) -> Result<Json<List<Session>>, Problem> {
    let all = query.filter.all.unwrap_or_default();
    if all {
        decide::authorise(&caller.rights, Permission::SessionRead, None).check()?;
    }
    let sessions = identity::list(&caller.scope, &caller.principal, all).await?;
    query.of(sessions, |session| session.id.to_string()).map(Json)
}

/// Ends a session: refused on the next request, its socket within a second. Another's needs `session.write`.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", operation_id = "revoke_session", tag = "session", params(("id" = SessionId, Path)),
    responses((status = 204, description = "Ended"), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::SessionKind>,
) -> Result<StatusCode, Problem> {
    identity::revoke(&caller.scope, &caller.rights, &caller.principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
