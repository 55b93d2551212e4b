//! Signing in and out, and who one is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use shieldops_identity::{SESSION_FOR, SignedIn, claim, permission, sign_in, sign_out};
use shieldops_model::{TenantId, Timestamp};
use shieldops_store::people::Tenant;
use utoipa::ToSchema;

use crate::{
    App, Problem,
    auth::{COOKIE, Caller, Client},
    page::Body,
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    name: String,
    password: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// The fragment of the admin link.
    secret: String,
    password: String,
}

/// Opens a session; its cookie is in the answer.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "sign_in", tag = "session", request_body = Login,
    responses((status = 204, description = "Signed in"), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Client(client): Client,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    let signed_in = sign_in(&app.store, &app.backoff, &login.name, login.password, client).await?;
    cookie(&signed_in)
}

/// Spends the admin link: sets the administrator's password and opens a session.
#[utoipa::path(post, path = "/api/v1/session/claim", operation_id = "claim_admin_link", tag = "session", request_body = Claim,
    responses((status = 204, description = "Signed in"), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn spend(
    State(app): State<Arc<App>>,
    Client(client): Client,
    Body(body): Body<Claim>,
) -> Result<Response, Problem> {
    let signed_in = claim(&app.store, &body.secret, body.password, client).await?;
    cookie(&signed_in)
}

fn cookie(signed_in: &SignedIn) -> Result<Response, Problem> {
    let text = format!(
        "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={}",
        signed_in.secret.expose(),
        SESSION_FOR.as_secs()
    );
    set_cookie(&text)
}

fn set_cookie(text: &str) -> Result<Response, Problem> {
    let mut value = HeaderValue::from_str(text).map_err(|_bytes| Problem::invalid("no cookie"))?;
    value.set_sensitive(true);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, value)]).into_response())
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "sign_out", tag = "session", responses((status = 204, description = "Signed out")))]
pub(crate) async fn end(caller: Caller) -> Result<Response, Problem> {
    if let Some(session) = caller.principal.session {
        sign_out(&caller.scope, session).await?;
    }
    set_cookie(&format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user: MeUser,
    tenant: MeTenant,
    /// Send it as `Shieldops-Csrf` with every change; absent for tokens, which need none.
    csrf: Option<String>,
    permissions: Vec<&'static str>,
    version: &'static str,
    session_expires_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct MeUser {
    /// `usr_…`, or the token's id.
    id: String,
    name: String,
    role: String,
}

#[derive(Serialize, ToSchema)]
struct MeTenant {
    id: TenantId,
    name: String,
    slug: String,
    demo: bool,
}

/// Who is calling, and what that caller may do.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "session", responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub(crate) async fn me(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Me>, Problem> {
    let tenants = app.store.tenants().await?;
    let Tenant { id, slug, name, demo } =
        tenants.into_iter().find(|tenant| tenant.id == caller.principal.tenant).ok_or_else(Problem::not_found)?;
    let permissions =
        permission::of_role(&caller.principal.role).iter().map(|permission| permission.as_str()).collect();
    Ok(Json(Me {
        user: MeUser {
            id: caller.scope.actor().id.clone(),
            name: caller.principal.user_name.clone(),
            role: caller.principal.role.clone(),
        },
        tenant: MeTenant { id, name, slug, demo },
        csrf: caller.csrf,
        permissions,
        version: app.settings.version,
        session_expires_at: caller.principal.expires_at,
    }))
}
