//! Live updates: one WebSocket. A frame says kind, id and version; what it is about is fetched through the API.
//!
//! A client that was away asks with `?since=<the seq it saw last>` and gets frames for what it missed, or one `resync` when
//! that cannot be told; then `hello`, and what happens from there on.

mod missed;
mod sockets;

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, header},
    response::Response,
};
use serde::Deserialize;
use shieldops_identity::{
    Permission,
    decide::{self, Rights},
};
use shieldops_model::Code;
use shieldops_store::{Change, PageRequest, ledger};
use tokio::sync::broadcast::error::RecvError;

use self::missed::Missed;
pub use self::sockets::Sockets;
use crate::{App, Problem, auth::Caller, page::Params};

/// How often the caller's credential is looked up again, beside each change of people in this process: a revoked one is
/// cut off within this.
const RECHECK: Duration = Duration::from_millis(900);
/// How often a client is asked whether it is there; one that says nothing for three of them is gone.
const PING: Duration = Duration::from_secs(20);
/// How long a frame may take to leave.
const SEND: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
pub(crate) struct LiveParams {
    /// The `seq` of the last frame that the client saw.
    since: Option<u64>,
}

/// Frames for what the caller may read.
pub(crate) async fn connect(
    State(app): State<Arc<App>>,
    caller: Caller,
    Params(params): Params<LiveParams>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    // A browser sends its page's origin: another page's script must not read along with this page's cookie.
    if caller.csrf.is_some() && !same_origin(&headers) {
        return Err(Problem::new(Code::FORBIDDEN, "the Origin is not this server"));
    }
    let upgrade = upgrade.max_message_size(4_096).protocols(["shieldops.v1"]);
    let credential = Credential::of(&headers);
    let seat = app.sockets.sit(caller.principal.tenant, &caller.scope.actor().id)?;
    Ok(upgrade.on_upgrade(move |socket| async move {
        serve(app, caller, credential, (socket, params.since)).await;
        drop(seat);
    }))
}

fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_some_and(|(_, at)| at == host),
        _ => false,
    }
}

/// The headers that identified the caller, to identify it again.
struct Credential(HeaderMap);

impl Credential {
    fn of(headers: &HeaderMap) -> Self {
        let mut kept = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::COOKIE, header::SEC_WEBSOCKET_PROTOCOL] {
            for value in headers.get_all(&name) {
                kept.append(name.clone(), value.clone());
            }
        }
        Self(kept)
    }
}

/// How far a connection was told: the size that a commit left, and the one before. A commit's frames can be half sent when
/// it breaks or falls behind, so what is safe to go on from is the one before.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    before: u64,
    last: u64,
}

impl Told {
    fn saw(&mut self, seq: i64) {
        let seq = u64::try_from(seq).unwrap_or(0);
        if seq > self.last {
            *self = Self { before: self.last, last: seq };
        }
    }
}

async fn serve(app: Arc<App>, caller: Caller, credential: Credential, (mut socket, since): (WebSocket, Option<u64>)) {
    // Heard from before the size is read: no change falls between.
    let mut changes = app.store.watch();
    let mut recheck = tokio::time::interval(RECHECK);
    let mut ping = tokio::time::interval(PING);
    let mut heard = tokio::time::Instant::now();
    let Some(seq) = greet(&mut socket, &caller, since).await else { return };
    let mut told = Told { before: seq, last: seq };
    loop {
        let keep = tokio::select! {
            change = changes.recv() => {
                (!of_people(&change) || still_allowed(&app, &caller, &credential).await)
                    && forward(&mut socket, &caller, &mut told, change).await
            }
            _ = recheck.tick() => still_allowed(&app, &caller, &credential).await,
            _ = ping.tick() => heard.elapsed() < 3 * PING && write(&mut socket, Message::Ping(Bytes::new())).await.is_ok(),
            message = socket.recv() => {
                heard = tokio::time::Instant::now();
                matches!(message, Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))))
            }
            () = app.stop.cancelled() => false,
        };
        if !keep {
            drop(write(&mut socket, Message::Close(None)).await);
            return;
        }
    }
}

