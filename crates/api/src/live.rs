//! Live updates: one WebSocket. A frame says kind, id and version; what it is about is fetched through the API.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket},
    },
    http::{HeaderMap, header},
    response::Response,
};
use shieldops_identity::{Permission, permission};
use shieldops_model::Code;
use shieldops_store::Change;
use tokio::sync::broadcast::error::RecvError;

use crate::{App, Problem, auth::Caller};

/// How often the caller's credential is looked up again: a revoked one is cut off within this.
const RECHECK: Duration = Duration::from_millis(900);

/// Frames for what the caller may read.
pub(crate) async fn connect(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    // A browser sends its page's origin: another page's script must not read along with this page's cookie.
    if caller.csrf.is_some() && !same_origin(&headers) {
        return Err(Problem::new(Code::FORBIDDEN, "the Origin is not this server"));
    }
    let upgrade = upgrade.max_message_size(4_096).protocols(["shieldops.v1"]);
    let credential = Credential::of(&headers);
    Ok(upgrade.on_upgrade(move |socket| serve(app, caller, credential, socket)))
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

async fn serve(app: Arc<App>, caller: Caller, credential: Credential, mut socket: WebSocket) {
    let mut changes = app.store.watch();
    let mut recheck = tokio::time::interval(RECHECK);
    if send(&mut socket, &serde_json::json!({"kind": "hello"})).await.is_err() {
        return;
    }
    loop {
        let keep = tokio::select! {
            change = changes.recv() => forward(&mut socket, &caller, change).await,
            _ = recheck.tick() => crate::auth::still_valid(&app, &credential.0).await,
            message = socket.recv() => matches!(message, Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_)))),
            () = app.stop.cancelled() => false,
        };
        if !keep {
            drop(socket.send(Message::Close(None)).await);
            return;
        }
    }
}

async fn forward(socket: &mut WebSocket, caller: &Caller, change: Result<Change, RecvError>) -> bool {
    match change {
        Ok(change) if change.tenant == caller.principal.tenant && may_read(&caller.principal.role, change.kind) => {
            send(socket, &serde_json::json!(change)).await.is_ok()
        }
        Ok(_) => true,
        // Frames were missed: the client reads its lists again.
        Err(RecvError::Lagged(missed)) => {
            send(socket, &serde_json::json!({"kind": "missed", "count": missed})).await.is_ok()
        }
        Err(RecvError::Closed) => false,
    }
}

/// A topic is open to whoever may read the list it mirrors.
fn may_read(role: &str, kind: &str) -> bool {
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
        "user" => Permission::UserRead,
        _ => return false,
    };
    permission::allows(role, needs)
}

async fn send(socket: &mut WebSocket, frame: &serde_json::Value) -> Result<(), axum::Error> {
    socket.send(Message::Text(frame.to_string().into())).await
}
