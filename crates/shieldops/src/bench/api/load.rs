//! Load in an open loop: a request is due at its time whether or not the ones before were answered, and its latency counts
//! from then. A server that stalls cannot hide it.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use hyper::{Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    runtime::{Builder, Runtime},
    time::{sleep_until, timeout},
};

use super::super::figures::{milliseconds, percentile, round};
use crate::output::Failure;

const TIMEOUT: Duration = Duration::from_secs(30);
/// As many requests can be on their way at a time.
const CONNECTIONS: u32 = 64;

/// A request as it is sent.
pub(super) struct Shot {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) token: String,
    pub(super) body: Option<String>,
}

/// What came of a load.
#[derive(Default)]
pub(super) struct Outcome {
    /// Milliseconds from when each was due.
    pub(super) reads: Vec<f64>,
    pub(super) writes: Vec<f64>,
    /// Answers that were none of a success, by status; 0 is no answer.
    pub(super) refused: BTreeMap<u16, u32>,
    pub(super) took: Duration,
}

impl Outcome {
    pub(super) fn errors(&self) -> u32 {
        self.refused.values().sum()
    }

    /// Requests answered a second.
    pub(super) fn rate(&self) -> f64 {
        let answered = u32::try_from(self.reads.len() + self.writes.len()).unwrap_or(u32::MAX);
        round(f64::from(answered) / self.took.as_secs_f64())
    }

    fn count(&mut self, method: &str, status: u16, took_ms: f64) {
        if method == "GET" {
            self.reads.push(took_ms);
        } else {
            self.writes.push(took_ms);
        }
        if !(200..300).contains(&status) {
            *self.refused.entry(status).or_default() += 1;
        }
    }
}

pub(super) fn percentiles(times_ms: &[f64]) -> Value {
    let at = |percent| round(percentile(times_ms, percent));
    json!({"count": times_ms.len(), "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "max_ms": at(100)})
}

/// The thread that sends. One, and no thread a connection: what the load itself costs is taken from the server's processors.
pub(super) fn sender() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::unusable("cannot start the runtime").why(error.to_string()))
}

/// A connection that is kept, and opened again when it ended.
pub(super) struct Line {
    host: String,
    open: Option<http1::SendRequest<String>>,
}

impl Line {
    pub(super) fn to(server: &str) -> Self {
        Self { host: server.trim_start_matches("http://").to_owned(), open: None }
    }

    /// Sends one: its status, or 0 when there was no answer.
    pub(super) async fn send(&mut self, shot: &Shot) -> u16 {
        if let Ok(Ok(status)) = timeout(TIMEOUT, self.answered(shot)).await {
            return status;
        }
        self.open = None;
        0
    }

    async fn answered(&mut self, shot: &Shot) -> anyhow::Result<u16> {
        let request = request(&self.host, shot)?;
        let mut line = match self.open.take().filter(|line| !line.is_closed()) {
            Some(line) => line,
            None => connect(&self.host).await?,
        };
        line.ready().await?;
        let mut response = line.send_request(request).await?;
        // Whole, as a client takes it; a connection with an unread body is not used again.
        while let Some(frame) = response.frame().await {
            frame?;
        }
        self.open = Some(line);
        Ok(response.status().as_u16())
    }
}

#[expect(clippy::disallowed_methods, reason = "a connection ends with the runtime of the load")]
async fn connect(host: &str) -> anyhow::Result<http1::SendRequest<String>> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let (line, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(line)
}

fn request(host: &str, shot: &Shot) -> anyhow::Result<Request<String>> {
    let request = Request::builder()
        .method(shot.method)
        .uri(&shot.path)
        .header(header::HOST, host)
        .header(header::AUTHORIZATION, format!("Bearer {}", shot.token));
    let request = match shot.method {
        "POST" => request.header("idempotency-key", hex::encode(rand::random::<[u8; 16]>())),
        "GET" => request,
        _ => request.header(header::IF_MATCH, "*"),
    };
    Ok(match &shot.body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body.clone())?,
        None => request.body(String::new())?,
    })
}

/// So many requests a second, for so long.
pub(super) async fn open_loop(server: &str, per_s: u32, time: Duration, shot: &impl Fn(u32) -> Shot) -> Outcome {
    let total = per_s.saturating_mul(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let (next, all) = (Cell::new(0), RefCell::new(Outcome::default()));
    let began = Instant::now();
    let work = async || {
        let mut line = Line::to(server);
        while next.get() < total {
            let number = next.replace(next.get() + 1);
            let due = began + Duration::from_secs_f64(f64::from(number) / f64::from(per_s));
            sleep_until(due.into()).await;
            let shot = shot(number);
            let status = line.send(&shot).await;
            all.borrow_mut().count(shot.method, status, milliseconds(due.elapsed()));
        }
    };
    futures_util::future::join_all((0..CONNECTIONS.min(per_s)).map(|_| work())).await;
    let mut outcome = all.into_inner();
    outcome.took = began.elapsed();
    outcome
}

/// As much as fits, over so many connections, until told to stop: how often each status was answered. It has a thread of its
/// own: what it costs to send is no latency of another load.
pub(super) fn flood(
    server: &str,
    connections: u32,
    stop: &AtomicBool,
    shot: &impl Fn(u32) -> Shot,
) -> Result<BTreeMap<u16, u32>, Failure> {
    Ok(sender()?.block_on(asking(server, connections, stop, shot)))
}

async fn asking(server: &str, connections: u32, stop: &AtomicBool, shot: &impl Fn(u32) -> Shot) -> BTreeMap<u16, u32> {
    let (next, all) = (Cell::new(0_u32), RefCell::new(BTreeMap::new()));
    let work = async || {
        let mut line = Line::to(server);
        while !stop.load(Ordering::Relaxed) {
            let status = line.send(&shot(next.replace(next.get().wrapping_add(1)))).await;
            *all.borrow_mut().entry(status).or_default() += 1;
        }
    };
    futures_util::future::join_all((0..connections).map(|_| work())).await;
    all.into_inner()
}
