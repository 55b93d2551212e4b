//! Who calls: bearer token or session cookie, settled in the request itself; then the table of access, then the
//! limits.

use std::{net::SocketAddr, pin::pin, sync::Arc};

use axum::{
    extract::{ConnectInfo, FromRequestParts, MatchedPath, OptionalFromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use shieldops_identity::{
    Permission,
    decide::{self, Rights},
    secret, sessions,
};
use shieldops_model::{Code, TenantId, Timestamp, UserId};
use shieldops_respond::Person;
use shieldops_store::{Actor, Ahead, Principal, PrincipalKind, TenantScope};

use crate::{
    App, Problem,
    access::{self, Access},
    denials::Denial,
    forwarded,
    limits::{self, Lane, Payer, Place, Standing},
    problem::Refused,
};

pub(crate) const COOKIE: &str = "__Host-session";
pub(crate) const CSRF_HEADER: &str = "shieldops-csrf";
/// Names the tenant that a request is about.
pub(crate) const TENANT_HEADER: &str = "shieldops-tenant";
/// Sent with what a page reads by itself while nobody is before it: it keeps no session from going idle.
const UNATTENDED_HEADER: &str = "shieldops-unattended";
/// Characters of a user agent that are kept with a session.
const AGENT: usize = 256;

/// An authorised caller.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) scope: TenantScope,
    pub(crate) rights: Rights,
    pub(crate) client_addr: Option<String>,
    /// The value that this session's changes must carry.
    pub(crate) csrf: Option<String>,
}

impl Caller {
    /// The person who acts; machines are refused where a person must answer for it.
    pub(crate) fn person(&self) -> Result<Person, Problem> {
        let user = self.user()?;
        let (name, confirmed) = (self.principal.user_name.clone(), self.principal.confirmed);
        Ok(Person { user, name, client_addr: self.client_addr.clone(), confirmed })
    }

    /// Whose quota its requests are taken from.
    pub(crate) fn payer(&self) -> Payer {
        Payer::Principal(self.principal.tenant, self.scope.actor().id.clone())
    }

    pub(crate) fn user(&self) -> Result<UserId, Problem> {
        self.principal.user.ok_or_else(|| Problem::new(Code::FORBIDDEN, "only a person may do this"))
    }

    pub(crate) fn has(&self, permission: Permission) -> bool {
        decide::authorise(&self.rights, permission, None).allowed
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.scope.store().clock().now()
    }

    /// Refuses a session whose holder did not prove of late who it is.
    pub(crate) fn recent(&self) -> Result<(), Problem> {
        Ok(decide::require_recent(&self.principal, self.now())?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(Code::UNAUTHENTICATED, Code::UNAUTHENTICATED.help))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Self>().cloned())
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

/// Whose credential the request carries, in which tenant: also of one that may not be used here.
#[derive(Clone)]
struct Known(TenantId, Actor);

/// Where a request comes from: the client's address, and what its browser calls itself.
pub(crate) struct Origin(pub(crate) shieldops_identity::Origin);

impl<S: Send + Sync> FromRequestParts<S> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let addr = parts.extensions.get::<Client>().and_then(|client| client.0.clone());
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = agent.map(|agent| agent.chars().take(AGENT).collect());
        Ok(Self(shieldops_identity::Origin { addr, agent }))
    }
}

/// Runs before every handler.
pub(crate) async fn authorise(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let checked = check(&app, &mut parts).await;
    let request = Request::from_parts(parts, body);
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let route = format!("{} {path}", request.method());
    // Too many guesses are a refusal too, where somebody proves who they are.
    let guesses = path.starts_with("/api/v1/session") || path.starts_with("/api/v1/me/");
    let client = request.extensions().get::<Client>().and_then(|client| client.0.clone());
    let who = request.extensions().get::<Known>().map(|known| (known.0, known.1.clone()));
    let response = match checked {
        Ok(admitted) => handle(&app, request, next, admitted).await,
        Err(problem) => {
            // Whoever is held back holds no connection to the database meanwhile.
            if let Some(caller) = request.extensions().get::<Caller>() {
                caller.scope.let_go();
            }
            app.limits.hold(&problem).await;
            problem.into_response()
        }
    };
    let refused = match response.status() {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => true,
        StatusCode::TOO_MANY_REQUESTS => guesses,
        _ => false,
    };
    if refused {
        let code = response.extensions().get::<Refused>().map_or_else(String::new, |refused| refused.0.clone());
        app.denials.note(Denial { who, route, code, client }, app.store.clock().now());
    }
    response
}

