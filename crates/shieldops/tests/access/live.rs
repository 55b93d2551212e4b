//! Live updates: who is told what, and until when; and how many may be connected.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream as Plain,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use tokio::{net::TcpStream, runtime::Runtime};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::{server::PATIENCE, *};

/// A revoked or changed caller is cut off within this.
const REVOKED: Duration = Duration::from_secs(1);
/// How many connections the server holds at a time.
const CONNECTIONS: usize = 800;

/// A client of live updates, as a program or a browser is one.
pub(super) struct Live {
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Live {
    /// The status of the refusal where there is no connection.
    fn open(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let mut live = Self::connect(server, "", headers)?;
        assert_eq!(live.next(PATIENCE).expect("a greeting")["kind"], "hello");
        Ok(live)
    }

    /// Asks for what was missed since a place in the ledger: the frames up to the greeting, and the greeting's place.
    pub(super) fn since(server: &Server, token: &str, seq: u64) -> (Self, Vec<Value>, u64) {
        let headers = [("authorization", &*format!("Bearer {token}"))];
        let mut live = Self::connect(server, &format!("?since={seq}"), &headers).unwrap();
        let mut frames = Vec::new();
        loop {
            let frame = live.next(PATIENCE).expect("a greeting");
            if frame["kind"] == "hello" {
                return (live, frames, frame["seq"].as_u64().unwrap());
            }
            frames.push(frame);
        }
    }

    fn connect(server: &Server, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut request =
            format!("{}/api/v1/live{query}", server.url().replace("http", "ws")).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let socket = match runtime.block_on(connect_async(request)) {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        };
        Ok(Self { runtime, socket })
    }

    pub(super) fn with_token(server: &Server, token: &str) -> Self {
        Self::open(server, &[("authorization", &format!("Bearer {token}"))]).unwrap()
    }

    fn with_cookie(server: &Server, cookie: &str) -> Self {
        Self::open(server, &[("cookie", cookie), ("origin", server.url())]).unwrap()
    }

    /// The frames up to the first of each kind, and what comes behind them until nothing does for a while.
    pub(super) fn through(&mut self, kinds: &[&str]) -> Vec<Value> {
        let mut frames: Vec<Value> = Vec::new();
        while !kinds.iter().all(|kind| frames.iter().any(|frame| frame["kind"] == *kind)) {
            frames.push(self.next(PATIENCE).expect("a frame of each kind"));
        }
        frames.extend(std::iter::from_fn(|| self.next(Duration::from_secs(3))));
        frames
    }

    /// The next frame; nothing when none came in time, or when the connection ended.
    pub(super) fn next(&mut self, at_most: Duration) -> Option<Value> {
        let Self { runtime, socket } = self;
        let frame = async {
            loop {
                match socket.next().await {
                    Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return None,
                }
            }
        };
        runtime.block_on(async { tokio::time::timeout(at_most, frame).await.ok().flatten() })
    }

    /// How long it took until the server ended the connection.
    fn ended(&mut self, since: Instant) -> Option<Duration> {
        let Self { runtime, socket } = self;
        let end = async {
            while let Some(Ok(Message::Text(_) | Message::Ping(_) | Message::Pong(_))) = socket.next().await {}
        };
        let within = runtime.block_on(async { tokio::time::timeout(4 * REVOKED, end).await });
        within.ok().map(|()| since.elapsed())
    }
}

/// A person with a session and a token.
fn person(server: &Server, admin: &str, name: &str, role: &str) -> (String, String, String) {
    let user = json!({"name": name, "role": role, "password": "another long phrase"});
    let made = server.post("/api/v1/users", admin, &user).unwrap();
    let login = json!({"name": name, "password": "another long phrase"}).to_string();
    let cookie = server.cookie("/api/v1/session", &login).unwrap();
    let args =
        ["token", "create", "--data-dir", server.data_dir(), "--kind", "personal", "--name", "t", "--user", name];
    (made["id"].as_str().unwrap().to_owned(), cookie, server.cli(&args).stdout.trim().to_owned())
}

#[test]
fn a_changed_role_or_state_of_a_person_ends_its_live_updates_within_a_second_and_no_others() {
    let server = Server::start(&[]);
    let admin = server.token("personal");
    let mut other = Live::with_token(&server, &admin);
    for (name, change) in
        [("ann", json!({"role": "viewer"})), ("bea", json!({"role": "admin"})), ("cid", json!({"disabled": true}))]
    {
        let (id, cookie, token) = person(&server, &admin, name, "analyst");
        let (mut page, mut program) = (Live::with_cookie(&server, &cookie), Live::with_token(&server, &token));
        let (status, body) =
            server.raw("patch", &format!("/api/v1/users/{id}"), Some(&admin), Some(&change.to_string()));
        let since = Instant::now();
        assert_eq!(status, 200, "{body}");
        for (what, live) in [("the session", &mut page), ("the token", &mut program)] {
            let took = live.ended(since).unwrap_or_else(|| panic!("{what} of {name} goes on after {change}"));
            assert!(took < REVOKED, "{what} of {name} went on for {took:?}");
        }
    }
    while let Some(frame) = other.next(Duration::from_millis(100)) {
        assert_ne!(frame["kind"], "hello");
    }
    server.post("/api/v1/automation/halt", &admin, &json!({"reason": "test"})).unwrap();
    assert_eq!(other.next(REVOKED).expect("others go on")["kind"], "automation");
}

#[test]
fn a_credential_that_is_gone_ends_its_live_updates_within_a_second() {
    let server = Server::start(&[]);
    let admin = server.token("personal");
    let (_, cookie, _) = person(&server, &admin, "ann", "analyst");
    let made = server.post("/api/v1/tokens", &admin, &json!({"kind": "personal", "name": "short"})).unwrap();
    let mut revoked = Live::with_token(&server, made["token"].as_str().unwrap());
    let path = format!("/api/v1/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(server.raw("delete", &path, Some(&admin), None).0, 204);
    assert!(revoked.ended(Instant::now()).expect("a revoked token goes on") < REVOKED);

    let mut signed_out = Live::with_cookie(&server, &cookie);
    let csrf = server.with_cookie("get", "/api/v1/me", &cookie, None, None).1["csrf"].as_str().unwrap().to_owned();
    assert_eq!(server.with_cookie("delete", "/api/v1/session", &cookie, Some(&csrf), None).0, 204);
    assert!(signed_out.ended(Instant::now()).expect("a session that was ended goes on") < REVOKED);
    assert_eq!(server.with_cookie("get", "/api/v1/me", &cookie, None, None).0, 401, "on its next request as well");

    let login = json!({"name": "ann", "password": "another long phrase"}).to_string();
    let cookie = server.cookie("/api/v1/session", &login).unwrap();
    let mut replaced = Live::with_cookie(&server, &cookie);
    let elsewhere = server.cookie("/api/v1/session", &login).unwrap();
    let csrf = server.with_cookie("get", "/api/v1/me", &elsewhere, None, None).1["csrf"].as_str().unwrap().to_owned();
    let change = json!({"current": "another long phrase", "new": "a third long phrase"}).to_string();
    assert_eq!(server.with_cookie("post", "/api/v1/me/password", &elsewhere, Some(&csrf), Some(&change)).0, 204);
    assert!(replaced.ended(Instant::now()).expect("a session outlives its password") < REVOKED);
}

#[test]
fn live_updates_are_told_to_whoever_may_read_the_list_and_to_no_foreign_page() {
    let server = Server::start(&[]);
    let admin = server.token("personal");
    let (_, cookie, viewer) = person(&server, &admin, "vic", "viewer");
    assert_eq!(Live::open(&server, &[]).err(), Some(401));
    assert_eq!(Live::open(&server, &[("cookie", &cookie)]).err(), Some(403), "without an origin");
    assert_eq!(Live::open(&server, &[("cookie", &cookie), ("origin", "http://evil.example")]).err(), Some(403));
    let (ingest, subprotocol) = (server.token("ingest"), format!("shieldops.v1, bearer.{viewer}"));
    let mut sees = Live::open(&server, &[("sec-websocket-protocol", &subprotocol)]).unwrap();
    let mut blind = Live::with_token(&server, &ingest);
    let line = "Nov 21 10:15:02 web-07 sshd[4211]: Accepted password for root from 203.0.113.66 port 51122 ssh2";
    server.post_text("/api/v1/events", &ingest, line);
    for frame in sees.through(&["alert", "incident", "investigation"]) {
        let mut names: Vec<_> = frame.as_object().unwrap().keys().cloned().collect();
        names.retain(|name| !["kind", "id", "version", "seq"].contains(&name.as_str()));
        assert_eq!(names, [""; 0], "a frame holds nothing of what it is about: {frame}");
    }
    assert_eq!(blind.next(Duration::from_millis(200)), None, "an ingest token reads nothing");
}

/// Asks on a connection of its own: the first bytes of the answer, or nothing when none comes.
fn asked(connection: &mut Plain, at_most: Duration) -> Option<String> {
    connection.set_read_timeout(Some(at_most)).unwrap();
    let mut bytes = [0; 12];
    connection.read_exact(&mut bytes).ok().map(|()| String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn more_connections_than_the_server_holds_wait_and_cost_the_others_nothing() {
    let mut server = Server::start(&[]);
    let admin = server.token("personal");
    let mut live = Live::with_token(&server, &admin);
    let address = server.url().trim_start_matches("http://").to_owned();
    let ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut held: Vec<Plain> = Vec::new();
    // The live connection is one of them, and so is the one that the token's check may have kept.
    while held.len() < CONNECTIONS - 2 {
        let mut connection = Plain::connect(&address).unwrap();
        connection.write_all(ask).unwrap();
        assert_eq!(asked(&mut connection, PATIENCE).as_deref(), Some("HTTP/1.1 200"), "{}", held.len());
        held.push(connection);
    }
    let mut waiting: Vec<Plain> = (0..8).map(|_| Plain::connect(&address).unwrap()).collect();
    for connection in &mut waiting {
        connection.write_all(ask).unwrap();
    }
    // A place or two may have been free: those are served, and stay.
    let mut served = Vec::new();
    for at in (0..waiting.len()).rev() {
        if asked(&mut waiting[at], Duration::from_millis(300)).is_some() {
            served.push(waiting.remove(at));
        }
    }
    assert!(waiting.len() >= 6, "only {} of 8 connections beyond the limit wait", waiting.len());
    // Whoever is in is served.
    let first = held.first_mut().unwrap();
    let mut rest = Vec::new();
    first.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    drop(first.read_to_end(&mut rest));
    first.write_all(ask).unwrap();
    assert_eq!(asked(first, PATIENCE).as_deref(), Some("HTTP/1.1 200"));
    // And whoever waits, once somebody leaves.
    held.truncate(CONNECTIONS / 2);
    for connection in &mut waiting {
        assert_eq!(asked(connection, PATIENCE).as_deref(), Some("HTTP/1.1 200"));
    }
    server.post("/api/v1/automation/halt", &admin, &json!({"reason": "test"})).unwrap();
    assert_eq!(live.next(PATIENCE).expect("it is told still")["kind"], "automation");
    assert!(server.runs());
}
