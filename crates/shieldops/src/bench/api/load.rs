//! Load in an open loop: a request is due at its time whether or not the ones before were answered, and its latency counts
//! from then. A server that stalls cannot hide it.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use ureq::{Agent, http::Request};

use super::super::{
    figures::{milliseconds, percentile, round},
    server::pause,
};

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

    fn add(&mut self, other: Self) {
        self.reads.extend(other.reads);
        self.writes.extend(other.writes);
        for (status, count) in other.refused {
            *self.refused.entry(status).or_default() += count;
        }
    }
}

pub(super) fn percentiles(times_ms: &[f64]) -> Value {
    let at = |percent| round(percentile(times_ms, percent));
    json!({"count": times_ms.len(), "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "max_ms": at(100)})
}

pub(super) fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
    Agent::new_with_config(config)
}

/// Sends one: its status, or 0 when there was no answer.
pub(super) fn send(agent: &Agent, server: &str, shot: &Shot) -> u16 {
    let mut request = Request::builder().method(shot.method).uri(format!("{server}{}", shot.path));
    request = request.header("authorization", format!("Bearer {}", shot.token));
    request = match shot.method {
        "POST" => request.header("idempotency-key", hex::encode(rand::random::<[u8; 16]>())),
        "GET" => request,
        _ => request.header("if-match", "*"),
    };
    let answered = match &shot.body {
        Some(body) => {
            request.header("content-type", "application/json").body(body.clone()).map(|request| agent.run(request))
        }
        None => request.body(String::new()).map(|request| agent.run(request)),
    };
    let Ok(Ok(mut response)) = answered else { return 0 };
    // Whole, as a client takes it; a connection with an unread body is not used again.
    let status = response.status().as_u16();
    if response.body_mut().read_to_vec().is_ok() { status } else { 0 }
}

/// So many requests a second, for so long.
pub(super) fn open_loop(server: &str, per_s: u32, time: Duration, shot: &(dyn Fn(u32) -> Shot + Sync)) -> Outcome {
    let total = per_s.saturating_mul(u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let (next, all) = (AtomicU32::new(0), Mutex::new(Outcome::default()));
    let began = Instant::now();
    let work = || {
        let (agent, mut own) = (agent(), Outcome::default());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= total {
                break;
            }
            let due = began + Duration::from_secs_f64(f64::from(number) / f64::from(per_s));
            while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                pause(left);
            }
            let shot = shot(number);
            let status = send(&agent, server, &shot);
            let took = milliseconds(due.elapsed());
            if shot.method == "GET" {
                own.reads.push(took);
            } else {
                own.writes.push(took);
            }
            if !(200..300).contains(&status) {
                *own.refused.entry(status).or_default() += 1;
            }
        }
        all.lock().unwrap_or_else(PoisonError::into_inner).add(own);
    };
    thread::scope(|scope| (0..CONNECTIONS.min(per_s)).for_each(|_| drop(scope.spawn(work))));
    let mut outcome = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.took = began.elapsed();
    outcome
}

/// As much as fits, over so many connections, until told to stop: how often each status was answered.
pub(super) fn flood(
    server: &str,
    connections: u32,
    stop: &AtomicU32,
    shot: &(dyn Fn(u32) -> Shot + Sync),
) -> BTreeMap<u16, u32> {
    let (next, all) = (AtomicU32::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        let agent = agent();
        while stop.load(Ordering::Relaxed) == 0 {
            let status = send(&agent, server, &shot(next.fetch_add(1, Ordering::Relaxed)));
            *all.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        }
    };
    thread::scope(|scope| (0..connections).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}
