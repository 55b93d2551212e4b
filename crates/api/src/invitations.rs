//! Invitations to the tenant: a link is shown once to whoever makes it, and spent once.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{Secret, people};
use shieldops_model::id;
use shieldops_store::invitations::{self, Invitation};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::{Caller, Origin},
    idempotency::shown_once,
    page::{Body, PathId, PlainQuery},
    precondition::IfMatch,
    session,
};

/// Invitations and reset links, newest first.
#[utoipa::path(get, path = "/api/v1/invitations", operation_id = "list_invitations", tag = "users", params(PlainQuery), responses((status = 200, body = List<Invitation>)))]
pub(crate) async fn list(caller: Caller, query: PlainQuery) -> Result<Json<List<Invitation>>, Problem> {
    let page = invitations::list(&mut caller.scope.read().await?, query.page()).await?;
    Ok(Json(query.answer(page)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    /// The login of the person, often an e-mail address.
    pub(crate) name: String,
    /// A built-in role or the id of a custom one.
    pub(crate) role: String,
}

/// A link for somebody else's eyes. It is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct Link {
    #[serde(flatten)]
    about: Invitation,
    /// Where it leads; without a `public_url` in the configuration it begins with the path.
    link: String,
}

/// A link that carries its secret in the fragment, which no server logs.
pub(crate) fn link(app: &App, what: &str, about: Invitation, secret: &Secret) -> Response {
    let origin = app.settings.public_url.as_deref().unwrap_or_default().trim_end_matches('/');
    let link = format!("{origin}/#{what}={}", secret.expose());
    shown_once(&["link"], (StatusCode::CREATED, Json(Link { about, link })))
}

/// Invites a person. The answer is the same whether the person has an account already or not.
#[utoipa::path(post, path = "/api/v1/invitations", operation_id = "invite", tag = "users", request_body = NewInvitation,
    responses((status = 201, body = Link), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewInvitation>,
) -> Result<Response, Problem> {
    caller.recent()?;
    let (about, secret) = people::invite(&caller.scope, &caller.rights, &body.name, &body.role).await?;
    Ok(link(&app, "invite", about, &secret))
}

/// Withdraws an invitation or a reset link.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", operation_id = "revoke_invitation", tag = "users", params(("id" = shieldops_model::InvitationId, Path)),
    responses((status = 204, description = "Withdrawn"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::InvitationKind>,
) -> Result<StatusCode, Problem> {
    caller.recent()?;
    people::revoke_invitation(&caller.scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    /// The fragment of the link.
    link: String,
    /// For a new person: at least 12 characters. Whoever has an account accepts while signed in, without it.
    password: Option<String>,
}

/// Joined while signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Joined {
    tenant: String,
}

/// Accepts an invitation: a new person chooses a password and is signed in; a known one joins while signed in.
#[utoipa::path(post, path = "/api/v1/invitations/accept", operation_id = "accept_invitation", tag = "session", request_body = Acceptance,
    responses((status = 200, body = Joined), (status = 204, description = "Joined and signed in"), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn accept(
    State(app): State<Arc<App>>,
    caller: Option<Caller>,
    origin: Origin,
    Body(body): Body<Acceptance>,
) -> Result<Response, Problem> {
    if let Some(password) = body.password {
        let signed_in = people::accept(&app.door(), &body.link, password, &origin.0).await?;
        return session::cookie(&app, &signed_in);
    }
    let caller = caller.ok_or_else(|| {
        Problem::new(shieldops_model::Code::UNAUTHENTICATED, "choose a password, or sign in first and accept then")
    })?;
    let tenant = people::accept_signed_in(&app.store, &caller.principal, &body.link).await?;
    Ok(Json(Joined { tenant }).into_response())
}