/// How a request that may go on drives.
#[derive(Default)]
struct Admitted {
    lane: Option<(Lane, TenantId)>,
    standing: Option<Standing>,
}

/// What changes something is carried to its end, though the client may hang up in the middle of it.
async fn handle(app: &App, request: Request, next: Next, admitted: Admitted) -> Response {
    let place = match admitted.lane {
        None => None,
        Some((lane, tenant)) => match enter(app, lane, tenant, request.extensions().get()).await {
            Ok(place) => Some(place),
            Err(problem) => return problem.into_response(),
        },
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let work = async move {
        let response = next.run(request).await;
        drop(place);
        response
    };
    let mut response = if reads {
        work.await
    } else {
        app.tasks.spawn(work).await.unwrap_or_else(|_panicked| {
            tracing::error!("a handler panicked");
            Problem::new(Code::INTERNAL, Code::INTERNAL.help).into_response()
        })
    };
    if let Some(standing) = admitted.standing {
        standing.write(response.headers_mut());
    }
    response
}

/// A place in the lane. Whoever has to wait for it holds no connection meanwhile.
async fn enter(app: &App, lane: Lane, tenant: TenantId, caller: Option<&Caller>) -> Result<Place, Problem> {
    let mut entering = pin!(app.limits.enter(lane, tenant));
    tokio::select! {
        biased;
        place = &mut entering => return place,
        () = std::future::ready(()) => {}
    }
    if let Some(caller) = caller {
        caller.scope.let_go();
    }
    entering.await
}

async fn check(app: &App, request: &mut Parts) -> Result<Admitted, Problem> {
    let path = request.extensions.get::<MatchedPath>().map_or_else(String::new, |path| path.as_str().to_owned());
    let access = access::of(&request.method, &path);
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
    let client = client_addr(app, &request.headers, peer);
    request.extensions.insert(Client(client.clone()));
    let needs = match access {
        None => return Err(Problem::new(Code::METHOD_NOT_ALLOWED, "this path does not take this method")),
        Some(Access::Public) => return anybody(app, request, &path, client).await,
        Some(Access::NeedsOrLoopback(_))
            if peer.is_some_and(|peer| peer.ip().is_loopback()) && !app.settings.behind_proxy =>
        {
            return Ok(Admitted::default());
        }
        Some(needs) => needs,
    };
    let mut caller = match identify(app, request, &path, client.clone()).await {
        Ok(caller) => caller,
        Err(problem) => return Err(stranger(app, client, problem)),
    };
    if matches!(needs, Access::Stops(_)) {
        caller.rights = caller.rights.to_stop();
    }
    let allowed = allowed(app, &caller, needs).and_then(|scope| readable(&request.uri).map(|()| scope));
    let admitted = admit(app, &caller, request, &path, allowed.is_ok()).await;
    match allowed {
        Ok(scope) => {
            let tenant = caller.principal.tenant;
            request.extensions.insert(Caller { scope, ..caller });
            let standing = admitted?;
            Ok(Admitted { lane: limits::lane(&request.method, &path).map(|lane| (lane, tenant)), standing })
        }
        Err(problem) => {
            request.extensions.insert(caller);
            admitted.and(Err(problem))
        }
    }
}

/// A route that asks for nobody. Who is signed in all the same is known to it; guesses are counted by address.
async fn anybody(app: &App, request: &mut Parts, path: &str, client: Option<String>) -> Result<Admitted, Problem> {
    if !path.starts_with("/api/v1/") || request.method == Method::GET {
        return Ok(Admitted::default());
    }
    let standing = app.limits.stranger(client.as_deref(), limits::DEAR)?;
    if path == "/api/v1/invitations/accept"
        && let Ok(caller) = identify(app, request, path, client).await
    {
        request.extensions.insert(caller);
    }
    Ok(Admitted { lane: Some((Lane::Interactive, TenantId::INSTALLATION)), standing })
}

/// A credential that is none, or may not be used so: its address has the quota of one principal for such.
fn stranger(app: &App, client: Option<String>, problem: Problem) -> Problem {
    app.limits.stranger(client.as_deref(), 1.0).err().unwrap_or(problem)
}

/// The scope that the route works in, when the caller may call it.
fn allowed(app: &App, caller: &Caller, needs: Access) -> Result<TenantScope, Problem> {
    match needs {
        Access::Operator(permission) => {
            decide::authorise(&caller.rights, permission, None).check()?;
            Ok(app.store.installation_scope(&caller.principal)?)
        }
        Access::Needs(permission) | Access::Stops(permission) | Access::NeedsOrLoopback(permission) => {
            decide::authorise(&caller.rights, permission, None).check()?;
            Ok(caller.scope.clone())
        }
        Access::SignedIn | Access::Public => {
            decide::signed_in(&caller.rights)?;
            Ok(caller.scope.clone())
        }
    }
}

/// Takes the request from its quotas; of one that is refused no body is read.
async fn admit(
    app: &App,
    caller: &Caller,
    request: &Parts,
    path: &str,
    allowed: bool,
) -> Result<Option<Standing>, Problem> {
    let Some(lane) = limits::lane(&request.method, path) else { return Ok(None) };
    let units = match lane {
        Lane::Ingest if allowed => limits::declared_bytes(&request.headers, app.settings.max_body_bytes),
        Lane::Ingest => limits::LEAST_BYTES,
        Lane::Interactive | Lane::Batch => 1.0,
    };
    let own_per_s = caller.principal.key.as_ref().and_then(|key| key.rate_per_s);
    let payer = caller.payer();
    app.limits.admit(&caller.scope, lane, payer, own_per_s, units).await
}

fn client_addr(app: &App, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<String> {
    let peer = peer?.ip();
    Some(forwarded::client(headers, peer, &app.settings.trusted_proxies).to_string())
}

async fn identify(app: &App, request: &mut Parts, path: &str, client_addr: Option<String>) -> Result<Caller, Problem> {
    let unauthenticated = || Problem::new(Code::UNAUTHENTICATED, Code::UNAUTHENTICATED.help);
    let (text, from_cookie) = credential(&request.headers)?.ok_or_else(unauthenticated)?;
    let wanted = wanted_tenant(request, path)?;
    let look = Look::of(request, path);
    let (principal, ahead) = principal(app, &text, wanted.as_deref(), look).await?.ok_or_else(unauthenticated)?;
    request.extensions.insert(Known(principal.tenant, principal.actor()));
    let (headers, method) = (&request.headers, &request.method);
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
    if let Some(key) = &principal.key {
        decide::check_key(key, method.as_str(), request.uri.path(), client_addr.as_deref())?;
    }
    let csrf = from_cookie.then(|| secret::csrf(&text));
    let scope = app.store.scope(&principal)?;
    let rights = Rights::load(&scope, &principal).await?;
    let scope = match ahead {
        Some(ahead) => scope.with_ahead(ahead),
        None => scope,
    };
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let (behind, trusted) = (app.settings.behind_proxy, &app.settings.trusted_proxies);
    let unknown = peer.is_none_or(|peer| forwarded::undeclared(&request.headers, peer, behind, trusted));
    // What is the address of somebody else's proxy protects nobody's way in: then it is not known.
    Ok(Caller { principal, scope, rights, client_addr: client_addr.filter(|_| !unknown), csrf })
}

/// Refuses a NUL, which no database takes for text, and nothing here is named with: such a path is of nothing.
fn readable(uri: &Uri) -> Result<(), Problem> {
    if uri.path().contains("%00") {
        return Err(Problem::not_found());
    }
    if uri.query().is_some_and(|query| query.contains("%00")) {
        return Err(Problem::invalid("the query holds a NUL (`%00`), which no text here has"));
    }
    Ok(())
}

/// How a credential is looked up.
#[derive(Clone, Copy)]
struct Look {
    /// The handler is about to read, and be done soon.
    reads: bool,
    /// Somebody uses it: a session that nobody uses goes idle.
    used: bool,
}

impl Look {
    /// A page that reads anew by itself, with nobody before it, says so.
    fn of(request: &Parts, path: &str) -> Self {
        let reading = matches!(request.method, Method::GET | Method::HEAD);
        Self {
            reads: reading && limits::lane(&request.method, path) == Some(Lane::Interactive),
            used: !(reading && request.headers.contains_key(UNATTENDED_HEADER)),
        }
    }
}

/// Whom a credential stands for, with a reading for what only reads. A second factor that the configuration asks for is asked for in every tenant; what a
/// tenant asks for itself, the store knows.
async fn principal(
    app: &App,
    text: &str,
    wanted: Option<&str>,
    look: Look,
) -> Result<Option<(Principal, Option<Ahead>)>, Problem> {
    let known = if look.reads { sessions::authenticate_ahead(&app.store, text, wanted).await } else { None };
    let found = match known {
        Some((principal, ahead)) => Some((principal, Some(ahead))),
        None if look.used => sessions::authenticate(&app.store, text, wanted).await?.map(|principal| (principal, None)),
        None => sessions::look_up(&app.store, text, wanted).await?.map(|principal| (principal, None)),
    };
    Ok(found.map(|(principal, ahead)| {
        let proved = principal.confirmed.is_some_and(|confirmed| confirmed.with.is_second_factor());
        let weak = principal.kind == PrincipalKind::Session && !proved;
        let due = principal.second_factor_due || (app.base.require_second_factor && weak);
        (Principal { second_factor_due: due, ..principal }, ahead)
    }))
}

/// The slug of the tenant that the request names. A browser cannot set headers on a WebSocket: there it is `?tenant=`.
fn wanted_tenant(request: &Parts, path: &str) -> Result<Option<String>, Problem> {
    let mut sent = request.headers.get_all(TENANT_HEADER).iter();
    let named = match (sent.next(), sent.next()) {
        (None, _) if path == "/api/v1/live" => {
            let pairs = request.uri.query().unwrap_or_default().split('&');
            pairs.filter_map(|pair| pair.split_once('=')).find(|(name, _)| *name == "tenant").map(|(_, slug)| slug)
        }
        (None, _) => None,
        // What is no text names no tenant.
        (Some(one), None) => Some(one.to_str().unwrap_or_default()),
        (Some(_), Some(_)) => return Err(Problem::invalid("two Shieldops-Tenant headers")),
    };
    Ok(named.map(str::to_owned))
}

/// The credential text, and whether it came as a cookie. Two that differ are refused: which one counts, others may see otherwise.
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
    let mut sessions = cookies
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value);
    let Some(session) = sessions.next() else { return Ok(None) };
    if sessions.any(|other| other != session) {
        return Err(Problem::invalid("two session cookies"));
    }
    Ok(Some((session.to_owned(), true)))
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

/// Whom the credential in these headers stands for now, in the same tenant, and what it may do.
pub(crate) async fn again(app: &App, headers: &HeaderMap, tenant: &str) -> Option<(Principal, Rights)> {
    let (text, _) = credential(headers).ok()??;
    let look = Look { reads: false, used: false };
    let (principal, _) = principal(app, &text, Some(tenant), look).await.ok()??;
    let scope = app.store.scope(&principal).ok()?;
    let rights = Rights::load(&scope, &principal).await.ok()?;
    Some((principal, rights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_names_nothing_and_is_looked_for_nowhere() {
        let said = |uri: &str| readable(&uri.parse().unwrap()).map_err(|problem| problem.status);
        assert_eq!(said("/api/v1/value-lists/%00"), Err(404));
        assert_eq!(said("/api/v1/alerts?rule_id=a%00b"), Err(400));
        assert_eq!(said("/api/v1/alerts/%2500?q=100%25"), Ok(()));
    }

    #[test]
    fn a_credential_is_read_from_one_header_only() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, "Bearer one".parse().unwrap());
        assert_eq!(credential(&headers).unwrap(), Some(("one".to_owned(), false)));
        headers.append(header::AUTHORIZATION, "Bearer two".parse().unwrap());
        assert!(credential(&headers).is_err());
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; __Host-session=one".parse().unwrap());
        assert_eq!(credential(&headers).unwrap(), Some(("one".to_owned(), true)));
        headers.append(header::COOKIE, "__Host-session=two".parse().unwrap());
        assert!(credential(&headers).is_err());
    }
}
