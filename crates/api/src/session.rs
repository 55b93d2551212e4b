//! Signing in and out, and who one is.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_identity::{
    passkeys, people,
    sessions::{self, Challenge, Method, SignIn, SignedIn},
};
use shieldops_model::{Code, Confirmation, SessionId, TenantId, Timestamp, tenant::TenantState};
use utoipa::ToSchema;

use crate::{
    App, Problem,
    account::{self, Ceremony, ProofBody},
    auth::{COOKIE, Caller, Origin},
    page::Body,
    problem::Refused,
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

/// The password was right, and a second factor is needed too; with another code than `second_factor_required` it was wrong, and
/// there is no ticket.
#[derive(Serialize, ToSchema)]
pub(crate) struct SecondFactorProblem {
    #[serde(flatten)]
    problem: Problem,
    /// Goes with the answer to `/api/v1/session/second-factor`, within five minutes.
    #[schema(required = false)]
    ticket: String,
    #[schema(required = false)]
    methods: Vec<Method>,
    #[schema(required = false)]
    expires_at: Timestamp,
}

fn challenge(challenge: Challenge) -> Response {
    let mut problem = Problem::new(Code::SECOND_FACTOR_REQUIRED, Code::SECOND_FACTOR_REQUIRED.help);
    problem.request_id = hex::encode(rand::random::<[u8; 8]>());
    let Challenge { ticket, methods, expires_at } = challenge;
    let body = SecondFactorProblem { problem, ticket: ticket.expose().to_owned(), methods, expires_at };
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::WWW_AUTHENTICATE, "Bearer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let mut response = (StatusCode::UNAUTHORIZED, headers, Json(body)).into_response();
    response.extensions_mut().insert(Refused(Code::SECOND_FACTOR_REQUIRED.name.to_owned()));
    response
}

/// Opens a session; its cookie is in the answer.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "sign_in", tag = "session", request_body = Login,
    responses((status = 204, description = "Signed in"), (status = 401, body = SecondFactorProblem, content_type = "application/problem+json"), (status = 429, body = Problem)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    origin: Origin,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    match sessions::sign_in(&app.door(), &login.name, login.password, &origin.0).await? {
        SignIn::Done(signed_in) => cookie(&app, &signed_in),
        SignIn::SecondFactor(wanted) => Ok(challenge(wanted)),
    }
}

/// The ticket, and exactly one of the ways to prove who one is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecondFactor {
    /// Of the refused sign-in.
    ticket: String,
    /// Six digits of the authenticator app.
    code: Option<String>,
    recovery_code: Option<String>,
    /// Of `POST /api/v1/session/passkey/begin`, with `credential`.
    passkey_ticket: Option<String>,
    /// What the browser answered.
    credential: Option<Value>,
}

impl SecondFactor {
    fn split(self) -> (String, ProofBody) {
        let Self { ticket, code, recovery_code, passkey_ticket, credential } = self;
        (ticket, ProofBody { password: None, code, recovery_code, passkey_ticket, credential })
    }
}