/// Looks the credential up again. Who it stands for must be who connected, in the same role: after a change the client
/// connects anew, and reads anew what it may read.
async fn still_allowed(app: &App, caller: &Caller, credential: &Credential) -> bool {
    let then = &caller.principal;
    let again = crate::auth::again(app, &credential.0, &then.tenant_slug).await;
    again.is_some_and(|(now, rights)| {
        now.tenant == then.tenant
            && now.user == then.user
            && now.role == then.role
            && now.tenant_state == then.tenant_state
            && now.second_factor_due == then.second_factor_due
            && rights.permissions() == caller.rights.permissions()
            && decide::signed_in(&rights).is_ok()
    })
}

/// A change after which a credential may stand for nobody, or for somebody else.
fn of_people(change: &Result<Change, RecvError>) -> bool {
    change.as_ref().is_ok_and(|change| {
        matches!(
            change.kind,
            "user" | "token" | "session" | "membership" | "role" | "key" | "grant" | "tenant" | "settings"
        )
    })
}

/// Entries of the ledger: what the cursor of this connection begins at.
async fn ledger_size(caller: &Caller) -> Result<u64, Problem> {
    let newest = PageRequest { limit: Some(1), cursor: None };
    let page = ledger::list(&mut caller.scope.read().await?, &ledger::Filter::default(), &newest).await?;
    Ok(page.items.first().map_or(0, |entry| entry.seq + 1))
}

/// What the client missed, then where it is now; nothing when it could not be told.
async fn greet(socket: &mut WebSocket, caller: &Caller, since: Option<u64>) -> Option<u64> {
    let size = ledger_size(caller).await.ok()?;
    if let Some(since) = since {
        tell_missed(socket, caller, since, size).await.then_some(())?;
    }
    send(socket, &serde_json::json!({"kind": "hello", "seq": size})).await.ok()?;
    Some(size)
}

async fn tell_missed(socket: &mut WebSocket, caller: &Caller, since: u64, size: u64) -> bool {
    match missed::since(caller, since, size).await {
        Ok(Missed::Frames(frames)) => {
            for frame in frames {
                if send(socket, &serde_json::json!(frame)).await.is_err() {
                    return false;
                }
            }
            true
        }
        Ok(Missed::Everything) => send(socket, &serde_json::json!({"kind": "resync", "seq": size})).await.is_ok(),
        Err(_) => false,
    }
}

async fn forward(socket: &mut WebSocket, caller: &Caller, told: &mut Told, change: Result<Change, RecvError>) -> bool {
    match change {
        Ok(change) if change.tenant == caller.principal.tenant && may_read(&caller.rights, change.kind) => {
            told.saw(change.seq);
            send(socket, &serde_json::json!(change)).await.is_ok()
        }
        Ok(_) => true,
        // More happened than waits for a slow reader: the ledger knows what.
        Err(RecvError::Lagged(_)) => {
            let Ok(size) = ledger_size(caller).await else { return false };
            let done = tell_missed(socket, caller, told.before, size).await;
            told.saw(i64::try_from(size).unwrap_or(i64::MAX));
            done
        }
        Err(RecvError::Closed) => false,
    }
}

/// A topic is open to whoever may read the list it mirrors.
fn may_read(rights: &Rights, kind: &str) -> bool {
    let needs = match kind {
        "alert" => Permission::AlertRead,
        "incident" | "investigation" => Permission::IncidentRead,
        "plan" => Permission::PlanRead,
        "action" => Permission::ActionRead,
        "target" => Permission::TargetRead,
        "rule" => Permission::RuleRead,
        "automation" => Permission::AutomationRead,
        "ingest" | "dead_letter" => Permission::IngestRead,
        "token" => Permission::TokenRead,
        "user" | "membership" | "invitation" => Permission::UserRead,
        "role" => Permission::RoleRead,
        "key" => Permission::KeyRead,
        "grant" => Permission::GrantRead,
        "job" => Permission::JobRead,
        "settings" => Permission::SettingsRead,
        _ => return false,
    };
    decide::authorise(rights, needs, None).allowed
}

async fn send(socket: &mut WebSocket, frame: &serde_json::Value) -> Result<(), axum::Error> {
    write(socket, Message::Text(frame.to_string().into())).await
}

/// A client that does not read is cut off: what waits for it must not hold up its revocation.
async fn write(socket: &mut WebSocket, message: Message) -> Result<(), axum::Error> {
    tokio::time::timeout(SEND, socket.send(message)).await.map_err(axum::Error::new)?
}
