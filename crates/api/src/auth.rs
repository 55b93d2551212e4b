//! Who calls: bearer token or session cookie, looked up in the request's own read; then the table of access.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use shieldops_identity::{authenticate, permission, secret};
use shieldops_model::{Code, UserId};
use shieldops_respond::Person;
use shieldops_store::{Principal, PrincipalKind, TenantScope};

use crate::{
    App, Problem,
    access::{self, Access},
    denials::Denial,
    problem::Refused,
};

pub(crate) const COOKIE: &str = "__Host-session";
pub(crate) const CSRF_HEADER: &str = "shieldops-csrf";

/// An authorised caller.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) scope: TenantScope,
    pub(crate) client_addr: Option<String>,
    /// The value that this session's changes must carry.
    pub(crate) csrf: Option<String>,
}

impl Caller {
    /// The person who acts; machines are refused where a person must answer for it.
    pub(crate) fn person(&self) -> Result<Person, Problem> {
        let user = self.user()?;
        Ok(Person { user, name: self.principal.user_name.clone(), client_addr: self.client_addr.clone() })
    }

    pub(crate) fn user(&self) -> Result<UserId, Problem> {
        self.principal.user.ok_or_else(|| Problem::new(Code::FORBIDDEN, "only a person may do this"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(Code::UNAUTHENTICATED, Code::UNAUTHENTICATED.help))
    }
}

/// The address of the client: the peer, or what the declared proxy says.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self(None)))
    }
}

/// Runs before every handler.
pub(crate) async fn authorise(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let checked = check(&app, &mut request).await;
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let route = format!("{} {path}", request.method());
    let client = request.extensions().get::<Client>().and_then(|client| client.0.clone());
    let who = request.extensions().get::<Caller>().map(|caller| (caller.scope.tenant(), caller.scope.actor().clone()));
    let response = match checked {
        Ok(()) => handle(&app, request, next).await,
        Err(problem) => problem.into_response(),
    };
    if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        let code = response.extensions().get::<Refused>().map_or_else(String::new, |refused| refused.0.clone());
        app.denials.note(Denial { who, route, code, client }, app.store.clock().now());
    }
    response
}

/// What changes something is carried to its end, though the client may hang up in the middle of it.
async fn handle(app: &App, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let work = app.tasks.spawn(next.run(request));
    work.await.unwrap_or_else(|_panicked| {
        tracing::error!("a handler panicked");
        Problem::new(Code::INTERNAL, Code::INTERNAL.help).into_response()
    })
}

async fn check(app: &App, request: &mut Request) -> Result<(), Problem> {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let access = path.as_deref().and_then(|path| access::of(request.method(), path));
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let client = client_addr(app, request.headers(), peer);
    request.extensions_mut().insert(Client(client.clone()));
    let needs = match access {
        None => return Err(Problem::new(Code::METHOD_NOT_ALLOWED, "this path does not take this method")),
        Some(Access::Public) => return Ok(()),
        Some(Access::NeedsOrLoopback(_))
            if peer.is_some_and(|peer| peer.ip().is_loopback()) && !app.settings.behind_proxy =>
        {
            return Ok(());
        }
        Some(Access::SignedIn) => None,
        Some(Access::Needs(permission) | Access::NeedsOrLoopback(permission)) => Some(permission),
    };
    let caller = identify(app, request.headers(), request.method(), client).await?;
    let refused =
        needs.filter(|permission| !permission::allows(&caller.principal.role, *permission)).map(|permission| {
            let role = &caller.principal.role;
            Problem::new(
                Code::FORBIDDEN,
                format!("this needs the permission `{permission}`, which the role `{role}` has not"),
            )
        });
    request.extensions_mut().insert(caller);
    refused.map_or(Ok(()), Err)
}

fn client_addr(app: &App, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<String> {
    if app.settings.behind_proxy {
        // The last word is the proxy's own; what stands before it, in this line or in another, the client may have written.
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
        if let Some(address) = last.and_then(|list| list.rsplit(',').next()).and_then(address) {
            return Some(address.to_canonical().to_string());
        }
    }
    peer.map(|peer| peer.ip().to_canonical().to_string())
}

/// An address, alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|at| at.ip()))
}

async fn identify(
    app: &App,
    headers: &HeaderMap,
    method: &Method,
    client_addr: Option<String>,
) -> Result<Caller, Problem> {
    let unauthenticated = || Problem::new(Code::UNAUTHENTICATED, Code::UNAUTHENTICATED.help);
    let (text, from_cookie) = credential(headers)?.ok_or_else(unauthenticated)?;
    let principal = authenticate(&app.store, &text).await?.ok_or_else(unauthenticated)?;
    // A session belongs in a cookie, a token in a header: neither works in the other's place.
    if (principal.kind == PrincipalKind::Session) != from_cookie {
        return Err(unauthenticated());
    }
    if from_cookie && !matches!(*method, Method::GET | Method::HEAD) {
        let sent = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !secret::csrf_matches(&text, sent) {
            return Err(Problem::new(Code::CSRF, Code::CSRF.help));
        }
    }
    let csrf = from_cookie.then(|| secret::csrf(&text));
    let scope = app.store.scope(&principal)?;
    Ok(Caller { principal, scope, client_addr, csrf })
}

/// The credential text, and whether it came as a cookie. Two `Authorization` headers are refused.
fn credential(headers: &HeaderMap) -> Result<Option<(String, bool)>, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = sent.next() {
        if sent.next().is_some() {
            return Err(Problem::invalid("two Authorization headers"));
        }
        let text = value.to_str().map_err(|_bytes| Problem::invalid("the Authorization header is not text"))?;
        return Ok(bearer(text).map(|token| (token, false)));
    }
    if let Some(token) = socket_token(headers) {
        return Ok(Some((token, false)));
    }
    let cookies =
        headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let session = cookies.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == COOKIE);
    Ok(session.map(|(_, value)| (value.to_owned(), true)))
}

/// `Bearer` for us, `Splunk` for HEC, `ApiKey` and the password of `Basic` for Elasticsearch senders.
fn bearer(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "splunk" | "apikey" => Some(rest.to_owned()),
        "basic" => {
            let pair = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            pair.split_once(':').map(|(_, password)| password.to_owned())
        }
        _ => None,
    }
}

/// A browser cannot set headers on a WebSocket: a client without a cookie names its token as a subprotocol.
fn socket_token(headers: &HeaderMap) -> Option<String> {
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?;
    offered.split(',').map(str::trim).find_map(|protocol| protocol.strip_prefix("bearer.").map(str::to_owned))
}

/// Whom the credential in these headers stands for now.
pub(crate) async fn again(app: &App, headers: &HeaderMap) -> Option<Principal> {
    let (text, _) = credential(headers).ok()??;
    authenticate(&app.store, &text).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarded_address_is_an_address() {
        for (text, wanted) in [
            (" 203.0.113.9", Some("203.0.113.9")),
            ("203.0.113.9:4711", Some("203.0.113.9")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(address(text).map(|found| found.to_string()).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn a_credential_is_read_from_one_header_only() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer one".parse().unwrap());
        assert_eq!(credential(&headers).unwrap(), Some(("one".to_owned(), false)));
        headers.append(header::AUTHORIZATION, "Bearer two".parse().unwrap());
        assert!(credential(&headers).is_err());
    }
}