/// Finishes a sign-in with a second factor.
#[utoipa::path(post, path = "/api/v1/session/second-factor", operation_id = "finish_sign_in", tag = "session", request_body = SecondFactor,
    responses((status = 204, description = "Signed in"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn second_factor(
    State(app): State<Arc<App>>,
    origin: Origin,
    Body(body): Body<SecondFactor>,
) -> Result<Response, Problem> {
    let (ticket, proof) = body.split();
    let signed_in = sessions::second_factor(&app.door(), &ticket, proof.proof()?, &origin.0).await?;
    cookie(&app, &signed_in)
}

/// Begins a passkey answer: for signing in without a password, as second factor, or to prove again who one is.
#[utoipa::path(post, path = "/api/v1/session/passkey/begin", operation_id = "begin_passkey_sign_in", tag = "session", responses((status = 201, body = Ceremony), (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn begin_passkey(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(account::ceremony(passkeys::begin(&app.store, app.passkeys()?).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasskeyAnswer {
    ticket: String,
    credential: Value,
}

/// Signs in with a passkey alone.
#[utoipa::path(post, path = "/api/v1/session/passkey/finish", operation_id = "finish_passkey_sign_in", tag = "session", request_body = PasskeyAnswer,
    responses((status = 204, description = "Signed in"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn finish_passkey(
    State(app): State<Arc<App>>,
    origin: Origin,
    Body(body): Body<PasskeyAnswer>,
) -> Result<Response, Problem> {
    let signed_in = passkeys::sign_in(&app.door(), &body.ticket, body.credential, &origin.0).await?;
    cookie(&app, &signed_in)
}

/// Spends the admin link: sets the administrator's password and opens a session.
#[utoipa::path(post, path = "/api/v1/session/claim", operation_id = "claim_admin_link", tag = "session", request_body = Claim,
    responses((status = 204, description = "Signed in"), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub(crate) async fn spend(
    State(app): State<Arc<App>>,
    origin: Origin,
    Body(body): Body<Claim>,
) -> Result<Response, Problem> {
    let signed_in = sessions::claim(&app.door(), &body.secret, body.password, &origin.0).await?;
    cookie(&app, &signed_in)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reset {
    /// The fragment of the link.
    link: String,
    /// At least 12 characters.
    password: String,
}

/// Chooses a new password with a reset link; every session and personal token of the person ends.
#[utoipa::path(post, path = "/api/v1/session/reset", operation_id = "reset_password", tag = "session", request_body = Reset,
    responses((status = 204, description = "Changed: sign in with it"), (status = 400, body = Problem)))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    origin: Origin,
    Body(body): Body<Reset>,
) -> Result<StatusCode, Problem> {
    people::reset(&app.store, &body.link, body.password, &origin.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The answer that carries a new session's cookie.
pub(crate) fn cookie(app: &App, signed_in: &SignedIn) -> Result<Response, Problem> {
    let lasts = signed_in.expires_at.since(app.store.clock().now()).as_secs();
    let text =
        format!("{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={lasts}", signed_in.secret.expose());
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
    if caller.principal.session.is_some() {
        sessions::sign_out(&caller.scope, &caller.principal).await?;
    }
    set_cookie(&format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    user: MeUser,
    /// The tenant that this request is about.
    tenant: MeTenant,
    /// Every tenant that one may name in `Shieldops-Tenant`, the last used first.
    tenants: Vec<MeMembership>,
    /// Whether one is an operator of the installation.
    operator: bool,
    /// Send it as `Shieldops-Csrf` with every change; absent for tokens, which need none.
    csrf: Option<String>,
    permissions: Vec<&'static str>,
    /// The environments that one's custom role is limited to; absent for all.
    environments: Option<Vec<shieldops_model::Environment>>,
    version: &'static str,
    /// This session, for a person's browser.
    session_id: Option<SessionId>,
    session_expires_at: Option<Timestamp>,
    /// How and when one last proved to this session who one is, at sign-in or again since. Credentials change within five
    /// minutes of it, and for a vote on a critical plan it is a passkey or a code of an authenticator app. Absent for tokens
    /// and keys.
    confirmed: Option<Confirmation>,
    /// Whether passkeys work here (they need a `public_url` that is no bare address).
    passkeys: bool,
}

#[derive(Serialize, ToSchema)]
struct MeUser {
    /// `usr_…`, or the id of the token or key.
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
    state: TenantState,
}

#[derive(Serialize, ToSchema)]
struct MeMembership {
    slug: String,
    name: String,
    role: String,
    state: TenantState,
    /// One acts there by a grant to one's own tenant.
    by_grant: bool,
}

/// Who is calling, where, and what that caller may do.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "get_me", tag = "session", responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub(crate) async fn me(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<Me>, Problem> {
    let tenant = app.store.get_tenant(caller.principal.tenant).await?;
    let memberships = match caller.principal.user {
        Some(user) => app.store.memberships_of(user, caller.now()).await?,
        None => Vec::new(),
    };
    let tenants = memberships.into_iter().filter(|membership| !membership.disabled).map(|membership| MeMembership {
        slug: membership.tenant.slug,
        name: membership.tenant.name,
        role: membership.role.to_string(),
        state: membership.tenant.state,
        by_grant: membership.via_grant.is_some(),
    });
    Ok(Json(Me {
        user: MeUser {
            id: caller.scope.actor().id.clone(),
            name: caller.principal.user_name.clone(),
            role: caller.principal.role.to_string(),
        },
        tenant: MeTenant {
            id: tenant.id,
            name: tenant.name,
            slug: tenant.slug,
            demo: tenant.demo,
            state: tenant.state,
        },
        tenants: tenants.collect(),
        operator: caller.principal.operator,
        csrf: caller.csrf,
        permissions: caller.rights.permissions().names(),
        environments: caller.rights.environments().map(<[_]>::to_vec),
        version: app.settings.version,
        session_id: caller.principal.session,
        session_expires_at: caller.principal.expires_at,
        confirmed: caller.principal.confirmed,
        passkeys: app.passkeys.is_some(),
    }))
}
