//! One's own account: what one may do, password, second factors, passkeys.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shieldops_identity::{
    decide::{self, Decision},
    factors::{self, FactorStatus},
    passkeys, people,
    sessions::{self, Proof},
};
use shieldops_model::{PasskeyId, Timestamp, id};
use shieldops_store::factors::{Factor, FactorKind};
use utoipa::ToSchema;

use crate::{
    App, List, Problem,
    auth::{Caller, Origin},
    idempotency::shown_once,
    page::{Body, PathId, PlainQuery},
    precondition::IfMatch,
};

/// Every permission, whether one has it in this tenant, and which rule says so.
#[utoipa::path(get, path = "/api/v1/me/permissions", operation_id = "list_my_permissions", tag = "account", params(PlainQuery), responses((status = 200, body = List<Decision>)))]
pub(crate) async fn permissions(caller: Caller, query: PlainQuery) -> Result<Json<List<Decision>>, Problem> {
    query.of(decide::all(&caller.rights), |decision| decision.permission.to_string()).map(Json)
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    current: String,
    /// At least 12 characters.
    new: String,
    /// Personal tokens go on; without it they end.
    #[serde(default)]
    keep_tokens: bool,
}

/// Changes one's password; every other session of one's own ends, and every personal token unless they are kept.
#[utoipa::path(post, path = "/api/v1/me/password", operation_id = "change_password", tag = "account", request_body = PasswordChange,
    responses((status = 204, description = "Changed"), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    caller: Caller,
    origin: Origin,
    Body(body): Body<PasswordChange>,
) -> Result<StatusCode, Problem> {
    let Caller { scope, principal, .. } = &caller;
    let change = people::PasswordChange { current: body.current, new: body.new, keep_tokens: body.keep_tokens };
    people::change_password(&app.door(), scope, principal, change, &origin.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exactly one of the ways to prove who one is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProofBody {
    /// For an account without a second factor.
    pub(crate) password: Option<String>,
    /// Six digits of the authenticator app.
    pub(crate) code: Option<String>,
    pub(crate) recovery_code: Option<String>,
    /// Of `POST /api/v1/session/passkey/begin`, with `credential`.
    pub(crate) passkey_ticket: Option<String>,
    /// What the browser answered.
    pub(crate) credential: Option<Value>,
}

impl ProofBody {
    pub(crate) fn proof(self) -> Result<Proof, Problem> {
        match (self.password, self.code, self.recovery_code, self.passkey_ticket, self.credential) {
            (Some(password), None, None, None, None) => Ok(Proof::Password(password)),
            (None, Some(code), None, None, None) => Ok(Proof::Code(code)),
            (None, None, Some(code), None, None) => Ok(Proof::RecoveryCode(code)),
            (None, None, None, Some(ticket), Some(credential)) => Ok(Proof::Passkey { ticket, credential }),
            _ => Err(Problem::invalid(
                "send one of `password`, `code`, `recovery_code`, or `passkey_ticket` with `credential`",
            )),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Verified {
    /// Until when credentials may be changed.
    until: Timestamp,
}

/// Proves again who one is, before credentials change.
#[utoipa::path(post, path = "/api/v1/me/reauthenticate", operation_id = "reauthenticate", tag = "account", request_body = ProofBody,
    responses((status = 200, body = Verified), (status = 400, body = Problem), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub(crate) async fn reauthenticate(
    State(app): State<Arc<App>>,
    caller: Caller,
    origin: Origin,
    Body(body): Body<ProofBody>,
) -> Result<Json<Verified>, Problem> {
    let Caller { scope, principal, .. } = &caller;
    let until = sessions::reauthenticate(&app.door(), scope, principal, body.proof()?, &origin.0).await?;
    Ok(Json(Verified { until }))
}

/// Which second factors one has.
#[utoipa::path(get, path = "/api/v1/me/factors", operation_id = "get_my_factors", tag = "account", responses((status = 200, body = FactorStatus)))]
pub(crate) async fn factors(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<FactorStatus>, Problem> {
    Ok(Json(factors::status(&app.store, caller.user()?).await?))
}

/// A secret for the authenticator app; it counts once a code of it was confirmed.
#[derive(Serialize, ToSchema)]
pub(crate) struct TotpOffer {
    /// Base32.
    secret: String,
    /// `otpauth://…`, for a QR code.
    uri: String,
    ticket: String,
}

/// Offers a secret for an authenticator app (TOTP, RFC 6238).
#[utoipa::path(post, path = "/api/v1/me/totp", operation_id = "begin_totp", tag = "account", responses((status = 201, body = TotpOffer), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn begin_totp(caller: Caller) -> Result<Response, Problem> {
    let offer = factors::begin_totp(&caller.scope, &caller.principal).await?;
    let offer = TotpOffer { secret: offer.secret, uri: offer.uri, ticket: offer.ticket.expose().to_owned() };
    Ok(shown_once(&[], (StatusCode::CREATED, Json(offer))))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TotpConfirmation {
    ticket: String,
    code: String,
}

/// Each opens the account once. They are shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

fn codes(recovery_codes: Vec<String>) -> Response {
    shown_once(&[], (StatusCode::CREATED, Json(RecoveryCodes { recovery_codes })))
}

/// Confirms the authenticator app with a code of it.
#[utoipa::path(post, path = "/api/v1/me/totp/confirm", operation_id = "confirm_totp", tag = "account", request_body = TotpConfirmation,
    responses((status = 201, body = RecoveryCodes), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn confirm_totp(caller: Caller, Body(body): Body<TotpConfirmation>) -> Result<Response, Problem> {
    Ok(codes(factors::confirm_totp(&caller.scope, &caller.principal, &body.ticket, &body.code).await?))
}

/// Removes the authenticator app.
#[utoipa::path(delete, path = "/api/v1/me/totp", operation_id = "remove_totp", tag = "account",
    responses((status = 204, description = "Removed"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove_totp(caller: Caller, _any: IfMatch) -> Result<StatusCode, Problem> {
    factors::remove_totp(&caller.scope, &caller.principal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes ten new recovery codes; the ones before end.
#[utoipa::path(post, path = "/api/v1/me/recovery-codes", operation_id = "make_recovery_codes", tag = "account",
    responses((status = 201, body = RecoveryCodes), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn recovery_codes(caller: Caller) -> Result<Response, Problem> {
    Ok(codes(factors::new_recovery_codes(&caller.scope, &caller.principal).await?))
}

/// A passkey, without its key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Passkey {
    id: PasskeyId,
    name: String,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

impl From<Factor> for Passkey {
    fn from(factor: Factor) -> Self {
        let Factor { id, name, created_at, last_used_at, .. } = factor;
        Self { id, name, created_at, last_used_at }
    }
}

/// One's passkeys.
#[utoipa::path(get, path = "/api/v1/me/passkeys", operation_id = "list_my_passkeys", tag = "account", params(PlainQuery), responses((status = 200, body = List<Passkey>)))]
pub(crate) async fn passkeys(caller: Caller, query: PlainQuery) -> Result<Json<List<Passkey>>, Problem> {
    let factors = passkeys::list(&caller.scope, &caller.principal).await?;
    let passkeys = factors.into_iter().filter(|factor| factor.kind == FactorKind::Passkey).map(Passkey::from);
    query.of(passkeys.collect(), |passkey| passkey.id.to_string()).map(Json)
}

/// Options for the browser, and the ticket that its answer goes with.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ceremony {
    ticket: String,
    /// For `navigator.credentials`.
    options: Value,
}

pub(crate) fn ceremony(begun: passkeys::Begun) -> Response {
    let body = Ceremony { ticket: begun.ticket.expose().to_owned(), options: begun.options };
    shown_once(&[], (StatusCode::CREATED, Json(body)))
}

/// Begins to register a passkey.
#[utoipa::path(post, path = "/api/v1/me/passkeys/begin", operation_id = "begin_passkey", tag = "account", responses((status = 201, body = Ceremony), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub(crate) async fn begin_passkey(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Problem> {
    let begun = passkeys::begin_registration(&caller.scope, app.passkeys()?, &caller.principal).await?;
    Ok(ceremony(begun))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPasskey {
    ticket: String,
    /// What one calls it.
    name: String,
    /// What the browser answered.
    credential: Value,
}

/// The passkey, and recovery codes when it is the first second factor.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegisteredPasskey {
    passkey: Passkey,
    recovery_codes: Vec<String>,
}

/// Registers the passkey that the browser made.
#[utoipa::path(post, path = "/api/v1/me/passkeys/finish", operation_id = "finish_passkey", tag = "account", request_body = NewPasskey,
    responses((status = 201, body = RegisteredPasskey), (status = 400, body = Problem), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(crate) async fn finish_passkey(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(body): Body<NewPasskey>,
) -> Result<Response, Problem> {
    let Caller { scope, principal, .. } = &caller;
    let (factor, recovery_codes) =
        passkeys::finish_registration(scope, app.passkeys()?, principal, &body.ticket, &body.name, body.credential)
            .await?;
    let registered = RegisteredPasskey { passkey: factor.into(), recovery_codes };
    Ok(shown_once(&[], (StatusCode::CREATED, Json(registered)).into_response()))
}

/// Removes a passkey.
#[utoipa::path(delete, path = "/api/v1/me/passkeys/{id}", operation_id = "remove_passkey", tag = "account", params(("id" = PasskeyId, Path)),
    responses((status = 204, description = "Removed"), (status = 403, body = Problem), (status = 404, body = Problem), (status = 428, body = Problem)))]
pub(crate) async fn remove_passkey(
    caller: Caller,
    _any: IfMatch,
    PathId(id): PathId<id::PasskeyKind>,
) -> Result<StatusCode, Problem> {
    passkeys::remove(&caller.scope, &caller.principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
